"""CSV, TSV and SSV files: delimited text, as a live instance exports it.

A bare `null` and an empty cell are null, but the quoted text "null" is a text, and so is a quoted
empty cell. Quotes are read strictly (`quoting.py`).
"""

import csv
import io
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import polars as pl
import pyarrow as pa
import pyarrow.csv as pa_csv

from outhaul.protocol.texts import shortened
from outhaul.records.readers.names import is_undecoded, problem_of_names
from outhaul.records.readers.quoting import UNCLOSED, Flaw, Quoting, Row, read_row
from outhaul.records.readers.reader import (
    BATCH_BYTES,
    UNDECODED,
    FileError,
    Problem,
    Report,
    frame_of,
)
from outhaul.records.readers.sources import BOM, RECORD_BYTES, TOO_LONG, Source, check_text, opened

DELIMITERS = {".csv": ",", ".tsv": "\t", ".ssv": " "}
_SEMICOLON = ";"
"""The other delimiter that an SSV file can have (the limit `ssv_delimiter`)."""

_SEPARATORS = {
    ";": ("semicolons", ".ssv"),
    "\t": ("tabs", ".tsv"),
    "|": ("vertical bars", None),
    ",": ("commas", ".csv"),
    " ": ("spaces", ".ssv"),
}
"""Characters that may separate cells: what they are called, and the end of such a file's name."""

_SHOWN = 60


class _Records(NamedTuple):
    """Some complete records of a file."""

    line: int
    """The line on which the first record begins."""
    content: bytes


class CsvReader:
    """Reads a file of delimited text with a header line. All columns are texts."""

    def __init__(self, path: Path, form: str, batch_bytes: int | None = None) -> None:
        self.path = path
        self._batch_bytes = batch_bytes or BATCH_BYTES
        self.names: list[str] = []
        self._form = form
        self._delimiter = DELIMITERS[form]
        self._walk: Iterator[tuple[int, int]] = iter(())
        self._found = (-1, 0)

    def batches(self, report: Report) -> Iterator[pl.DataFrame]:
        first = 0
        with opened(self.path) as source:
            text = _Text(self.path, source, self._batch_bytes)
            self.names = self._header(text)
            for records in _ahead(text.records(self._delimiter)):
                frame = self._frame(records, self.names)
                lines = (line for line, _ in self._rows(records))
                self._walk = enumerate(lines, first)
                first += frame.height
                report(source.share())
                yield frame

    def line_of(self, record: int) -> int:
        while self._found[0] < record:
            self._found = next(self._walk, (record, 0))
        return self._found[1]

    def _header(self, text: "_Text") -> list[str]:
        """Return the names of the columns."""
        row = text.header(self._delimiter)
        if self._form == ".ssv" and _width(row) == 1:
            other = text.header(_SEMICOLON)
            if _width(other) > 1:
                self._delimiter, row = _SEMICOLON, other
        problem = text.advice(self._form) if _width(row) <= 1 else None
        if isinstance(row, Flaw):
            raise text.refused(problem or row.reason)
        names = [cell.decode(errors="surrogateescape") for cell in row.cells]
        problem = problem or problem_of_names(names)
        if problem:
            raise text.refused(problem)
        text.begin(row)
        return names

    def _frame(self, records: _Records, names: list[str]) -> pl.DataFrame:
        content = records.content
        if content.startswith(BOM):
            # It is text here, but Arrow would skip it. An empty line is no record.
            content = b"\n" + content
        try:
            table = pa_csv.read_csv(
                pa.BufferReader(content),
                read_options=pa_csv.ReadOptions(
                    block_size=len(content) + 1, use_threads=False, column_names=names
                ),
                parse_options=pa_csv.ParseOptions(
                    delimiter=self._delimiter, newlines_in_values=True
                ),
                convert_options=pa_csv.ConvertOptions(
                    column_types=dict.fromkeys(names, pa.string()),
                    null_values=["null", ""],
                    strings_can_be_null=True,
                    quoted_strings_can_be_null=False,
                ),
            )
        except pa.ArrowInvalid as error:
            problem = self._broken(records, str(error), len(names))
            raise FileError(self.path, [problem]) from error
        return frame_of(table)

    def _broken(self, records: _Records, message: str, width: int) -> Problem:
        """Return the problem with its line, which the errors of Arrow do not have."""
        for line, cells in self._rows(records):
            if len(cells) != width:
                return Problem(line, f"{len(cells)} cells, where the header has {width}")
            if any(map(is_undecoded, cells)):
                return Problem(line, UNDECODED)
        return Problem(records.line, message)

    def _rows(self, records: _Records) -> Iterator[tuple[int, list[str]]]:
        """Yield each row with the line on which it begins. This is slow."""
        csv.field_size_limit(2**31 - 1)
        text = io.TextIOWrapper(
            io.BytesIO(records.content), encoding="utf-8", errors="surrogateescape", newline=""
        )
        rows = csv.reader(text, delimiter=self._delimiter)
        line = records.line
        for cells in rows:
            if cells:  # an empty line is not a record
                yield line, cells
            line = records.line + rows.line_num


