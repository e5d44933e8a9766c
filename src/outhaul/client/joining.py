"""Joining the files of windows into one, as if one job had made it.

Windows of activities follow each other. Other records are merged by their key, and a record that
changed in between, so that two windows have it, comes once: as the later window has it. The bytes
of a record stay as they are. Memory is flat: a block of each file, of a hundred files at most.
"""

import gzip
import heapq
import zlib
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from itertools import count, pairwise
from pathlib import Path

from outhaul.client.cutting import CutError, Records, is_packed, open_plain, separators_of
from outhaul.client.errors import JoinError
from outhaul.client.layout import Key, Layout, Line

_MOST_FILES = 100
_RUN_BYTES = 64 << 20
_PIECE = 256 << 10
_LINE_FEED = b"\n"
_LEVEL = 4
_GZIP_WINDOW = 31
_OTHER_HEADER = "its header is not that of the windows before"


@dataclass(frozen=True, kw_only=True)
class Joined:
    """What was written."""

    size: int
    """Bytes."""
    records: int | None
    """Records, or `None` if they were not counted, because the files follow each other."""
    repeated: int
    """Records that were left out, because a later window has them too."""


def join(
    files: Sequence[Path], layout: Layout, folder: Path, write: Callable[[bytes], object]
) -> Joined:
    """Write the files of windows, from the oldest on, as one file.

    `folder` takes intermediate files, which are removed again. Raises `JoinError`, and `OSError`.
    """
    if len(files) == 1 and layout.added is None:
        return _copy(files[0], write)
    target = _Target(write, packed=is_packed(layout.file_format))
    merging = _Merging(layout, folder) if layout.keys else None
    try:
        if merging is None:
            _follow(files, layout.file_format, target)
        else:
            merging.merge(files, target)
    except CutError as error:
        raise JoinError(str(error)) from error
    target.finish()
    return Joined(
        size=target.size,
        records=None if merging is None else merging.records,
        repeated=0 if merging is None else merging.repeated,
    )


def _copy(path: Path, write: Callable[[bytes], object]) -> Joined:
    """Write a file as it is."""
    size = 0
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            write(piece)
            size += len(piece)
    return Joined(size=size, records=None, repeated=0)


class _Target:
    """Gathers small pieces, and compresses them if need be."""

    def __init__(self, write: Callable[[bytes], object], *, packed: bool) -> None:
        self._write = write
        self._packer = zlib.compressobj(_LEVEL, wbits=_GZIP_WINDOW) if packed else None
        self._waiting: list[bytes] = []
        self._bytes = 0
        self.size = 0

    def append(self, piece: bytes) -> None:
        self._waiting.append(piece)
        self._bytes += len(piece)
        if self._bytes >= _PIECE:
            self._flush()

    def finish(self) -> None:
        self._flush()
        if self._packer is not None:
            self._emit(self._packer.flush())

    def _flush(self) -> None:
        content = b"".join(self._waiting)
        self._waiting, self._bytes = [], 0
        self._emit(content if self._packer is None else self._packer.compress(content))

    def _emit(self, content: bytes) -> None:
        if content:
            self._write(content)
            self.size += len(content)


def _follow(files: Sequence[Path], file_format: str, target: _Target) -> None:
    """Write one file after the other, with the header of the first."""
    header = b""
    ended = True
    for path in files:
        with open_plain(path, file_format) as stream, _named(path):
            records = Records(stream, separators_of(file_format))
            if not header:
                header = records.header
                target.append(header)
            elif records.header not in (b"", header):
                raise CutError(_OTHER_HEADER)
            for number, piece in enumerate(records.remaining()):
                if number == 0 and not ended:
                    target.append(_LINE_FEED)
                target.append(piece)
                ended = piece.endswith(_LINE_FEED)


@dataclass(frozen=True)
class _Run:
    """A file whose records are sorted. Of two files with a key, the one of higher rank counts."""

    path: Path
    rank: int
    file_format: str


class _Source:
    """A run that is being read."""

    def __init__(self, run: _Run, layout: Layout) -> None:
        self.run = run
        self._stream = open_plain(run.path, run.file_format)
        try:
            with _named(run.path):
                records = Records(self._stream, separators_of(run.file_format))
                self.header = records.header
                self.separator = layout.separator(self.header) if self.header else b""
        except BaseException:
            self._stream.close()
            raise
        self._keys_of = layout.keys_of(self.separator)
        self._blocks = records.blocks()
        self.lines: list[Line] = []
        self.keys: list[Key] = []
        self._at = 0

    def close(self) -> None:
        self._stream.close()

    @property
    def key(self) -> Key:
        """The key of the next record."""
        return self.keys[self._at]

    def more(self) -> bool:
        """Return whether there is a next record."""
        return self._at < len(self.lines) or self.read()

    def read(self) -> bool:
        """Read the next block. Return whether there is one."""
        with _named(self.run.path):
            self.lines = next(self._blocks, [])
            self.keys = self._keys_of(self.lines)
        self._at = 0
        return bool(self.lines)

    def below(self, key: Key | None) -> list[Line]:
        """Return the records of this block with a smaller key, or all; go on after them."""
        end = len(self.keys) if key is None else bisect_left(self.keys, key, self._at)
        return self._until(end)

    def same(self, key: Key) -> Iterator[list[Line]]:
        """Yield the records with this key, which are the next ones, also those of later blocks."""
        while self.more() and self.key == key:
            yield self._until(bisect_right(self.keys, key, self._at))

    def _until(self, end: int) -> list[Line]:
        found = self.lines[self._at : end]
        self._at = end
        return found


