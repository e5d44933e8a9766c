"""Parquet files."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import copyfileobj
from tempfile import TemporaryFile
from typing import IO

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pa_parquet

from outhaul.records.numbers import number_text
from outhaul.records.readers.names import problem_of_names
from outhaul.records.readers.reader import (
    BATCH_BYTES,
    BATCH_RECORDS,
    FileError,
    Problem,
    Report,
    frame_of,
)
from outhaul.records.readers.sources import COMPRESSIONS, opened


class ParquetReader:
    """Reads a Parquet file. The columns have the types of the file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.names: list[str] = []

    def batches(self, report: Report) -> Iterator[pl.DataFrame]:
        try:
            with self._opened() as file, pa_parquet.ParquetFile(file) as source:
                schema = self._readable(source.schema_arrow)
                self.names = schema.names
                total = max(1, source.metadata.num_rows)
                done = 0
                for batch in source.iter_batches(batch_size=_batch_records(source.metadata)):
                    done += batch.num_rows
                    report(done / total)
                    table = pa.Table.from_batches([batch]).cast(schema)
                    table.validate(full=True)  # detects texts that are not UTF-8
                    frame = frame_of(table)
                    yield frame.with_columns(_long_decimals(frame, source.schema_arrow))
        except (pa.ArrowException, OSError) as error:
            raise FileError(self.path, [Problem(0, f"not a Parquet file: {error}")]) from error

    @contextmanager
    def _opened(self) -> Iterator[IO[bytes]]:
        """Open the file. It is not read from the beginning on, so it is decompressed first."""
        with opened(self.path) as source:
            if self.path.suffix.lower() not in COMPRESSIONS:
                yield source.content
                return
            with TemporaryFile() as file:
                copyfileobj(source.content, file, BATCH_BYTES)
                yield file

    def line_of(self, record: int) -> int:
        """Return the number of a record, from 1 on."""
        return record + 1

    def _readable(self, schema: pa.Schema) -> pa.Schema:
        """Return the types to read a file with: dictionaries become plain values."""
        problem = problem_of_names(schema.names)
        if problem:
            raise FileError(self.path, [Problem(0, problem)])
        fields = []
        for field in schema:
            of = field.type.value_type if pa.types.is_dictionary(field.type) else field.type
            if not any(is_type(of) for is_type in _PARQUET_TYPES):
                problem = f"column {field.name!r} is of type {field.type}, which cannot be loaded"
                raise FileError(self.path, [Problem(0, problem)])
            if pa.types.is_decimal256(of):
                of = pa.string()  # Polars has no decimals of more than 38 digits
            fields.append(pa.field(field.name, of))
        return pa.schema(fields)


_PARQUET_TYPES = (
    pa.types.is_string,
    pa.types.is_large_string,
    pa.types.is_string_view,
    pa.types.is_boolean,
    pa.types.is_integer,
    pa.types.is_floating,
    pa.types.is_decimal,
    pa.types.is_date,
    pa.types.is_timestamp,
    pa.types.is_null,
)


def _long_decimals(frame: pl.DataFrame, schema: pa.Schema) -> Iterator[pl.Series]:
    """Yield the columns of decimals that Arrow has written as texts, as texts of numbers."""
    for field in schema:
        if pa.types.is_decimal256(field.type):
            column = frame[field.name]
            yield pl.Series(field.name, [text and number_text(text) for text in column], pl.String)


def _batch_records(metadata: pa_parquet.FileMetaData) -> int:
    """Return how many records to read at a time: fewer if they are long."""
    groups = (metadata.row_group(n) for n in range(metadata.num_row_groups))
    size = sum(group.total_byte_size for group in groups)
    return max(
        1,
        min(
            BATCH_RECORDS,
            BATCH_RECORDS if not size else 4 * BATCH_BYTES * metadata.num_rows // size,
        ),
    )
