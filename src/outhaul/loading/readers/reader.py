"""What all readers share: their interface, and the problems that a file can have."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

import polars as pl
import pyarrow as pa

BATCH_RECORDS = 50_000

UNDECODED = "not UTF-8"

Report = Callable[[float], None]
"""Gets the share of a file that has been read, from 0 to 1."""


class Problem(NamedTuple):
    """A problem in a file."""

    line: int
    """The line (in Parquet, the record), from 1 on; 0 if the problem concerns the whole file."""
    reason: str


class FileError(ValueError):
    """A file cannot be loaded. Nothing of it was loaded."""

    def __init__(self, path: Path, problems: list[Problem], more: int = 0) -> None:
        lines = [
            f"{path}:{problem.line}: {problem.reason}"
            if problem.line
            else f"{path}: {problem.reason}"
            for problem in problems
        ]
        if more:
            lines.append(f"{path}: and {more} more")
        super().__init__("\n".join(lines))
        self.path = path
        self.problems = problems
        self.more = more


class Reader(Protocol):
    """Reads a file of records."""

    path: Path

    def batches(self, report: Report) -> Iterator[pl.DataFrame]:
        """Yield the records in order, in batches. Raises `FileError` for a damaged file."""
        ...

    def line_of(self, record: int) -> int:
        """Return the line on which a record begins. Records count from 0, lines from 1.

        Calls must be in the order of the file.
        """
        ...


def is_undecoded(cell: str) -> bool:
    """Return whether a text, decoded with `surrogateescape`, has bytes that are not UTF-8."""
    return any("\udc80" <= mark <= "\udcff" for mark in cell)


def problem_of_names(names: Sequence[str]) -> str | None:
    """Return the problem with the names of the columns of a file, or `None`."""
    for n, name in enumerate(names):
        if not name:
            return f"column {n + 1} has no name"
        if is_undecoded(name):
            return UNDECODED
        if name in names[:n]:
            return f"column {name!r} is there twice"
    return None


def frame_of(table: pa.Table) -> pl.DataFrame:
    """Return the records of a table of Arrow."""
    frame = pl.from_arrow(table)
    assert isinstance(frame, pl.DataFrame)  # noqa: S101 - a table becomes a frame
    return frame