class _Merging:
    """Merges files by their key. A file that is out of order is sorted first."""

    def __init__(self, layout: Layout, folder: Path) -> None:
        self._layout = layout
        self._folder = folder
        self._plain = layout.file_format.removesuffix(".GZ")
        self._made: list[Path] = []
        self._names = (folder / f"joining-{number}" for number in count())
        self.records = 0
        self.repeated = 0

    def merge(self, files: Sequence[Path], target: _Target) -> None:
        """Merge files, of which the last is the latest."""
        try:
            runs = [
                self._sorted(_Run(path, rank, self._layout.file_format))
                for rank, path in enumerate(files)
            ]
            while len(runs) > _MOST_FILES:
                runs = self._fewer(runs)
            self.records = self._write(runs, target, is_last=True)
        finally:
            for path in self._made:
                path.unlink(missing_ok=True)

    def _sorted(self, run: _Run) -> _Run:
        """Return the run itself if its records are in order, or else one that is sorted."""
        with self._opened([run]) as (source,):
            last: Key = ()
            while source.read():
                if source.keys[0] < last or any(a > b for a, b in pairwise(source.keys)):
                    break
                last = source.keys[-1]
            else:
                return run
        with self._opened([run]) as (source,):
            runs = self._cut_and_sorted(source)
        while len(runs) > 1:
            runs = self._fewer(runs)
        return runs[0]

    def _cut_and_sorted(self, source: _Source) -> list[_Run]:
        """Write the records of a file into sorted files of a bounded size."""
        runs: list[_Run] = []
        held: list[tuple[Key, Line]] = []
        size = 0
        while True:
            has_more = source.read()
            held += zip(source.keys, source.lines, strict=True)
            size += sum(map(len, source.lines))
            if held and (size >= _RUN_BYTES or not has_more):
                held.sort(key=lambda entry: entry[0])
                lines = [line for _, line in held]
                with self._new_run(source.run.rank, runs) as target:
                    target.append(source.header)
                    target.append(_with_ends(lines))
                held, size = [], 0
            if not has_more:
                return runs

    def _fewer(self, runs: Sequence[_Run]) -> list[_Run]:
        """Merge a hundred runs at a time. The order of ranks stays, because they are neighbours."""
        fewer: list[_Run] = []
        for begin in range(0, len(runs), _MOST_FILES):
            some = runs[begin : begin + _MOST_FILES]
            with self._new_run(some[-1].rank, fewer) as target:
                self._write(some, target, is_last=False)
        return fewer

    @contextmanager
    def _new_run(self, rank: int, runs: list[_Run]) -> Iterator[_Target]:
        path = next(self._names)
        self._made.append(path)
        with path.open("wb") as file:
            target = _Target(file.write, packed=False)
            yield target
            target.finish()
        runs.append(_Run(path, rank, self._plain))

    @contextmanager
    def _opened(self, runs: Sequence[_Run]) -> Iterator[list[_Source]]:
        with ExitStack() as stack:
            yield [stack.enter_context(closing(_Source(run, self._layout))) for run in runs]

    def _write(self, runs: Sequence[_Run], target: _Target, *, is_last: bool) -> int:
        """Merge runs. Return how many records were written."""
        with self._opened(runs) as sources:
            header, separator = _common_header(sources)
            cut = self._layout.without_added(separator) if is_last else None
            if header:
                target.append(header if cut is None else cut(header))
            written = 0
            for lines in self._merged(sources):
                target.append(_with_ends(lines if cut is None else list(map(cut, lines))))
                written += len(lines)
            return written

    def _merged(self, sources: Sequence[_Source]) -> Iterator[list[Line]]:
        """Yield the records of sorted sources in order, some at a time."""
        heap = [(source.key, number) for number, source in enumerate(sources) if source.more()]
        heapq.heapify(heap)
        while heap:
            key, number = heapq.heappop(heap)
            at_key = [sources[number]]
            numbers = [number]
            while heap and heap[0][0] == key:
                numbers.append(heapq.heappop(heap)[1])
                at_key.append(sources[numbers[-1]])
            if len(at_key) == 1:
                yield at_key[0].below(heap[0][0] if heap else None)
            else:
                yield from self._latest(at_key, key)
            for each in numbers:
                if sources[each].more():
                    heapq.heappush(heap, (sources[each].key, each))

    def _latest(self, sources: Sequence[_Source], key: Key) -> Iterator[list[Line]]:
        """Yield the records with a key of the latest window. Those of the others are left out."""
        latest = max(source.run.rank for source in sources)
        for source in sources:
            for lines in source.same(key):
                if source.run.rank == latest:
                    yield lines
                else:
                    self.repeated += len(lines)


def _common_header(sources: Sequence[_Source]) -> tuple[bytes, bytes]:
    """Return the header of all files, and their separator. Raises `JoinError` if they differ."""
    header, separator = b"", b""
    for source in sources:
        if not header:
            header, separator = source.header, source.separator
        elif source.header not in (b"", header):
            raise JoinError(f"{source.run.path}: {_OTHER_HEADER}")
    return header, separator


def _with_ends(lines: Sequence[Line]) -> bytes:
    return _LINE_FEED.join((*lines, b"")) if lines else b""


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """Raise `JoinError` with the name of the file if its bytes are not those of its format."""
    try:
        yield
    except (CutError, EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise JoinError(f"{path}: {error}") from error
