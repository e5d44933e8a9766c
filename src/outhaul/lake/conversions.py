"""Conversion of values to the types of a lake: from texts and other types, and back to texts."""

from collections.abc import Callable

import polars as pl

from outhaul.lake.tables import INSTANT
from outhaul.protocol.dialects import DATE_FORMAT, DATETIME_FORMAT

# Polars would also accept a sign, blanks and single digits.
_DATE = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"
# The colon of an offset, the seconds, and the whole time of day are optional.
_OFFSET = r"[+-][0-9]{2}:?[0-9]{2}"
_MOMENT = (
    r"^[0-9]{4}-[0-9]{2}-[0-9]{2}"
    rf"(T[0-9]{{2}}:[0-9]{{2}}(:[0-5][0-9](\.[0-9]{{1,9}})?)?(Z|{_OFFSET})?)?$"
)
_INSTANT_FORMATS = ("%Y-%m-%dT%H:%M:%S%.f%z", "%Y-%m-%dT%H:%M%z")


def convert(given: pl.Series, to: pl.DataType) -> pl.Series:
    """Return values in a type. A value that cannot be converted becomes null."""
    if given.dtype.is_decimal() and to != pl.String:
        # 1.00 is an integer.
        given = given.cast(pl.String).str.replace(r"\.0+$", "")
    if given.dtype == pl.String:
        from_text = _FROM_TEXT.get(str(to))
        return given if from_text is None else from_text(given, to)
    if to == pl.String:
        frame = pl.select(render(pl.lit(given), stored_type(given.dtype)))
        return frame.to_series().alias(given.name)
    if to.is_temporal() != given.dtype.is_temporal() or (to == pl.Boolean) != (
        given.dtype == pl.Boolean
    ):
        return pl.Series(given.name, [None] * len(given), dtype=to)
    if to.is_temporal():
        return _temporal(given, to)
    if to == pl.Int64 and given.dtype.is_float():
        given = given.set(given != given.floor(), None)
    typed = given.cast(to, strict=False)
    return typed.set(~typed.is_finite(), None) if to == pl.Float64 else typed


def render(values: pl.Expr, of: pl.DataType) -> pl.Expr:
    """Return values of a type as the texts that a file has."""
    if of == pl.Float64:
        # A number without a fraction is written as an integer.
        return values.cast(pl.String).str.strip_suffix(".0")
    if of == pl.Date:
        return values.dt.to_string(DATE_FORMAT)
    if isinstance(of, pl.Datetime):
        return values.dt.to_string(DATETIME_FORMAT)
    return values.cast(pl.String)


def data_type(of: pl.DataType) -> str:
    """Return the `dataType` in a catalog for a column of this type."""
    names = {
        str(pl.Boolean()): "boolean",
        str(pl.Int64()): "integer",
        str(pl.Float64()): "float",
        str(pl.Date()): "date",
        str(INSTANT): "datetime",
    }
    return names.get(str(of), "string")


def stored_type(of: pl.DataType) -> pl.DataType:
    """Return the type in which a lake stores values of a type."""
    if of.is_integer():
        return pl.Int64()
    if of.is_float() or of.is_decimal():
        return pl.Float64()
    if isinstance(of, pl.Datetime):
        return INSTANT
    return of if of in (pl.Boolean(), pl.Date()) else pl.String()


def _temporal(given: pl.Series, to: pl.DataType) -> pl.Series:
    """Return days as moments (midnight) or moments as days (null if not midnight)."""
    if isinstance(given.dtype, pl.Datetime) and given.dtype.time_zone is None:
        given = given.dt.replace_time_zone("UTC")
    if to == pl.Date and given.dtype != pl.Date:
        given = given.cast(INSTANT)
        given = given.set(given != given.dt.truncate("1d"), None)
    return _in_calendar(given.cast(to, strict=False))


def _in_calendar(typed: pl.Series) -> pl.Series:
    """Return days or moments. Those whose year does not have four digits become null."""
    return typed.set(~typed.dt.year().is_between(1, 9999), None)


def _boolean(given: pl.Series, to: pl.DataType) -> pl.Series:
    return given.replace_strict(
        {"true": True, "1": True, "false": False, "0": False}, default=None, return_dtype=to
    )


def _integer(given: pl.Series, to: pl.DataType) -> pl.Series:
    return given.cast(to, strict=False)


def _number(given: pl.Series, to: pl.DataType) -> pl.Series:
    number = given.cast(to, strict=False)
    return number.set(~number.is_finite(), None)


def _date(given: pl.Series, to: pl.DataType) -> pl.Series:  # noqa: ARG001
    written = given.set(~given.str.contains(_DATE), None)
    return _in_calendar(written.str.to_date(DATE_FORMAT, strict=False))


def _instant(given: pl.Series, to: pl.DataType) -> pl.Series:
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
    return _in_calendar(moments.cast(to).alias(given.name))


_FROM_TEXT: dict[str, Callable[[pl.Series, pl.DataType], pl.Series]] = {
    str(pl.Boolean()): _boolean,
    str(pl.Int64()): _integer,
    str(pl.Float64()): _number,
    str(pl.Date()): _date,
    str(INSTANT): _instant,
}
