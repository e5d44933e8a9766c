"""Reading files of records in batches: CSV as a live instance exports it, JSON Lines, Parquet.

Text stays text here, and keeps what it was: a bare `null` and an empty cell are null, the quoted
text "null" and a quoted empty cell are what they say. Values get their types in `fit`.
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
"""Read at a time of a CSV file; no record may be longer than twice that."""

DELIMITERS = {".csv": ",", ".tsv": "\t", ".ssv": " "}
JSON_LINES = (".jsonl", ".ndjson")
PARQUET = ".parquet"

Report = Callable[[float], None]
"""Is told how much of a file has been read, from 0 to 1."""


class Misfit(NamedTuple):
    """Something in a file that does not fit: its line (or record, in Parquet) and the reason.

    The line is 0 where it is about the whole file.
    """

    line: int
    reason: str


class FileError(ValueError):
    """A file cannot be loaded; nothing of it was."""

    def __init__(self, path: Path, misfits: list[Misfit], more: int = 0) -> None:
        lines = [
            f"{path}:{misfit.line}: {misfit.reason}" if misfit.line else f"{path}: {misfit.reason}"
            for misfit in misfits
        ]
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
        """Return the line on which a record begins; records are counted from 0, lines from 1.

        It is asked in the order of the file.
        """
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
        self._walk = enumerate((line for line, _ in self._rows()), -1)
        self._found = (-1, 0)

    def batches(self, report: Report) -> Iterator[pl.DataFrame]:
        """Give the records in order, all columns as text."""
        names = self._header()
        size = self.path.stat().st_size
        # The fast reader takes the end of the file for the end of a quoted cell, so that a file
        # that was cut off there would lose records: a row of our own must come out last.
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
            raise FileError(self.path, [Misfit(self.line_of(records), _UNCLOSED)])
        if last.height > 1:
            yield last.head(-1)

    def line_of(self, record: int) -> int:
        """Return the line on which a record begins."""
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
            raise FileError(self.path, [Misfit(line, problem)])
        return names

    def _broken(self, message: str, width: int) -> Misfit:
        """Return where the file is broken; the fast reader does not say it."""
        for line, cells in self._rows():
            if len(cells) != width:
                return Misfit(line, f"{len(cells)} cells, where the header has {width}")
            if any(map(_is_undecoded, cells)):
                return Misfit(line, _UNDECODED)
            if sum(map(len, cells)) > BATCH_BYTES:
                return Misfit(line, f"a record longer than {BATCH_BYTES} bytes, or {_UNCLOSED}")
        if message.startswith(_NO_ROW):
            return Misfit(1, _UNCLOSED)  # in the header, which took all the rest
        return Misfit(0, message)

    def _rows(self) -> Iterator[tuple[int, list[str]]]:
        """Give the line that each row begins on, and its cells; slow."""
        csv.field_size_limit(2**31 - 1)
        with self.path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as text:
            rows = csv.reader(text, delimiter=self._delimiter)
            line = 1
            for cells in rows:
                if cells:  # an empty line is no record
                    yield line, cells
                line = rows.line_num + 1


class _Followed(io.RawIOBase):
    """A file, and what is to follow after its end."""

    def __init__(self, source: io.BufferedReader, end: bytes) -> None:
        self._source = source
        self._end = end

    def readable(self) -> bool:
        return True

    def read(self, size: int) -> bytes:  # type: ignore[override]  # Arrow always says how much
        content = self._source.read(size)
        missing = size - len(content)
        rest, self._end = self._end[:missing], self._end[missing:]
        return content + rest


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
        except UnicodeDecodeError as error:
            raise FileError(self.path, [Misfit(line, _UNDECODED)]) from error
        except RecursionError as error:
            raise FileError(self.path, [Misfit(line, "nested too deeply")]) from error
        except msgspec.DecodeError as error:
            reason = f"not a JSON object: {error}"
            if _HALF_PAIR.search(content):
                reason = "a text holds half a surrogate pair"
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
                schema = self._readable(source.schema_arrow)
                total = max(1, source.metadata.num_rows)
                done = 0
                for batch in source.iter_batches(batch_size=BATCH_RECORDS):
                    done += batch.num_rows
                    report(done / total)
                    table = pa.Table.from_batches([batch]).cast(schema)
                    table.validate(full=True)  # or text that is not UTF-8 would pass
                    yield _frame(table)
        except (pa.ArrowException, OSError) as error:
            raise FileError(self.path, [Misfit(0, f"not a Parquet file: {error}")]) from error

    def line_of(self, record: int) -> int:
        """Return the number of a record, from 1."""
        return record + 1

    def _readable(self, schema: pa.Schema) -> pa.Schema:
        """Return the types to read a file in: text is text, however it was encoded."""
        problem = _problem(schema.names)
        if problem:
            raise FileError(self.path, [Misfit(0, problem)])
        fields = []
        for field in schema:
            of = field.type.value_type if pa.types.is_dictionary(field.type) else field.type
            if not any(fits(of) for fits in _PARQUET_TYPES):
                problem = f"column {field.name!r} is of type {field.type}, which cannot be loaded"
                raise FileError(self.path, [Misfit(0, problem)])
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

# One half without the other: no text has it, though JSON can spell it.
_HALF_PAIR = re.compile(
    rb"\\u[dD][89abAB]..(?!\\u[dD][c-fC-F])|(?<!\\u[dD][89abAB]..)\\u[dD][c-fC-F]", re.DOTALL
)


def _is_undecoded(cell: str) -> bool:
    return any("\udc80" <= mark <= "\udcff" for mark in cell)


def _problem(names: Sequence[str]) -> str | None:
    """Return what is wrong with the names of a file's columns, if anything."""
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
