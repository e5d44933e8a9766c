import threading
from collections.abc import Iterator

import pytest

from outhaul.storage.upload import uploading

CHUNK = 10
WAIT = 30
"""Seconds after which a test that hangs fails; none of them waits so long."""


class Kept:
    """Keeps content, as a bucket does: whole or not at all."""

    def __init__(self) -> None:
        self.chunks: list[bytes] = []
        self.whole: bytes | None = None
        self.ended_by: BaseException | None = None

    def put(self, content: bytes | Iterator[bytes]) -> None:
        try:
            for chunk in [content] if isinstance(content, bytes) else content:
                self.chunks.append(chunk)
        except BaseException as error:
            self.ended_by = error
            raise
        self.whole = b"".join(self.chunks)


def content(size: int) -> bytes:
    return bytes(n % 251 for n in range(size))


@pytest.mark.parametrize("step", [1, 3, CHUNK, 25, 100])
@pytest.mark.parametrize("size", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 5 * CHUNK, 57])
def test_content_arrives_whole_in_chunks(size: int, step: int) -> None:
    kept, expected = Kept(), content(size)
    with uploading(kept.put, CHUNK) as upload:
        for first in range(0, size, step):
            piece = expected[first : first + step]
            assert upload.write(piece) == len(piece)
        early = kept.whole
    assert (early, kept.whole) == (None, expected)
    assert all(len(chunk) == CHUNK for chunk in kept.chunks[:-1])
    assert len(kept.chunks) == max(1, -(-size // CHUNK))


@pytest.mark.parametrize("size", [0, 5, CHUNK, 57])
def test_what_is_left_by_an_exception_is_not_kept(size: int) -> None:
    kept = Kept()

    def write() -> None:
        with uploading(kept.put, CHUNK) as upload:
            upload.write(content(size))
            raise ZeroDivisionError

    before = threading.active_count()
    with pytest.raises(ZeroDivisionError):
        write()
    assert kept.whole is None
    assert (kept.ended_by is not None) == (size >= CHUNK), "what was begun is told of it"
    assert threading.active_count() == before


@pytest.mark.parametrize("chunks", [0, 1, 3])
def test_an_error_of_the_upload_is_raised_where_it_is_written(chunks: int) -> None:
    def put(content: bytes | Iterator[bytes]) -> None:
        assert not isinstance(content, bytes)
        for _ in range(chunks):
            next(content)
        raise OSError("away")

    def write() -> None:
        with uploading(put, CHUNK) as upload:
            while True:  # without an end: only the error can be one
                upload.write(content(CHUNK))

    with pytest.raises(OSError, match="away"):
        write()


@pytest.mark.parametrize("size", [5, CHUNK, 57])
def test_an_error_after_the_last_chunk_is_raised_too(size: int) -> None:
    def put(content: bytes | Iterator[bytes]) -> None:
        if not isinstance(content, bytes):
            list(content)
        raise OSError("not completed")

    def write() -> None:
        with uploading(put, CHUNK) as upload:
            upload.write(content(size))

    with pytest.raises(OSError, match="not completed"):
        write()


def test_who_writes_waits_for_an_upload_that_is_slow() -> None:
    go_on, written = threading.Event(), 0
    kept = Kept()

    def put(content: bytes | Iterator[bytes]) -> None:
        assert go_on.wait(WAIT)
        kept.put(content)

    def write() -> None:
        nonlocal written
        with uploading(put, CHUNK) as upload:
            for _ in range(20):
                upload.write(content(CHUNK))
                written += 1

    writer = threading.Thread(target=write, daemon=True)
    writer.start()
    writer.join(0.2)
    assert writer.is_alive()
    assert written <= 2, "more is held than a chunk that is full and one that is being filled"
    go_on.set()
    writer.join(WAIT)
    assert kept.whole == content(CHUNK) * 20
