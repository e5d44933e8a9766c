"""Reading files of records in batches: CSV as a live instance exports it, JSON Lines, Parquet.

Text stays text here, and keeps what it was: a bare `null` and an empty cell are null, the quoted
text "null" and a quoted empty cell are what they say. Values get their types in `fit`.
"""

import csv
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple, Protocol

import msgspec
import polars as pl
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pa_parquet

BATCH_RECORDS = 50_000
BATCH_BYTES = 16 * 2**20
"""Read at a time of a CSV file: also the longest record that it may have."""

DELIMITERS = {".csv": ",", ".tsv": "\t", ".ssv": " "}
JSON_LINES = (".jsonl", ".ndjson")
PARQUET = ".parquet"

Report = Callable[[float], None]
"""Is told how much of a file has been read, from 0 to 1."""


class Misfit(NamedTuple):
    """Something in a file that does not fit: its line (or record, in Parquet) and the reason."""

    line: int
    reason: str


class FileError(ValueError):
    """A file cannot be loaded; nothing of it was."""

    def __init__(self, path: Path, misfits: list[Misfit], more: int = 0) -> None:
        lines = [f"{path}:{misfit.line}: {misfit.reason}" for misfit in misfits]
        if more:
            lines.append(f"{path}: and {more} more")
        super().__init__("\n".join(lines))
        self.path = path
        self.misfits = misfits
        self.more = more


class Reader(Protocol):
    """A file of records."""

    path: Path

    def batches(self, report: Report) -> Iterator[pl.DataFrame]:
        """Give the records in order, some at a time. Raises `FileError` for a broken file."""
        ...

    def line_of(self, record: int) -> int:
        """Return the line on which a record begins; records are counted from 0, lines from 1."""
        ...


def open_reader(path: Path) -> Reader:
    """Return a reader for a file, by the ending of its name. Raises `FileError`."""
    if not path.is_file():
        raise FileError(path, [Misfit(0, "no such file")])
    suffix = path.suffix.lower()
    if suffix in DELIMITERS:
        return CsvReader(path, DELIMITERS[suffix])
    if suffix in JSON_LINES:
        return JsonLinesReader(path)
    if suffix == PARQUET:
        return ParquetReader(path)
    endings = ", ".join([*DELIMITERS, *JSON_LINES, PARQUET])
    raise FileError(
        path, [Misfit(0, f"cannot tell what it is: its name ends in none of {endings}")]
    )


class CsvReader:
    """A file of delimited text with a header line."""

    def __init__(self, path: Path, delimiter: str) -> None:
        self.path = path
        self._delimiter = delimiter

    def batches(self, report: Report) -> Iterator[pl.DataFrame]:
        """Give the records in order, all columns as text."""
        names = self._header()
        size = self.path.stat().st_size
        with self.path.open("rb") as source:
            try:
                reader = pa_csv.open_csv(
                    source,
                    read_options=pa_csv.ReadOptions(block_size=BATCH_BYTES, use_threads=False),
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
                for batch in reader:
                    report(source.tell() / size)
                    yield _frame(pa.Table.from_batches([batch]))
            except pa.ArrowInvalid as error:
                raise FileError(self.path, [self._broken(str(error), len(names))]) from error

    def line_of(self, record: int) -> int:
        """Return the line on which a record begins."""
        for number, (line, _) in enumerate(self._rows()):
            if number == record + 1:
                return line
        return 0

    def _header(self) -> list[str]:
        names = next((cells for _, cells in self._rows()), None)
        if not names:
            raise FileError(self.path, [Misfit(1, "there is no header line")])
        for n, name in enumerate(names):
            if name in names[:n]:
                raise FileError(self.path, [Misfit(1, f"column {name!r} is there twice")])
        return names

    def _broken(self, message: str, width: int) -> Misfit:
        """Return where the file is broken; the fast reader does not say it."""
        for line, cells in self._rows():
            if len(cells) != width:
                return Misfit(line, f"{len(cells)} cells, where the header has {width}")
            if any("\udc80" <= mark <= "\udcff" for cell in cells for mark in cell):
                return Misfit(line, "not UTF-8")
        return Misfit(0, message)

    def _rows(self) -> Iterator[tuple[int, list[str]]]:
        """Give the line that each row begins on, and its cells; slow."""
        before = csv.field_size_limit(BATCH_BYTES)
        try:
            with self.path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as text:
                rows = csv.reader(text, delimiter=self._delimiter)
                line = 1
                for cells in rows:
                    if cells:  # an empty line is no record
                        yield line, cells
                    line = rows.line_num + 1
        finally:
            csv.field_size_limit(before)


class JsonLinesReader:
    """A file of JSON objects, one a line. What a line does not name is null there."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._decoder = msgspec.json.Decoder(dict[str, msgspec.Raw])
        self._text = msgspec.json.Decoder(str)
        self._lines: list[tuple[int, int]] = []

    def batches(self, report: Report) -> Iterator[pl.DataFrame]:
        """Give the records in order, all values as text; objects and numbers as they are written.

        Raises `FileError` for lines that are not JSON objects.
        """
        size = self.path.stat().st_size
        self._lines = []
        records: list[dict[str, str | None]] = []
        first = 0
        with self.path.open("rb") as source:
            for line, content in enumerate(source, 1):
                if content.isspace():
                    continue
                if not self._lines or self._lines[-1][1] + first + len(records) != line:
                    self._lines.append((first + len(records), line - first - len(records)))
                records.append(self._record(content, line))
                if len(records) >= BATCH_RECORDS:
                    report(source.tell() / size)
                    yield _text_frame(records)
                    first += len(records)
                    records = []
        if records:
            report(1.0)
            yield _text_frame(records)

    def line_of(self, record: int) -> int:
        """Return the line of a record that `batches` has given."""
        shift = max((entry for entry in self._lines if entry[0] <= record), default=(0, 1))[1]
        return record + shift

    def _record(self, content: bytes, line: int) -> dict[str, str | None]:
        try:
            return {
                name: self._value(bytes(raw)) for name, raw in self._decoder.decode(content).items()
            }
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            problem = str(error) or "nested too deeply"
            reason = f"not a JSON object: {problem}"
            raise FileError(self.path, [Misfit(line, reason)]) from error

    def _value(self, raw: bytes) -> str | None:
        if raw == b"null":
            return None
        return self._text.decode(raw) if raw[:1] == b'"' else raw.decode()


class ParquetReader:
    """A Parquet file; its columns keep their types."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def batches(self, report: Report) -> Iterator[pl.DataFrame]:
        """Give the records in order."""
        try:
            with pa_parquet.ParquetFile(self.path) as source:
                total = max(1, source.metadata.num_rows)
                done = 0
                for batch in source.iter_batches(batch_size=BATCH_RECORDS):
                    done += batch.num_rows
                    report(done / total)
                    yield _frame(pa.Table.from_batches([batch]))
        except (pa.ArrowInvalid, OSError) as error:
            raise FileError(self.path, [Misfit(0, f"not a Parquet file: {error}")]) from error

    def line_of(self, record: int) -> int:
        """Return the number of a record, from 1."""
        return record + 1


def _frame(table: pa.Table) -> pl.DataFrame:
    frame = pl.from_arrow(table)
    assert isinstance(frame, pl.DataFrame)  # noqa: S101 - a table becomes a frame
    return frame


def _text_frame(records: list[dict[str, str | None]]) -> pl.DataFrame:
    names = dict.fromkeys(name for record in records for name in record)
    return pl.DataFrame(
        {name: [record.get(name) for record in records] for name in names},
        schema=dict.fromkeys(names, pl.String),
    )
