"""Conversion of values to the types of columns, and inference of the types of new columns."""

from collections.abc import Iterable
from typing import NamedTuple

import msgspec
import polars as pl

from outhaul.kinds.loading import Column
from outhaul.lake.conversions import convert, render, stored_type
from outhaul.lake.tables import INSTANT
from outhaul.protocol.texts import shortened

_SHOWN = 60

_EXPECTED = {
    str(pl.Int64()): "an integer",
    str(pl.Float64()): "a number",
    str(pl.Boolean()): "true or false",
    str(pl.Date()): "a date such as 2026-01-31",
    str(INSTANT): "a datetime such as 2026-01-31T23:59:59Z",
}


class Invalid(NamedTuple):
    """A value that a column cannot have."""

    record: int
    """The position of the record in its batch, from 0 on."""
    reason: str


def fit(batch: pl.DataFrame, columns: Iterable[Column]) -> tuple[pl.DataFrame, list[Invalid]]:
    """Return a batch in the types of its columns, and its invalid values, which are null there."""
    fitted: list[pl.Series] = []
    invalid: list[Invalid] = []
    for column in columns:
        if column.name not in batch.columns:
            if column.required:
                absent = f"{column.name}: missing"
                invalid += [Invalid(n, absent) for n in range(batch.height)]
            continue
        given = batch[column.name]
        typed = convert(given, column.type)
        invalid += _invalid(
            given,
            typed.is_null() & given.is_not_null(),
            f"{column.name}: {{}} is not {_EXPECTED.get(str(column.type), 'text')}",
        )
        invalid += _check(column, given, typed)
        fitted.append(typed)
    return pl.DataFrame(fitted), sorted(invalid)


class Narrowest:
    """The narrowest type in which each value of a column renders back to its text in the file."""

    CANDIDATES: tuple[pl.DataType, ...] = (
        pl.Boolean(),
        pl.Int64(),
        pl.Float64(),
        pl.Date(),
        INSTANT,
    )

    def __init__(self) -> None:
        self._left = list(self.CANDIDATES)
        self._seen = False

    def look(self, given: pl.Series) -> None:
        """Take more values into account. They are texts, or have a type of the file."""
        given = given.drop_nulls()
        if given.is_empty():
            return
        self._seen = True
        if given.dtype != pl.String:
            stored = stored_type(given.dtype)
            is_valid = not convert(given, stored).has_nulls()
            self._left = [of for of in self._left if is_valid and of == stored]
            return
        self._left = [of for of in self._left if _renders_back(given, of)]

    @property
    def type(self) -> pl.DataType:
        """The type. It is text if there were no values."""
        return self._left[0] if self._seen and self._left else pl.String()


def _check(column: Column, given: pl.Series, typed: pl.Series) -> Iterable[Invalid]:
    name = column.name
    if column.required:
        absent = given.is_null() | (given == "") if given.dtype == pl.String else given.is_null()
        yield from _invalid(given, absent, f"{name}: missing")
    if column.positive:
        yield from _invalid(given, typed <= 0, f"{name}: {{}} is not a positive integer")
    if column.members is not None:
        unknown = typed.is_not_null() & ~typed.is_in(list(column.members))
        yield from _invalid(given, unknown, f"{name}: {{}} is not {column.members_of}")
    if column.json_object:
        broken = pl.Series([not _is_object(text) for text in typed], dtype=pl.Boolean)
        yield from _invalid(given, broken, f"{name}: {{}} is not a JSON object")


def _invalid(given: pl.Series, where: pl.Series, reason: str) -> list[Invalid]:
    return [
        Invalid(record, reason.replace("{}", _shown(given[record])))
        for record in where.arg_true().to_list()
    ]


def _shown(value: object) -> str:
    text = value if isinstance(value, str) else str(value)
    return repr(shortened(text, _SHOWN))


def _is_object(text: str | None) -> bool:
    if text is None:
        return True
    try:
        _OBJECT.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return False
    return True


# Values stay raw, because a number may be too large for Python.
_OBJECT = msgspec.json.Decoder(dict[str, msgspec.Raw])


def _renders_back(given: pl.Series, of: pl.DataType) -> bool:
    typed = convert(given, of)
    if typed.has_nulls():
        return False
    return pl.select(render(pl.lit(typed), of)).to_series().equals(given, check_names=False)
