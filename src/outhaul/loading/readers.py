"""Readers of files of records: CSV as a live instance exports it, JSON Lines, Parquet.

A reader does not convert texts; `fit` does. In CSV, a bare `null` and an empty cell are null, but
the quoted text "null" is a text, and so is a quoted empty cell.
"""

import csv
import io
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

import msgspec
import polars as pl
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pa_parquet

BATCH_RECORDS = 50_000
BATCH_BYTES = 16 * 2**20
"""Bytes of a CSV file that are read at a time. A record can be twice as long at most."""

DELIMITERS = {".csv": ",", ".tsv": "\t", ".ssv": " "}
JSON_LINES = (".jsonl", ".ndjson")
PARQUET = ".parquet"

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


def open_reader(path: Path) -> Reader:
    """Return a reader for a file, by the extension of its name. Raises `FileError`."""
    if not path.is_file():
        raise FileError(path, [Problem(0, "no such file")])
    suffix = path.suffix.lower()
    if suffix in DELIMITERS:
        return CsvReader(path, DELIMITERS[suffix])
    if suffix in JSON_LINES:
        return JsonLinesReader(path)
    if suffix == PARQUET:
        return ParquetReader(path)
    endings = ", ".join([*DELIMITERS, *JSON_LINES, PARQUET])
    raise FileError(
        path, [Problem(0, f"cannot tell what it is: its name ends in none of {endings}")]
    )


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
                    last = _frame(pa.Table.from_batches([batch]))
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
        problem = _problem(names) if names else "there is no header line"
        if problem:
            raise FileError(self.path, [Problem(line, problem)])
        return names

    def _broken(self, message: str, width: int) -> Problem:
        """Return the problem with its line, which the errors of Arrow do not have."""
        for line, cells in self._rows():
            if len(cells) != width:
                return Problem(line, f"{len(cells)} cells, where the header has {width}")
            if any(map(_is_undecoded, cells)):
                return Problem(line, _UNDECODED)
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


class JsonLinesReader:
    """Reads a file of JSON objects, one a line. A column that a line does not have is null."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._decoder = msgspec.json.Decoder(dict[str, msgspec.Raw])
        self._text = msgspec.json.Decoder(str)
        self._lines: list[tuple[int, int]] = []

    def batches(self, report: Report) -> Iterator[pl.DataFrame]:
        """Yield the records in order. All values are texts; objects and numbers are not parsed.

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
        """Return the line of a record that `batches` has returned."""
        shift = max((entry for entry in self._lines if entry[0] <= record), default=(0, 1))[1]
        return record + shift

    def _record(self, content: bytes, line: int) -> dict[str, str | None]:
        try:
            return {
                name: self._value(bytes(raw)) for name, raw in self._decoder.decode(content).items()
            }
        except UnicodeDecodeError as error:
            raise FileError(self.path, [Problem(line, _UNDECODED)]) from error
        except RecursionError as error:
            raise FileError(self.path, [Problem(line, "nested too deeply")]) from error
        except msgspec.DecodeError as error:
            reason = f"not a JSON object: {error}"
            if _HALF_PAIR.search(content):
                reason = "a text holds half a surrogate pair"
            raise FileError(self.path, [Problem(line, reason)]) from error

    def _value(self, raw: bytes) -> str | None:
        if raw == b"null":
            return None
        return self._text.decode(raw) if raw[:1] == b'"' else raw.decode()


class ParquetReader:
    """Reads a Parquet file. The columns have the types of the file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def batches(self, report: Report) -> Iterator[pl.DataFrame]:
        try:
            with pa_parquet.ParquetFile(self.path) as source:
                schema = self._readable(source.schema_arrow)
                total = max(1, source.metadata.num_rows)
                done = 0
                for batch in source.iter_batches(batch_size=BATCH_RECORDS):
                    done += batch.num_rows
                    report(done / total)
                    table = pa.Table.from_batches([batch]).cast(schema)
                    table.validate(full=True)  # detects texts that are not UTF-8
                    yield _frame(table)
        except (pa.ArrowException, OSError) as error:
            raise FileError(self.path, [Problem(0, f"not a Parquet file: {error}")]) from error

    def line_of(self, record: int) -> int:
        """Return the number of a record, from 1 on."""
        return record + 1

    def _readable(self, schema: pa.Schema) -> pa.Schema:
        """Return the types to read a file with: dictionaries become plain values."""
        problem = _problem(schema.names)
        if problem:
            raise FileError(self.path, [Problem(0, problem)])
        fields = []
        for field in schema:
            of = field.type.value_type if pa.types.is_dictionary(field.type) else field.type
            if not any(is_type(of) for is_type in _PARQUET_TYPES):
                problem = f"column {field.name!r} is of type {field.type}, which cannot be loaded"
                raise FileError(self.path, [Problem(0, problem)])
            fields.append(pa.field(field.name, of))
        return pa.schema(fields)


_PARQUET_TYPES = (
    pa.types.is_string,
    pa.types.is_large_string,
    pa.types.is_string_view,
    pa.types.is_boolean,
    pa.types.is_integer,
    pa.types.is_floating,
    pa.types.is_decimal128,
    pa.types.is_date,
    pa.types.is_timestamp,
    pa.types.is_null,
)

_END = "end"
_UNCLOSED = "a quote that is never closed"
_UNDECODED = "not UTF-8"
_NO_ROW = "CSV parse error: Empty CSV file or block"

# Half of a surrogate pair, which JSON can contain and UTF-8 cannot.
_HALF_PAIR = re.compile(
    rb"\\u[dD][89abAB]..(?!\\u[dD][c-fC-F])|(?<!\\u[dD][89abAB]..)\\u[dD][c-fC-F]", re.DOTALL
)


def _is_undecoded(cell: str) -> bool:
    return any("\udc80" <= mark <= "\udcff" for mark in cell)


def _problem(names: Sequence[str]) -> str | None:
    """Return the problem with the names of the columns of a file, or `None`."""
    for n, name in enumerate(names):
        if not name:
            return f"column {n + 1} has no name"
        if _is_undecoded(name):
            return _UNDECODED
        if name in names[:n]:
            return f"column {name!r} is there twice"
    return None


def _frame(table: pa.Table) -> pl.DataFrame:
    frame = pl.from_arrow(table)
    assert isinstance(frame, pl.DataFrame)  # noqa: S101 - a table becomes a frame
    return frame


def _text_frame(records: list[dict[str, str | None]]) -> pl.DataFrame:
    names = dict.fromkeys(name for record in records for name in record)
    if not names:
        return pl.DataFrame(height=len(records))
    return pl.DataFrame(
        {name: [record.get(name) for record in records] for name in names},
        schema=dict.fromkeys(names, pl.String),
    )
