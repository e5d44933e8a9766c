"""CSV, TSV and SSV: a line of text for each record, with cells separated by one character.

`outhaul.protocol.dialects` has the rules for null and for quotes.
"""

from collections.abc import Mapping, Sequence
from typing import IO, cast

import polars as pl

from outhaul.export.formats.format import Format
from outhaul.limits import Limits
from outhaul.protocol.dialects import DATE_FORMAT, DATETIME_FORMAT, MEDIA_TYPE, NULL, line
from outhaul.records.numbers import float_texts
from outhaul.storage.store import Writable

_SEMICOLON = ";"


class Delimited(Format):
    """Delimited text (bulk lead extract, options)."""

    # One client expects text/csv for every format; another needs the charset to decode the text.
    media_type = MEDIA_TYPE

    def __init__(self, name: str, separator: str) -> None:
        self.name = name
        self.extension = f".{name.lower()}"
        self.separator = separator

    def options(self) -> Mapping[str, str]:
        return {"separator": self.separator}

    def with_options(self, options: Mapping[str, str]) -> Format:
        return type(self)(self.name, options["separator"])

    def cell(self, value: pl.Expr, of: pl.DataType, *, digits: bool) -> pl.Expr:
        if of == pl.Boolean and digits:
            return value.cast(pl.Int8)
        return value

    def header(self, headers: Sequence[str]) -> bytes:
        return line(headers, self.separator).encode()

    def batch(self, records: pl.DataFrame, headers: Sequence[str], target: Writable) -> None:  # noqa: ARG002
        # Polars has the same rules for quotes, except that it leaves the text "null" unquoted. The
        # few batches with this text are quoted here instead.
        texts = [name for name, of in records.schema.items() if of == pl.String]
        quotes_here = any((records[name] == NULL).any() for name in texts)
        if quotes_here:
            records = records.with_columns(_quoted(name, self.separator) for name in texts)
        # As an expression of the scan, this was slower.
        numbers = [float_texts(column) for column in records if column.dtype == pl.Float64]
        records.with_columns(numbers).write_csv(
            cast("IO[bytes]", target),
            include_header=False,
            separator=self.separator,
            null_value=NULL,
            date_format=DATE_FORMAT,
            datetime_format=DATETIME_FORMAT,
            quote_style="never" if quotes_here else "necessary",
        )


class SpaceSeparated(Delimited):
    """SSV. Its separator is a setting, because the pages of the protocol name two."""

    def for_limits(self, limits: Limits) -> Format:
        separator = self.separator if limits.ssv_delimiter == "space" else _SEMICOLON
        return type(self)(self.name, separator)


def _quoted(name: str, separator: str) -> pl.Expr:
    text = pl.col(name)
    marks = pl.any_horizontal(
        text.str.contains(mark, literal=True) for mark in (separator, '"', "\n", "\r")
    )
    quoted = pl.concat_str(pl.lit('"'), text.str.replace_all('"', '""', literal=True), pl.lit('"'))
    return pl.when(marks | text.is_in(["", NULL])).then(quoted).otherwise(text).alias(name)


CSV = Delimited("CSV", ",")
TSV = Delimited("TSV", "\t")
SSV = SpaceSeparated("SSV", " ")
