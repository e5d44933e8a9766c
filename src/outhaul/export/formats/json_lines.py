"""JSON Lines, an extension of the protocol: one JSON object in UTF-8 on a line for each record.

Numbers, booleans and null are those of JSON. Numbers have no exponent, as in CSV; those of a column
of floats all have a fraction, if only `.0`. Days and moments are texts, in the same form as in
CSV. `attributes` is a text that holds JSON, byte for byte as it was loaded.
"""

import io
import re
import secrets
from collections.abc import Sequence
from typing import IO, cast

import polars as pl

from outhaul.errors import Error
from outhaul.export.formats.format import Format
from outhaul.records.conversions import render
from outhaul.records.numbers import float_texts, with_exponents
from outhaul.storage.store import Writable

_FEW = 50
"""Records that are written each by itself, because of a number that would have an exponent."""


class JsonLines(Format):
    """JSON Lines. The column headers are the names in each object."""

    name = "JSONL"
    media_type = "application/x-ndjson"
    extension = ".jsonl"

    def check_headers(self, headers: Sequence[str]) -> None:
        for n, header in enumerate(headers):
            if header in headers[:n]:
                raise Error.INVALID(
                    parameter="columnHeaderNames",
                    problem=f"two columns are named '{header}'; {self.name} cannot tell them apart",
                )

    def cell(self, value: pl.Expr, of: pl.DataType, *, digits: bool) -> pl.Expr:  # noqa: ARG002
        return render(value, of) if of.is_temporal() else value

    def header(self, headers: Sequence[str]) -> bytes:  # noqa: ARG002 - each record names its columns
        return b""

    def batch(self, records: pl.DataFrame, headers: Sequence[str], target: Writable) -> None:
        named = records.rename(dict(zip(records.columns, headers, strict=True)))
        rows = _with_exponents(named)
        if len(rows) > _FEW:
            _write_digits(named, target)
            return
        first = 0
        for row in rows:
            _write(named[first:row], target)
            _write_digits(named[row : row + 1], target)
            first = row + 1
        _write(named[first:], target)


def _with_exponents(records: pl.DataFrame) -> list[int]:
    """Return the records of which Polars would write a number with an exponent."""
    found: set[int] = set()
    for column in _floats(records):
        found.update(with_exponents(column).arg_true())
    return sorted(found)


def _floats(records: pl.DataFrame) -> Sequence[pl.Series]:
    return [column for column in records if column.dtype == pl.Float64]


def _write(records: pl.DataFrame, target: Writable) -> None:
    records.write_ndjson(cast("IO[bytes]", target))


def _write_digits(records: pl.DataFrame, target: Writable) -> None:
    """Write records, in which no number has an exponent. This is slower than `_write`.

    Polars writes their digits as texts, with a mark that no other text has; then the quotes go.
    """
    columns = _floats(records)
    mark = secrets.token_hex(16)
    written = io.BytesIO()
    marked = [(mark + _with_fraction(column)).alias(column.name) for column in columns]
    records.with_columns(marked).write_ndjson(written)
    target.write(re.sub(rb'"%s([^"]*)"' % mark.encode(), rb"\1", written.getvalue()))


def _with_fraction(column: pl.Series) -> pl.Series:
    texts = float_texts(column)
    whole = texts.str.contains(r"^-?[0-9]+$")
    return texts.zip_with(~whole.fill_null(value=False), texts + ".0")


JSON_LINES = JsonLines()
