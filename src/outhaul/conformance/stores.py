"""The suite that every store of export files passes, built in or not.

A test module derives a class from `StoreSuite`, and pytest collects it:

    class TestMine(StoreSuite):
        @pytest.fixture(scope="class")
        @classmethod
        def opens(cls) -> Callable[[], Open]:
            def new() -> Open:
                folder = make_empty_storage()
                return lambda: MyStore(folder)

            return new

It needs pytest and hypothesis.
"""

import asyncio
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from outhaul.protocol.dialects import MEDIA_TYPE
from outhaul.protocol.ranges import ByteRange
from outhaul.storage.ahead import RANGE_BYTES
from outhaul.storage.bucket import PART_CHUNK_BYTES
from outhaul.storage.store import FileStore

Open = Callable[[], FileStore]
"""Returns a new object for one store at each call. All of them see the same parts."""

SIZES = [0, 1, 1_000, PART_CHUNK_BYTES - 1, PART_CHUNK_BYTES, 2 * PART_CHUNK_BYTES + 3]


def put(files: FileStore, key: str, content: bytes = b"content", *, cached: bool = False) -> None:
    """Write a part."""
    with files.writer(key, media_type=MEDIA_TYPE, cached=cached) as target:
        for first in range(0, len(content), 300_000):
            piece = content[first : first + 300_000]
            assert target.write(piece) == len(piece)


def listed(files: FileStore) -> list[str]:
    """Return the keys of all parts."""
    return sorted(stored.key for stored in files.list())


def streamed(files: FileStore, parts: Sequence[tuple[str, int]], wanted: ByteRange) -> bytes:
    """Return some bytes of a file, as a download reads them."""

    async def collect() -> bytes:
        async with aclosing(files.stream(parts, wanted)) as content:
            return b"".join([piece async for piece in content])

    return asyncio.run(collect())


@dataclass(frozen=True)
class Example:
    """A file of parts: some are empty, some are longer than what is read at a time."""

    files: FileStore
    parts: list[tuple[str, int]]
    content: bytes = field(repr=False)


