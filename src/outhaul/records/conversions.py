"""Conversion of values to the types of a lake: from texts and other types, and back to texts.

No conversion loses anything: a value that a type cannot hold is not converted. `CONVERSIONS` is the
table of them, whatever the format of the file; `docs/records.md` shows it.
"""

from collections.abc import Callable, Mapping
from datetime import date, timedelta
from enum import StrEnum
from typing import NamedTuple

import polars as pl

from outhaul.protocol.dialects import DATE_FORMAT, DATETIME_FORMAT
from outhaul.records.columns import INSTANT
from outhaul.records.numbers import float_texts, number_texts, to_floats, to_integers

# Polars would also accept a sign, blanks and single digits.
_DATE = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"
# The colon of an offset, the seconds, and the whole time of day are optional. Digits below the
# microsecond are zeros, because a lake has no others.
_OFFSET = r"[+-][0-9]{2}:?[0-9]{2}"
_MOMENT = (
    r"^[0-9]{4}-[0-9]{2}-[0-9]{2}"
    rf"(T[0-9]{{2}}:[0-9]{{2}}(:[0-5][0-9](\.[0-9]{{1,6}}0{{0,3}})?)?(Z|{_OFFSET})?)?$"
)
_INSTANT_FORMATS = ("%Y-%m-%dT%H:%M:%S%.f%z", "%Y-%m-%dT%H:%M%z")
_FIRST, _LAST = date(1, 1, 1), date(9999, 12, 31)
_EXACT_FORMAT = "%Y-%m-%dT%H:%M:%S%.fZ"
"""Polars writes as many digits below the second as are needed: none, three, six or nine."""


class Given(StrEnum):
    """What a value is in a file."""

    TEXT = "text"
    NUMBER = "number"
    BOOLEAN = "boolean"
    DATE = "date"
    DATETIME = "datetime"


class Conversion(NamedTuple):
    """How values that are given in one way become values of a type."""

    takes: str
    """The values that can be converted, for the documentation."""
    convert: Callable[[pl.Series], pl.Series]
    """Returns values in the type. A value that cannot be converted becomes null."""


def convert(given: pl.Series, to: pl.DataType) -> pl.Series:
    """Return values in a type. A value that the type cannot hold as it is becomes null."""
    if given.dtype == pl.String and to == pl.String:
        return given
    if given.dtype == pl.Null:
        return given.cast(to)
    kind = _given(given.dtype)
    if kind is Given.TEXT:
        given = given.cast(pl.String)
    conversion = CONVERSIONS[data_type(to)].get(kind)
    if conversion is None:
        return pl.Series(given.name, [None] * len(given), dtype=to)
    return conversion.convert(given).alias(given.name)


def render(values: pl.Expr, of: pl.DataType) -> pl.Expr:
    """Return values of a type as the texts that a file has."""
    if of == pl.Float64:
        return values.map_batches(float_texts, return_dtype=pl.String(), is_elementwise=True)
    if of == pl.Date:
        return values.dt.to_string(DATE_FORMAT)
    if isinstance(of, pl.Datetime):
        return values.dt.to_string(DATETIME_FORMAT)
    return values.cast(pl.String)


def renders_back(given: pl.Series, of: pl.DataType) -> bool:
    """Return whether each value can have a type, and is written in a file as it was given."""
    typed = convert(given, of)
    if typed.has_nulls() and typed.null_count() > given.null_count():
        return False
    if of == pl.String:
        return True
    rendered = pl.DataFrame({"": typed}).select(render(pl.col(""), of)).to_series()
    return rendered.equals(convert(given, pl.String()), check_names=False)


def data_type(of: pl.DataType) -> str:
    """Return the `dataType` in a catalog for a column of this type."""
    return _DATA_TYPES.get(str(of), "string")


def stored_type(of: pl.DataType) -> pl.DataType:
    """Return the type in which a lake stores values of a type."""
    if of.is_integer():
        return pl.Int64()
    if of.is_float() or of.is_decimal():
        return pl.Float64()
    if isinstance(of, pl.Datetime):
        return INSTANT
    return of if of in (pl.Boolean(), pl.Date()) else pl.String()


_DATA_TYPES = {
    str(pl.Boolean()): "boolean",
    str(pl.Int64()): "integer",
    str(pl.Float64()): "float",
    str(pl.Date()): "date",
    str(INSTANT): "datetime",
}


def _given(of: pl.DataType) -> Given:
    if of.is_numeric():
        return Given.NUMBER
    if of == pl.Boolean:
        return Given.BOOLEAN
    if of == pl.Date:
        return Given.DATE
    return Given.DATETIME if isinstance(of, pl.Datetime) else Given.TEXT


def _words(given: pl.Series) -> pl.Series:
    return given.cast(pl.String)


def _exact_datetimes(given: pl.Series) -> pl.Series:
    return _in_calendar(_universal(given)).dt.to_string(_EXACT_FORMAT)


def _universal(given: pl.Series) -> pl.Series:
    """Return moments in UTC, which is also the zone of moments that have none."""
    assert isinstance(given.dtype, pl.Datetime)  # noqa: S101 - the table of conversions says so
    if given.dtype.time_zone is None:
        return given.dt.replace_time_zone("UTC")
    return given.dt.convert_time_zone("UTC")


