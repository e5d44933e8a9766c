"""Work in another thread: order, bounds, errors."""

import threading
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outhaul.client.follower import Follower

MEBIBYTE = 1 << 20


@given(st.lists(st.sampled_from([0, 1, 1000, MEBIBYTE - 1, MEBIBYTE]), max_size=12))
def test_all_pieces_are_given_in_order(sizes: list[int]) -> None:
    pieces = [bytes([number]) * size for number, size in enumerate(sizes)]
    got: list[bytes] = []
    follower = Follower(got.extend)
    for piece in pieces:
        follower.give(piece)
    follower.settle()
    assert got == pieces
    follower.settle()
    assert got == pieces


def test_small_files_start_no_thread() -> None:
    threads: list[threading.Thread] = []
    follower = Follower(lambda _pieces: threads.append(threading.current_thread()))
    follower.give(b"x" * (MEBIBYTE - 1))
    follower.settle()
    assert threads == [threading.current_thread()]


def test_pieces_are_not_gathered_without_end() -> None:
    go_on = threading.Event()
    given_: list[int] = []

    def take(_pieces: Sequence[bytes]) -> None:
        go_on.wait()

    follower = Follower(take)

    def give() -> None:
        for number in range(40):
            follower.give(b"x" * MEBIBYTE)
            given_.append(number)

    thread = threading.Thread(target=give)
    thread.start()
    thread.join(0.2)
    held = len(given_)
    go_on.set()
    thread.join()
    assert held < 12
    assert len(given_) == 40
    follower.settle()


def test_an_error_is_raised_in_the_thread_that_gives() -> None:
    def take(_pieces: Sequence[bytes]) -> None:
        raise MemoryError("no room")

    follower = Follower(take)

    def give() -> None:
        for _ in range(40):
            follower.give(b"x" * MEBIBYTE)

    with pytest.raises(MemoryError, match="no room"):
        give()


def test_an_error_is_raised_at_the_end_at_the_latest() -> None:
    def take(_pieces: Sequence[bytes]) -> None:
        raise MemoryError("no room")

    follower = Follower(take)
    follower.give(b"x")
    with pytest.raises(MemoryError, match="no room"):
        follower.settle()