class _Text:
    """The text of a file, in complete records whose quotes are correct."""

    def __init__(self, path: Path, source: Source, batch_bytes: int) -> None:
        self._path = path
        self._batch_bytes = batch_bytes
        self._source = source
        self._content = b""
        self._line = 1
        self._is_end = False
        self._returns = False
        self._read_more()
        self._is_empty = not self._content
        check_text(path, self._content)
        self._content = self._content.removeprefix(BOM)
        if self._content[:_SHOWN].lstrip()[:1] in (b"{", b"["):
            raise self.refused("is it JSON? The name of a JSON Lines file ends in .jsonl")

    def header(self, delimiter: str) -> Row | Flaw:
        """Return the first row that is not empty, or its flaw."""
        while True:
            content = self._content.lstrip(b"\r\n")
            self._line += _lines(self._content[: len(self._content) - len(content)])
            self._content = content
            if not content and self._is_end:
                problem = "there is no header line"
                if self._is_empty:
                    problem += ": the file is empty"
                raise FileError(self._path, [Problem(1, problem)])
            row = read_row(content, delimiter, is_end=self._is_end) if content else None
            if row is not None:
                return row
            self._read_more()

    def begin(self, header: Row) -> None:
        """Go on to the records after the header."""
        self._returns = header.line_end == b"\r"
        self._line += _lines(self._content[: header.end])
        self._content = self._content[header.end :]

    def records(self, delimiter: str) -> Iterator[_Records]:
        """Yield the records, many at a time. Raises `FileError` for the first flaw."""
        quoting = Quoting(delimiter, returns=self._returns)
        while self._content or not self._is_end:
            if self._is_end and not self._content.endswith(quoting.last):
                self._content += quoting.last
            content = self._take(self._content.rfind(quoting.last) + 1)
            if not quoting.is_strict(content):
                # The last line may end within quotes, or the quotes are wrong.
                self._content = content + self._content
                content = self._take(
                    len(self._content) if self._is_end else quoting.cut(self._content)
                )
                yield from self._right(content, quoting)
            elif content.strip(b"\r\n"):
                yield _Records(self._line, content)
            self._line += _lines(content)
            if not content:
                self._check_beginning(quoting)
            self._read_more()

    def advice(self, form: str) -> str | None:
        """Return what separates the cells of the header, if it is another character."""
        for mark, (name, ending) in _SEPARATORS.items():
            row = read_row(self._content, mark, is_end=True)
            if isinstance(row, Row) and len(row.cells) > 1 and ending != form:
                line = self._content[: row.end].rstrip(b"\r\n").decode(errors="replace")
                rename = f" Its name must then end in {ending}." if ending else ""
                shown = shortened(line, _SHOWN)
                return f"the header is {shown!r}: is it separated by {name}?{rename}"
        return None

    def refused(self, reason: str) -> FileError:
        """Return the error for the line that comes next."""
        return FileError(self._path, [Problem(self._line, reason)])

    def _take(self, end: int) -> bytes:
        """Return the content up to a position, and go on to what follows."""
        content, self._content = self._content[:end], self._content[end:]
        return content

    def _right(self, content: bytes, quoting: Quoting) -> Iterator[_Records]:
        """Yield the records, or those before the first flaw. Raises `FileError` for the flaw."""
        flaw = quoting.flaw(content, is_end=True)
        right = content if flaw is None else content[: flaw.start]
        if right.strip(b"\r\n"):
            yield _Records(self._line, right)
        if flaw is not None:
            self._line += _lines(right)
            raise self.refused(flaw.reason)

    def _check_beginning(self, quoting: Quoting) -> None:
        """Check the quotes of a record of which only the beginning was read."""
        flaw = quoting.flaw(self._content, is_end=False)
        if flaw is not None:
            raise self.refused(flaw.reason)

    def _read_more(self) -> None:
        if len(self._content) > RECORD_BYTES:
            raise self.refused(f"{TOO_LONG}, or {UNCLOSED}")
        # As much again as there is, so that the bytes of a long record are not copied too often.
        size = min(
            max(self._batch_bytes, len(self._content)), RECORD_BYTES + 1 - len(self._content)
        )
        read = self._source.content.read(size)
        self._is_end = len(read) < size
        self._content += read


def _ahead(records: Iterator[_Records]) -> Iterator[_Records]:
    """Yield records while a thread reads and checks those that come next."""
    with ThreadPoolExecutor(1, thread_name_prefix="read-ahead") as reading:
        following = reading.submit(next, records, None)
        while (found := following.result()) is not None:
            following = reading.submit(next, records, None)
            yield found


def _width(row: Row | Flaw) -> int:
    return len(row.cells) if isinstance(row, Row) else 0


def _lines(content: bytes) -> int:
    """Return how many lines end in a text: with LF, CR, or both."""
    returns = content.count(b"\r") - content.count(b"\r\n") if b"\r" in content else 0
    return content.count(b"\n") + returns