def _in_calendar(typed: pl.Series) -> pl.Series:
    """Return days or moments. Those whose year does not have four digits become null."""
    of = typed.dtype
    if isinstance(of, pl.Datetime):
        if of.time_unit == "ns":
            return typed  # these do not reach such years
        moments = pl.Series([_FIRST, _LAST]).cast(pl.Datetime(of.time_unit))
        first, last = moments.dt.replace_time_zone(of.time_zone)
        last += timedelta(days=1, microseconds=-1)
    else:
        first, last = _FIRST, _LAST
    # Polars cannot tell the year of the largest values.
    return typed.set(~typed.is_between(first, last), None)


def _text_to_boolean(given: pl.Series) -> pl.Series:
    known = {"true": True, "1": True, "false": False, "0": False}
    return given.str.to_lowercase().replace_strict(known, default=None, return_dtype=pl.Boolean)


def _number_to_boolean(given: pl.Series) -> pl.Series:
    return _text_to_boolean(number_texts(given))


def _text_to_date(given: pl.Series) -> pl.Series:
    written = given.set(~given.str.contains(_DATE), None)
    days = _in_calendar(written.str.to_date(DATE_FORMAT, strict=False))
    longer = (days.is_null() & given.is_not_null()).arg_true()
    if longer.is_empty():
        return days
    return days.scatter(longer, _to_date(_text_to_instant(given.gather(longer))))


def _text_to_instant(given: pl.Series) -> pl.Series:
    written = pl.lit(given.set(~given.str.contains(_MOMENT), None))
    zoned = pl.select(
        pl.when(written.str.len_bytes() == len("2026-01-31"))
        .then(written + "T00:00+0000")
        .when(written.str.ends_with("Z"))
        .then(written.str.strip_suffix("Z") + "+0000")
        .when(written.str.contains(_OFFSET + "$"))
        .then(written)
        .otherwise(written + "+0000")
    ).to_series()
    moments = zoned.str.to_datetime(_INSTANT_FORMATS[0], strict=False, time_unit="us")
    if moments.null_count() > zoned.null_count():
        shorter = zoned.str.to_datetime(_INSTANT_FORMATS[1], strict=False, time_unit="us")
        moments = moments.zip_with(moments.is_not_null(), shorter)
    return _in_calendar(moments.cast(INSTANT))


def _to_date(given: pl.Series) -> pl.Series:
    moments = _to_instant(given)
    return moments.set(moments != moments.dt.truncate("1d"), None).cast(pl.Date)


def _to_instant(given: pl.Series) -> pl.Series:
    moments = _universal(given)
    typed = moments.cast(INSTANT, strict=False)
    if given.dtype.time_unit == "ns":  # type: ignore[attr-defined]  # it is a datetime
        typed = typed.set(typed.dt.cast_time_unit("ns") != moments, None)
    return _in_calendar(typed)


def _day_to_instant(given: pl.Series) -> pl.Series:
    return _in_calendar(given).cast(INSTANT, strict=False)


_DAY_IN_TEXT = "`2026-01-31`, or a datetime at midnight in UTC"
_MOMENT_IN_TEXT = (
    "`2026-01-31T23:59:59Z`, also with up to six digits below the second, without seconds, with an "
    "offset (`+0200`, `+02:00`) or without one (UTC); a date is its midnight in UTC"
)

CONVERSIONS: Mapping[str, Mapping[Given, Conversion]] = {
    "string": {
        Given.TEXT: Conversion("any", _words),
        Given.NUMBER: Conversion("any, as its digits", number_texts),
        Given.BOOLEAN: Conversion("`true`, `false`", _words),
        Given.DATE: Conversion(
            "`2026-01-31`", lambda days: _in_calendar(days).dt.to_string(DATE_FORMAT)
        ),
        Given.DATETIME: Conversion(
            "`2026-01-31T23:59:59Z`, with the digits below the second", _exact_datetimes
        ),
    },
    "boolean": {
        Given.TEXT: Conversion("`true`, `false` in any case, `1`, `0`", _text_to_boolean),
        Given.NUMBER: Conversion("1, 0", _number_to_boolean),
        Given.BOOLEAN: Conversion("any", lambda given: given),
    },
    "integer": {
        Given.TEXT: Conversion("the text of such a number: `140`, `140.0`, `1.4e2`", to_integers),
        Given.NUMBER: Conversion("a whole number of 64 bits", to_integers),
    },
    "float": {
        Given.TEXT: Conversion("the text of such a number: `0.1`, `0.10`, `1e-1`", to_floats),
        Given.NUMBER: Conversion(
            "a number that a float of 64 bits shows with the same digits", to_floats
        ),
    },
    "date": {
        Given.TEXT: Conversion(_DAY_IN_TEXT, _text_to_date),
        Given.DATE: Conversion("any", _in_calendar),
        Given.DATETIME: Conversion("midnight in UTC", _to_date),
    },
    "datetime": {
        Given.TEXT: Conversion(_MOMENT_IN_TEXT, _text_to_instant),
        Given.DATE: Conversion("its midnight in UTC", _day_to_instant),
        Given.DATETIME: Conversion("any without digits below the microsecond", _to_instant),
    },
}
"""By the `dataType` of a field, and by what is given. Other values cannot be converted."""
