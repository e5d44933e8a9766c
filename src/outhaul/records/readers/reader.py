"""What all readers share: their interface, and the problems that a file can have."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

import polars as pl
import pyarrow as pa

BATCH_RECORDS = 50_000
"""The most records of a batch."""
BATCH_BYTES = 16 * 2**20
"""Bytes of a file that are read at a time. A longer record is a batch of its own."""

UNDECODED = "not UTF-8; convert the file first"

Report = Callable[[float], None]
"""Gets the share of a file that has been read, from 0 to 1."""


class Problem(NamedTuple):
    """A problem in a file."""

    line: int
    """The line (in Parquet, the record), from 1 on; 0 if the problem concerns the whole file."""
    reason: str


class FileError(ValueError):
    """A file cannot be read as records, or a value does not have the type of its column."""

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

    @property
    def names(self) -> Sequence[str]:
        """The columns, in the order of the file. All are there when all batches were read."""

    def batches(self, report: Report) -> Iterator[pl.DataFrame]:
        """Yield the records in order, in batches. Raises `FileError` for a damaged file."""
        ...

    def line_of(self, record: int) -> int:
        """Return the line on which a record of the latest batch begins.

        Records count from 0, in the whole file, and lines from 1. Calls must be in order.
        """
        ...


def frame_of(table: pa.Table) -> pl.DataFrame:
    """Return the records of a table of Arrow."""
    frame = pl.from_arrow(table)
    assert isinstance(frame, pl.DataFrame)  # noqa: S101 - a table becomes a frame
    return frame
