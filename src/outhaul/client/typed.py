"""Typed Arrow batches of an export file.

This module needs Polars and Arrow, which take a while to import: `outhaul.client` imports it only
when one of its names is used.
"""

import shutil
import tempfile
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Literal

import polars as pl
import pyarrow as pa

from outhaul.records.columns import Column, column_type
from outhaul.records.conversions import data_type
from outhaul.records.fitting import fit
from outhaul.records.readers import FileError, Problem, open_reader

Misfits = Literal["error", "text"]
"""What is done about a value that does not have the type of its column.

`error`: `MisfitError` names the line, the field and the value. `text`: the column becomes text.
"""

_SHOWN = 20
_BATCH_BYTES = 4 << 20


class MisfitError(FileError):
    """A value does not have the type of its column."""


_ARROW: Mapping[str, pa.DataType] = {
    "boolean": pa.bool_(),
    "integer": pa.int64(),
    "float": pa.float64(),
    "date": pa.date32(),
    "datetime": pa.timestamp("us", tz="UTC"),
    "string": pa.string(),
}


def _quiet(_line: str) -> None:
    pass


def _no_report(_share: float) -> None:
    pass


def arrow_type(described: str) -> pa.DataType:
    """Return the type in Arrow of a field with this `dataType`, by default text."""
    return _ARROW[data_type(column_type(described))]


def arrow_schema(types: Mapping[str, str]) -> pa.Schema:
    """Return the schema of columns with these types."""
    return pa.schema([(name, arrow_type(of)) for name, of in types.items()])


def batches(  # noqa: PLR0913 - the last four have defaults
    source: str | Path | IO[bytes],
    types: Mapping[str, str],
    *,
    file_format: str = "CSV",
    misfits: Misfits = "error",
    notice: Callable[[str], None] = _quiet,
    report: Callable[[float], None] = _no_report,
) -> Iterator[pa.RecordBatch]:
    """Yield the records of an export file, in order. All batches have the same schema.

    `types` has the `dataType` of each column by its name, as `field_types` returns it; a column
    without one is text. The columns are those of the file, in its order. A file with a header and
    no records yields one batch without records; an empty file yields none.

    `file_format` is the format of a stream, as in requests; that of a path is told by the end of
    its name. With `misfits="text"` a file is read twice, and `notice` gets a line of text for each
    column that becomes text. `report` gets the share of the file that was read. Raises
    `MisfitError`, `FileError` for a damaged file, and `OSError`.
    """
    with _path_of(source, file_format) as path, _named(source):
        if not path.stat().st_size:
            return
        if misfits == "text":
            types = {**types, **dict.fromkeys(_misfits(path, types, notice), "string")}
        yield from _typed(path, types, report)


@contextmanager
def _path_of(source: str | Path | IO[bytes], file_format: str) -> Iterator[Path]:
    """Yield the path of a file; a stream is first written to a temporary one."""
    if isinstance(source, str | Path):
        yield Path(source)
        return
    with tempfile.NamedTemporaryFile(suffix=f".{file_format.lower()}") as copy:
        shutil.copyfileobj(source, copy, 1 << 20)
        copy.flush()
        yield Path(copy.name)


@contextmanager
def _named(source: str | Path | IO[bytes]) -> Iterator[None]:
    """Call a stream so in an error, and not by the name of its temporary file."""
    try:
        yield
    except FileError as error:
        if isinstance(source, str | Path):
            raise
        raise type(error)(Path("stream"), error.problems, error.more) from error


def _typed(
    path: Path, types: Mapping[str, str], report: Callable[[float], None]
) -> Iterator[pa.RecordBatch]:
    reader = open_reader(path, _BATCH_BYTES)
    schema: pa.Schema | None = None
    columns: Sequence[Column] = ()
    first = 0
    for batch in reader.batches(report):
        if schema is None:
            columns = _columns(batch.columns, types)
            schema = _schema(columns)
        line = reader.line_of(first)
        fitted, invalid = fit(_complete(batch, columns, path, line), columns)
        if invalid:
            shown = [
                Problem(reader.line_of(first + value.record), value.reason)
                for value in invalid[:_SHOWN]
            ]
            raise MisfitError(path, shown, len(invalid) - len(shown))
        first += batch.height
        yield from _batches(fitted, schema)
    if schema is None and reader.names:
        yield pa.RecordBatch.from_pylist([], _schema(_columns(reader.names, types)))


def _misfits(
    path: Path, types: Mapping[str, str], notice: Callable[[str], None]
) -> Collection[str]:
    """Return the columns of a file that have a value which is not of their type."""
    reader = open_reader(path, _BATCH_BYTES)
    found: list[str] = []
    first = 0
    for batch in reader.batches(_no_report):
        for column in _columns(batch.columns, types):
            if column.name in found or column.type == pl.String:
                continue
            _, invalid = fit(batch.select(column.name), [column])
            if invalid:
                found.append(column.name)
                at = reader.line_of(first + invalid[0].record)
                notice(f"{column.name} becomes text: line {at}: {invalid[0].reason}")
        first += batch.height
    return found


def _columns(names: Sequence[str], types: Mapping[str, str]) -> list[Column]:
    return [Column(name=name, type=column_type(types.get(name, "string"))) for name in names]


def _schema(columns: Sequence[Column]) -> pa.Schema:
    return pa.schema([(column.name, _ARROW[data_type(column.type)]) for column in columns])


def _complete(
    batch: pl.DataFrame, columns: Sequence[Column], path: Path, line: int
) -> pl.DataFrame:
    """Return a batch with all columns. Lines of JSON may leave out what is null."""
    known = [column.name for column in columns]
    fresh = [name for name in batch.columns if name not in known]
    if fresh:
        raise FileError(path, [Problem(line, f"{fresh[0]}: no record before has this column")])
    missing = [pl.lit(None, pl.String).alias(name) for name in known if name not in batch.columns]
    return batch.with_columns(missing).select(known) if missing else batch


def _batches(fitted: pl.DataFrame, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    table = fitted.to_arrow(compat_level=pl.CompatLevel.oldest()).cast(schema)
    yield from table.combine_chunks().to_batches()