class StoreSuite:
    """The tests. A subclass gives `opens`; no name of a test may be changed or left out."""

    @pytest.fixture(scope="class")
    @classmethod
    def opens(cls) -> Iterator[Callable[[], Open]]:
        """Return a function that creates an empty store, and returns a function that opens it."""
        raise NotImplementedError

    @pytest.fixture
    def reopen(self, opens: Callable[[], Open]) -> Open:
        """Return a function that opens one new store. It can be called several times."""
        return opens()

    @pytest.fixture
    def files(self, reopen: Open) -> FileStore:
        return reopen()

    @pytest.mark.parametrize("cached", [False, True])
    @pytest.mark.parametrize("size", SIZES)
    def test_a_part_comes_back_as_it_was_written(
        self, reopen: Open, size: int, cached: bool
    ) -> None:
        content = os.urandom(size)
        files = reopen()
        put(files, "job/a/000000", content, cached=cached)
        for store in (files, reopen()):
            assert b"".join(store.read_back("job/a/000000", size)) == content
            assert streamed(store, [("job/a/000000", size)], ByteRange(0, size)) == content
            if size:
                assert store.read("job/a/000000", 0, size) == content
                assert store.read("job/a/000000", size // 2, 1) == content[size // 2 :][:1]
        assert listed(files) == ["job/a/000000"]

    @pytest.mark.parametrize("cached", [False, True])
    @pytest.mark.parametrize("size", [0, 10, 3 * PART_CHUNK_BYTES])
    def test_a_part_that_is_left_by_an_exception_leaves_nothing_behind(
        self,
        files: FileStore,
        size: int,
        cached: bool,
    ) -> None:
        def write() -> None:
            with files.writer("job/a/000000", media_type=MEDIA_TYPE, cached=cached) as target:
                for first in range(0, size, 2**20):
                    target.write(bytes(min(2**20, size - first)))
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            write()
        with pytest.raises(FileNotFoundError):
            files.read("job/a/000000", 0, 1)
        assert listed(files) == []

    def test_a_part_cannot_be_read_before_it_is_whole(self, reopen: Open) -> None:
        files = reopen()
        with files.writer("job/a/000000", media_type=MEDIA_TYPE, cached=True) as target:
            for _ in range(4):
                target.write(bytes(PART_CHUNK_BYTES))
            for store in (files, reopen()):
                with pytest.raises(FileNotFoundError):
                    store.read("job/a/000000", 0, 1)
                with pytest.raises(FileNotFoundError):
                    streamed(store, [("job/a/000000", 1)], ByteRange(0, 1))
        assert reopen().read("job/a/000000", 0, 1) == b"\0"

    def test_parts_are_written_at_a_time(self, files: FileStore) -> None:
        contents = {f"job/a/{n:06}": os.urandom(PART_CHUNK_BYTES + n) for n in range(3)}
        threads = [
            threading.Thread(target=put, args=item, kwargs={"cached": True}, daemon=True)
            for item in [(files, key, content) for key, content in contents.items()]
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for key, content in contents.items():
            assert b"".join(files.read_back(key, len(content))) == content

    @pytest.mark.parametrize(
        ("prefix", "but", "stays"),
        [
            ("1/a", [], ["1/ab/0", "1/b/0", "10/a/0", "2/a/0"]),
            ("1", [], ["10/a/0", "2/a/0"]),
            ("3", [], ["1/a/0", "1/a/1", "1/ab/0", "1/b/0", "10/a/0", "2/a/0"]),
            ("1/c", [], ["1/a/0", "1/a/1", "1/ab/0", "1/b/0", "10/a/0", "2/a/0"]),
            ("1", ["1/a/0", "1/b/0"], ["1/a/0", "1/b/0", "10/a/0", "2/a/0"]),
            ("1/a", ["1/a/1"], ["1/a/1", "1/ab/0", "1/b/0", "10/a/0", "2/a/0"]),
            ("1", ["1/c/0", "2/a/0"], ["10/a/0", "2/a/0"]),
        ],
    )
    def test_what_is_deleted_and_what_stays(
        self, files: FileStore, prefix: str, but: list[str], stays: list[str]
    ) -> None:
        for key in ("1/a/0", "1/a/1", "1/ab/0", "1/b/0", "10/a/0", "2/a/0"):
            put(files, key, cached=key == "1/a/0")
        files.delete(prefix, but=but)
        assert listed(files) == stays
        if "1/a/0" not in stays:
            with pytest.raises(FileNotFoundError):
                list(files.read_back("1/a/0", 7))

    def test_what_is_listed_says_when_it_was_written(self, files: FileStore) -> None:
        put(files, "job/a/000000")
        (stored,) = files.list()
        assert abs(datetime.now(UTC) - stored.modified) < timedelta(minutes=5)

    def test_what_is_missing_raises(self, files: FileStore) -> None:
        with pytest.raises(FileNotFoundError):
            files.read("job/a/000000", 0, 10)
        with pytest.raises(FileNotFoundError):
            list(files.read_back("job/a/000000", 10))
        put(files, "job/a/000000")
        with pytest.raises(FileNotFoundError):
            streamed(files, [("job/a/000000", 7), ("job/a/000001", 7)], ByteRange(0, 14))

    @pytest.mark.parametrize("first", [0, 3, 7, 20])
    def test_a_part_that_is_shorter_than_it_was_raises(self, files: FileStore, first: int) -> None:
        put(files, "job/a/000000")
        with pytest.raises(OSError, match=r"shorter|range|Range"):
            files.read("job/a/000000", first, 8)
        with pytest.raises(OSError, match=r"shorter|range|Range"):
            streamed(files, [("job/a/000000", 30)], ByteRange(first, 30))
        with pytest.raises(OSError, match=r"shorter|range|Range"):
            list(files.read_back("job/a/000000", 8))

    def test_check_accepts_a_store_that_answers(self, files: FileStore) -> None:
        files.check()
        put(files, "job/a/000000")
        files.check()

    def test_a_stream_may_be_left_early(self, files: FileStore) -> None:
        content = os.urandom(8 * RANGE_BYTES)
        put(files, "job/a/000000", content)

        async def leave() -> int:
            async with aclosing(
                files.stream([("job/a/000000", len(content))], ByteRange(5, 6))
            ) as one:
                assert await anext(one) == content[5:6]
            whole = files.stream([("job/a/000000", len(content))], ByteRange(0, len(content)))
            async with aclosing(whole):
                first = await anext(whole)
            assert content.startswith(first)
            return len(asyncio.all_tasks())

        assert asyncio.run(leave()) == 1, "nothing is read any more"

    @pytest.fixture(scope="class")
    @classmethod
    def example(cls, opens: Callable[[], Open]) -> Example:
        files = opens()()
        sizes = [
            3,
            0,
            1,
            RANGE_BYTES - 1,
            RANGE_BYTES,
            0,
            2 * RANGE_BYTES + 1,
            100,
            7,
            5 * RANGE_BYTES,
        ]
        contents = [os.urandom(size) for size in sizes]
        parts = [(f"job/a/{n:06}", size) for n, size in enumerate(sizes)]
        for (key, _), content in zip(parts, contents, strict=True):
            put(files, key, content)
        return Example(files, parts, b"".join(contents))

    @given(st.data())
    @settings(deadline=None, suppress_health_check=[HealthCheck.differing_executors])
    def test_any_range_across_parts_is_the_slice_of_the_whole(
        self, example: Example, data: st.DataObject
    ) -> None:
        borders = [
            sum(size for _, size in example.parts[:n]) for n in range(len(example.parts) + 1)
        ]
        size = len(example.content)
        position = st.integers(0, size) | st.sampled_from(borders)
        near = st.builds(lambda at, by: min(size, max(0, at + by)), position, st.integers(-2, 2))
        first, end = sorted((data.draw(near), data.draw(near)))
        wanted = ByteRange(first, end)
        assert streamed(example.files, example.parts, wanted) == example.content[first:end]
