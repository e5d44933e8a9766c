"""Parquet files."""

from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pa_parquet

from outhaul.lake.numbers import number_text
from outhaul.loading.readers.reader import (
    BATCH_RECORDS,
    FileError,
    Problem,
    Report,
    frame_of,
    problem_of_names,
)


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
                    frame = frame_of(table)
                    yield frame.with_columns(_long_decimals(frame, source.schema_arrow))
        except (pa.ArrowException, OSError) as error:
            raise FileError(self.path, [Problem(0, f"not a Parquet file: {error}")]) from error

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
