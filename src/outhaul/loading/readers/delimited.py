"""CSV, TSV and SSV files: delimited text, as a live instance exports it.

A bare `null` and an empty cell are null, but the quoted text "null" is a text, and so is a quoted
empty cell.
"""

import csv
import io
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.csv as pa_csv

from outhaul.loading.readers.reader import (
    UNDECODED,
    FileError,
    Problem,
    Report,
    frame_of,
    is_undecoded,
    problem_of_names,
)

BATCH_BYTES = 16 * 2**20
"""Bytes of a file that are read at a time. A record can be twice as long at most."""

_END = "end"
_UNCLOSED = "a quote that is never closed"
_NO_ROW = "CSV parse error: Empty CSV file or block"


class CsvReader:
    """Reads a file of delimited text with a header line. All columns are texts."""

    def __init__(self, path: Path, delimiter: str) -> None:
        self.path = path
        self._delimiter = delimiter
        self._walk = enumerate((line for line, _ in self._rows()), -1)
        self._found = (-1, 0)

    def batches(self, report: Report) -> Iterator[pl.DataFrame]:
        names = self._header()
        size = self.path.stat().st_size
        # If a file was truncated in a quoted cell, the reader of Arrow takes the rest of the file
        # for that cell, without an error. So an extra row is appended, which must be the last.
        end = f"\n{_END}{self._delimiter * (len(names) - 1)}\n".encode()
        records = 0
        last: pl.DataFrame | None = None
        with self.path.open("rb") as source:
            try:
                for batch in self._read(_Followed(source, end), names):
                    report(source.tell() / size)
                    if last is not None:
                        records += last.height
                        yield last
                    last = frame_of(pa.Table.from_batches([batch]))
            except pa.ArrowInvalid as error:
                raise FileError(self.path, [self._broken(str(error), len(names))]) from error
        if last is None or last.row(-1) != (_END, *[None] * (len(names) - 1)):
            records += 0 if last is None else last.height - 1
            raise FileError(self.path, [Problem(self.line_of(records), _UNCLOSED)])
        if last.height > 1:
            yield last.head(-1)

    def line_of(self, record: int) -> int:
        while self._found[0] < record:
            self._found = next(self._walk, (record, 0))
        return self._found[1]

    def _read(self, source: "_Followed", names: list[str]) -> pa_csv.CSVStreamingReader:
        return pa_csv.open_csv(
            pa.PythonFile(source, mode="r"),
            read_options=pa_csv.ReadOptions(block_size=BATCH_BYTES, use_threads=False),
            parse_options=pa_csv.ParseOptions(delimiter=self._delimiter, newlines_in_values=True),
            convert_options=pa_csv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()),
                null_values=["null", ""],
                strings_can_be_null=True,
                quoted_strings_can_be_null=False,
            ),
        )

    def _header(self) -> list[str]:
        line, names = next(self._rows(), (1, []))
        problem = problem_of_names(names) if names else "there is no header line"
        if problem:
            raise FileError(self.path, [Problem(line, problem)])
        return names

    def _broken(self, message: str, width: int) -> Problem:
        """Return the problem with its line, which the errors of Arrow do not have."""
        for line, cells in self._rows():
            if len(cells) != width:
                return Problem(line, f"{len(cells)} cells, where the header has {width}")
            if any(map(is_undecoded, cells)):
                return Problem(line, UNDECODED)
            if sum(map(len, cells)) > BATCH_BYTES:
                return Problem(line, f"a record longer than {BATCH_BYTES} bytes, or {_UNCLOSED}")
        if message.startswith(_NO_ROW):
            # The quote is in the header, which then includes the rest of the file.
            return Problem(1, _UNCLOSED)
        return Problem(0, message)

    def _rows(self) -> Iterator[tuple[int, list[str]]]:
        """Yield each row with the line on which it begins. This is slow."""
        csv.field_size_limit(2**31 - 1)
        with self.path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as text:
            rows = csv.reader(text, delimiter=self._delimiter)
            line = 1
            for cells in rows:
                if cells:  # an empty line is not a record
                    yield line, cells
                line = rows.line_num + 1


class _Followed(io.RawIOBase):
    """A file with bytes appended after its end."""

    def __init__(self, source: io.BufferedReader, end: bytes) -> None:
        self._source = source
        self._end = end

    def readable(self) -> bool:
        return True

    def read(self, size: int) -> bytes:  # type: ignore[override]  # Arrow always gives the size
        content = self._source.read(size)
        missing = size - len(content)
        rest, self._end = self._end[:missing], self._end[missing:]
        return content + rest
