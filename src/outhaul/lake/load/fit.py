"""From text to types: what fits a column's type, what does not and why, and what type fits."""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import NamedTuple

import msgspec
import polars as pl

from outhaul.lake.tables import INSTANT
from outhaul.protocol.dialects import DATE_FORMAT, DATETIME_FORMAT

_SHOWN = 60

# Polars alone would take a sign, blanks and single digits as well.
_DATE = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"
# Offsets may have a colon or not; seconds and the whole time of day may be missing.
_OFFSET = r"[+-][0-9]{2}:?[0-9]{2}"
_MOMENT = (
    r"^[0-9]{4}-[0-9]{2}-[0-9]{2}"
    rf"(T[0-9]{{2}}:[0-9]{{2}}(:[0-5][0-9](\.[0-9]{{1,9}})?)?(Z|{_OFFSET})?)?$"
)
_INSTANT_FORMATS = ("%Y-%m-%dT%H:%M:%S%.f%z", "%Y-%m-%dT%H:%M%z")

_EXPECTED = {
    str(pl.Int64()): "an integer",
    str(pl.Float64()): "a number",
    str(pl.Boolean()): "true or false",
    str(pl.Date()): "a date such as 2026-01-31",
    str(INSTANT): "a datetime such as 2026-01-31T23:59:59Z",
}


class Misfitting(NamedTuple):
    """A value that does not fit: the record's place in its batch, and the reason."""

    record: int
    reason: str


@dataclass(frozen=True, kw_only=True)
class Column:
    """What a column of a table takes."""

    name: str
    type: pl.DataType
    required: bool = False
    positive: bool = False
    members: Collection[int] | None = None
    """The only values that there are, where the catalog knows them."""
    members_of: str = ""
    json_object: bool = False


def fit(batch: pl.DataFrame, columns: Iterable[Column]) -> tuple[pl.DataFrame, list[Misfitting]]:
    """Return a batch in the types of its columns, and the values that do not fit (null there)."""
    fitted: list[pl.Series] = []
    misfits: list[Misfitting] = []
    for column in columns:
        if column.name not in batch.columns:
            if column.required:
                absent = f"{column.name}: missing"
                misfits += [Misfitting(n, absent) for n in range(batch.height)]
            continue
        given = batch[column.name]
        typed = convert(given, column.type)
        misfits += _unfit(
            given,
            typed.is_null() & given.is_not_null(),
            f"{column.name}: {{}} is not {_EXPECTED.get(str(column.type), 'text')}",
        )
        misfits += _check(column, given, typed)
        fitted.append(typed)
    return pl.DataFrame(fitted), sorted(misfits)


def render(values: pl.Expr, of: pl.DataType) -> pl.Expr:
    """Return values of a type as the text that stands for them in a file."""
    if of == pl.Float64:
        # A number without a fraction is written as an integer.
        return values.cast(pl.String).str.strip_suffix(".0")
    if of == pl.Date:
        return values.dt.to_string(DATE_FORMAT)
    if isinstance(of, pl.Datetime):
        return values.dt.to_string(DATETIME_FORMAT)
    return values.cast(pl.String)


class Narrowest:
    """The narrowest type whose every value renders back to the text that was given."""

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
        """Take some more values into account: text, or a type that came with the file."""
        given = given.drop_nulls()
        if given.is_empty():
            return
        self._seen = True
        if given.dtype != pl.String:
            kept = _typed(given.dtype)
            fits = not convert(given, kept).has_nulls()
            self._left = [of for of in self._left if fits and of == kept]
            return
        self._left = [of for of in self._left if _renders_back(given, of)]

    @property
    def type(self) -> pl.DataType:
        """The type; text where no value was seen."""
        return self._left[0] if self._seen and self._left else pl.String()


def data_type(of: pl.DataType) -> str:
    """Return what a catalog calls a column of this type."""
    names = {
        str(pl.Boolean()): "boolean",
        str(pl.Int64()): "integer",
        str(pl.Float64()): "float",
        str(pl.Date()): "date",
        str(INSTANT): "datetime",
    }
    return names.get(str(of), "string")


def convert(given: pl.Series, to: pl.DataType) -> pl.Series:
    """Return values in a type; those that cannot be are null."""
    if given.dtype.is_decimal() and to != pl.String:
        # A fraction of nothing but zeros does not keep a number from being an integer.
        given = given.cast(pl.String).str.replace(r"\.0+$", "")
    if given.dtype == pl.String:
        from_text = _FROM_TEXT.get(str(to))
        return given if from_text is None else from_text(given, to)
    if to == pl.String:
        frame = pl.select(render(pl.lit(given), _typed(given.dtype)))
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


def _temporal(given: pl.Series, to: pl.DataType) -> pl.Series:
    """Return days or moments in a type; a day is its midnight, and only that becomes a day."""
    if isinstance(given.dtype, pl.Datetime) and given.dtype.time_zone is None:
        given = given.dt.replace_time_zone("UTC")
    if to == pl.Date and given.dtype != pl.Date:
        given = given.cast(INSTANT)
        given = given.set(given != given.dt.truncate("1d"), None)
    return _in_calendar(given.cast(to, strict=False))


def _in_calendar(typed: pl.Series) -> pl.Series:
    """Return days or moments, null where the year has not four digits."""
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


def _check(column: Column, given: pl.Series, typed: pl.Series) -> Iterable[Misfitting]:
    name = column.name
    if column.required:
        absent = given.is_null() | (given == "") if given.dtype == pl.String else given.is_null()
        yield from _unfit(given, absent, f"{name}: missing")
    if column.positive:
        yield from _unfit(given, typed <= 0, f"{name}: {{}} is not a positive integer")
    if column.members is not None:
        unknown = typed.is_not_null() & ~typed.is_in(list(column.members))
        yield from _unfit(given, unknown, f"{name}: {{}} is not {column.members_of}")
    if column.json_object:
        broken = pl.Series([not _is_object(text) for text in typed], dtype=pl.Boolean)
        yield from _unfit(given, broken, f"{name}: {{}} is not a JSON object")


def _unfit(given: pl.Series, where: pl.Series, reason: str) -> list[Misfitting]:
    return [
        Misfitting(record, reason.replace("{}", _shown(given[record])))
        for record in where.arg_true().to_list()
    ]


def _shown(value: object) -> str:
    text = value if isinstance(value, str) else str(value)
    return repr(text if len(text) <= _SHOWN else text[:_SHOWN] + "…")


def _is_object(text: str | None) -> bool:
    if text is None:
        return True
    try:
        _OBJECT.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return False
    return True


# The values stay as they are written: a number may be larger than any that Python knows.
_OBJECT = msgspec.json.Decoder(dict[str, msgspec.Raw])


def _renders_back(given: pl.Series, of: pl.DataType) -> bool:
    typed = convert(given, of)
    if typed.has_nulls():
        return False
    return pl.select(render(pl.lit(typed), of)).to_series().equals(given, check_names=False)


def _typed(of: pl.DataType) -> pl.DataType:
    """Return the type that a lake keeps values of another in."""
    if of.is_integer():
        return pl.Int64()
    if of.is_float() or of.is_decimal():
        return pl.Float64()
    if isinstance(of, pl.Datetime):
        return INSTANT
    return of if of in (pl.Boolean(), pl.Date()) else pl.String()
