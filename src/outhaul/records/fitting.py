"""Conversion of values to the types of columns, and inference of the types of new columns."""

import re
from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

import msgspec
import polars as pl

from outhaul.protocol.texts import shortened
from outhaul.records.columns import INSTANT, Column
from outhaul.records.conversions import convert, data_type, renders_back
from outhaul.records.numbers import is_number

_SHOWN = 60

_EXPECTED = {
    "integer": "an integer",
    "float": "a number",
    "boolean": "true or false",
    "date": "a date such as 2026-01-31",
    "datetime": "a datetime such as 2026-01-31T23:59:59Z",
    "string": "text",
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
        if typed.has_nulls():
            invalid += _unconverted(column, given, typed.is_null() & given.is_not_null())
        invalid += _check(column, given, typed)
        fitted.append(typed)
    return pl.DataFrame(fitted), sorted(invalid)


class Narrowest:
    """The narrowest type in which each value of a column renders back to its text in the file.

    A value that is not a text in the file has the text that a text field would get. A type of the
    file is not narrowed: a column of floats is not one of integers, even if all are whole.
    """

    CANDIDATES: tuple[pl.DataType, ...] = (
        pl.Boolean(),
        pl.Int64(),
        pl.Float64(),
        pl.Date(),
        INSTANT,
    )

    def __init__(self, candidates: Sequence[pl.DataType] = CANDIDATES) -> None:
        self._left = list(candidates)
        self._seen = False

    def look(self, given: pl.Series) -> None:
        """Take more values into account. They are texts, or have a type of the file."""
        given = given.drop_nulls()
        if given.is_empty():
            return
        self._seen = True
        wide = _not_narrowed(given.dtype)
        self._left = [of for of in self._left if of not in wide and renders_back(given, of)]

    @property
    def type(self) -> pl.DataType:
        """The type. It is text if there were no values."""
        return self._left[0] if self._seen and self._left else pl.String()


def _not_narrowed(of: pl.DataType) -> Collection[pl.DataType]:
    """Return the types that values of a type of the file do not become, even if they could."""
    if of.is_integer() or (isinstance(of, pl.Decimal) and not of.scale):
        return [pl.Boolean()]
    if of.is_numeric():
        return [pl.Boolean(), pl.Int64()]
    return [pl.Date()] if isinstance(of, pl.Datetime) else []


def _unconverted(column: Column, given: pl.Series, where: pl.Series) -> list[Invalid]:
    """Return the values that the type of a column cannot hold, with the reasons."""
    records = where.arg_true().to_list()
    texts = convert(given.filter(where), pl.String())
    of = data_type(column.type)
    return [
        Invalid(record, f"{column.name}: {_misfit(text, of)}{column.hint}")
        for record, text in zip(records, texts, strict=True)
    ]


def _misfit(text: str | None, of: str) -> str:
    if text is None:
        return "its year is none from 1 to 9999"
    return f"{_shown(text)} is not {_expected(text, of)}"


def _expected(text: str, of: str) -> str:
    """Return what a text is not, although a field of a type needs it."""
    if of == "integer" and is_number(text, whole=True):
        return "an integer of 64 bits"
    if of == "float" and is_number(text):
        return "a number that a float of 64 bits holds exactly; a string field holds it"
    if of == "datetime" and _BELOW_MICROSECOND.fullmatch(text):
        return "a datetime without digits below the microsecond"
    if of == "date" and convert(pl.Series([text]), INSTANT).count():
        return "a date such as 2026-01-31, nor midnight in UTC"
    return _EXPECTED[of]


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
    records = where.arg_true().to_list()
    texts = convert(given.filter(where), pl.String())
    return [
        Invalid(record, reason.replace("{}", _shown(text)))
        for record, text in zip(records, texts, strict=True)
    ]


def _shown(text: str | None) -> str:
    return repr(shortened(str(text), _SHOWN))


def _is_object(text: str | None) -> bool:
    if text is None:
        return True
    try:
        _OBJECT.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return False
    return True


_BELOW_MICROSECOND = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{7,}.*")

# Values stay raw, because a number may be too large for Python.
_OBJECT = msgspec.json.Decoder(dict[str, msgspec.Raw])
