"""Columns of records: their types and valid values."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import polars as pl

INSTANT = pl.Datetime("us", "UTC")

_TYPES: Mapping[str, pl.DataType] = {
    "boolean": pl.Boolean(),
    "integer": pl.Int64(),
    "score": pl.Int64(),
    "currency": pl.Float64(),
    "float": pl.Float64(),
    "percent": pl.Float64(),
    "date": pl.Date(),
    "datetime": INSTANT,
}


@dataclass(frozen=True, kw_only=True)
class Column:
    """A column that a file may have, and its valid values."""

    name: str
    type: pl.DataType
    required: bool = False
    positive: bool = False
    members: Collection[int] | None = None
    """All valid values; `None` if any value is valid."""
    members_of: str = ""
    """What `members` are, for the message about another value."""
    json_object: bool = False
    """Whether a value must be a JSON object, as text."""
    hint: str = ""
    """What a message about a value of another type says at its end."""
    inferred: bool = False
    """Whether the type was inferred from a file. Then `--infer-fields` may widen it."""

    @property
    def has_rules(self) -> bool:
        """Whether valid values are restricted by more than the type."""
        return self.required or self.positive or self.json_object or self.members is not None


def column_type(data_type: str) -> pl.DataType:
    """Return the type of the column for a field with this `dataType`, by default text."""
    return _TYPES.get(data_type, pl.String())
