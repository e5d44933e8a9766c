"""The lower bound on how fast bytes move."""

from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outhaul.server.window import Window

SECONDS, LEAST = 10, 5_000


def stops_at(*steps: tuple[float, int]) -> float | None:
    """Return when a window of 10 seconds first fails. A step is a time in it, and bytes moved."""
    window = Window(SECONDS, LEAST)
    for now, moved in steps:
        if not window.moves(now, moved):
            return now
    return None


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ([(0, 0), (9.9, 0)], None),
        ([(0, 0), (10, 0)], 10),
        ([(0, 0), (10, 4_999)], 10),
        ([(0, 0), (10, 5_000)], None),
        ([(0, 0), (5, 10**9), (10, 10**9), (20, 10**9)], 20),
        ([(n, n) for n in range(30)], 10),
        ([(n, n * 500) for n in range(300)], None),
        ([(0, 0), (1, 10**9), (12, 10**9), (23, 10**9 + 4_999)], 23),
    ],
)
def test_a_window_in_which_too_little_moves_fails(
    steps: list[tuple[float, int]], expected: float | None
) -> None:
    assert stops_at(*steps) == expected


@given(st.lists(st.tuples(st.integers(1, SECONDS), st.integers(LEAST, 10**9)), max_size=50))
def test_who_moves_enough_between_any_two_looks_goes_on(moves: list[tuple[int, int]]) -> None:
    times = accumulate(seconds for seconds, _ in moves)
    assert stops_at((0, 0), *zip(times, accumulate(m for _, m in moves), strict=True)) is None


@given(st.floats(0, 10**6), st.integers(0, 10**6), st.integers(0, LEAST - 1))
def test_who_moves_too_little_in_a_window_is_stopped(began: float, so_far: int, more: int) -> None:
    assert stops_at((began, so_far), (began + SECONDS + 1, so_far + more)) is not None


def test_a_window_that_restarts_forgets_the_time_so_far() -> None:
    window = Window(SECONDS, LEAST)
    assert window.moves(0, 0)
    window.restart()
    assert window.moves(11, 0)
    assert not window.moves(21, 0)
