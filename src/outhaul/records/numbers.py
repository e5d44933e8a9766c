"""Numbers and their texts: which text a number has, and which numbers a text can become.

The text of a number has all its digits and nothing else: no exponent, no zeros at the end of a
fraction. That of a float has the fewest digits that only this float is read from. So a float *is*
the number that its text shows, and a number becomes a float only if it is equal to that number.
"""

import math
import re
import struct
from decimal import Decimal, InvalidOperation

import polars as pl

_EXACT_DIGITS = 15
"""Any number of at most this many digits, without an exponent, is that of a float."""

_EXACT_INTEGER = 2**53
"""Floats up to this bound, and down to its negative, hold every integer."""

_INTEGERS = range(-(2**63), 2**63)

# Polars writes an exponent outside of these bounds.
_LEAST_PLAIN, _LEAST_EXPONENT = 1e-5, 1e16

# The digits of the numbers that floats can hold. The exponent of other numbers stays.
_MOST_DIGITS = 330

_WHOLE = r"^([+-]?[0-9]+)\.0*$"
_SCIENTIFIC = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)[eE][+-]?[0-9]+$"

_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")

_ZERO = Decimal(0)

_HALF = struct.Struct("e")
_HALF_DIGITS = 5


def number_text(text: str) -> str:
    """Return the text of a number that may be written with an exponent or with further zeros."""
    if "e" not in text and "E" not in text:
        return text.rstrip("0").rstrip(".") if "." in text else text
    number = _decimal(text)
    if number is None or abs(number.adjusted()) > _MOST_DIGITS:
        return text
    return number_text(format(number, "f"))


def is_number(text: str, *, whole: bool = False) -> bool:
    """Return whether a text is a number, or a whole one, of any size."""
    if not _NUMBER.fullmatch(text):
        return False
    number = _decimal(text)
    return not whole or (number is not None and number == number.to_integral_value())


def float_of(text: str) -> float | None:
    """Return the float that is equal to a number; `None` if none is."""
    value = float(text)
    return value if math.isfinite(value) and _decimal(repr(value)) == _decimal(text) else None


def whole_number(value: float) -> float | int:
    """Return a float so that JSON writes it in digits, without an exponent, if it is whole."""
    return value if abs(value) < _LEAST_EXPONENT else int(number_text(repr(value)))


def number_texts(values: pl.Series) -> pl.Series:
    """Return the texts of integers, floats or decimals."""
    if values.dtype.is_float():
        return float_texts(as_floats(values))
    texts = values.cast(pl.String)
    if values.dtype.is_decimal():
        return texts.str.replace(r"(\.[0-9]*?)0+$", "$1").str.strip_suffix(".")
    return texts


def float_texts(values: pl.Series) -> pl.Series:
    """Return the texts of floats of 64 bits."""
    texts = values.cast(pl.String).str.strip_suffix(".0")
    if not has_exponents(values):
        return texts  # this saves a search in the texts
    scientific = texts.str.contains("e", literal=True).arg_true()
    return texts.scatter(scientific, [number_text(text) for text in texts.gather(scientific)])


def has_exponents(values: pl.Series) -> bool:
    """Return whether Polars writes some floats of 64 bits with an exponent."""
    return with_exponents(values).any()


def with_exponents(values: pl.Series) -> pl.Series:
    """Return which floats of 64 bits Polars writes with an exponent; NaN and infinities, too."""
    sizes = values.abs()
    return (sizes >= _LEAST_EXPONENT) | ((sizes < _LEAST_PLAIN) & (sizes > 0))


def as_floats(values: pl.Series) -> pl.Series:
    """Return floats of any size as those of 64 bits with the same text: 0.1 is 0.1 in each."""
    if values.dtype == pl.Float32:
        return values.cast(pl.String).cast(pl.Float64)
    if values.dtype == pl.Float16:
        exact = values.cast(pl.Float64)
        return exact.replace(exact.unique(), exact.unique().map_elements(_half, pl.Float64))
    return values


def to_integers(given: pl.Series) -> pl.Series:
    """Return numbers, or their texts, as integers; those that are none of 64 bits become null."""
    if given.dtype.is_integer():
        return given.cast(pl.Int64, strict=False)
    if given.dtype.is_float():
        floats = as_floats(given)
        if not (floats.abs() > _EXACT_INTEGER).any():
            return floats.set(floats != floats.floor(), None).cast(pl.Int64, strict=False)
        given = floats
    return _integers(given if given.dtype == pl.String else number_texts(given))


def to_floats(given: pl.Series) -> pl.Series:
    """Return numbers, or their texts, as floats; those that no float is equal to become null."""
    if given.dtype.is_float():
        floats = as_floats(given)
        return floats.set(~floats.is_finite(), None)
    if given.dtype.is_integer():
        floats = given.cast(pl.Float64)
        if not (floats.abs() >= _EXACT_INTEGER).any():
            return floats
    return _floats(given if given.dtype == pl.String else number_texts(given))


def _integers(texts: pl.Series) -> pl.Series:
    found = texts.cast(pl.Int64, strict=False)
    others = (found.is_null() & texts.is_not_null()).arg_true()
    if others.is_empty():
        return found
    # 140.0 and 1.4e2 are integers too.
    written = texts.gather(others)
    digits = written.str.replace(_WHOLE, "$1").cast(pl.Int64, strict=False)
    scientific = written.str.contains(_SCIENTIFIC).arg_true()
    digits = digits.scatter(scientific, [_whole(text) for text in written.gather(scientific)])
    return found.scatter(others, digits)


def _floats(texts: pl.Series) -> pl.Series:
    found = texts.cast(pl.Float64, strict=False)
    found = found.set(~found.is_finite(), None)
    is_doubtful = (texts.str.len_bytes() > _EXACT_DIGITS) | texts.str.contains("[eE]")
    doubtful = (is_doubtful & found.is_not_null()).arg_true()
    if doubtful.is_empty():
        return found
    given, shown = texts.gather(doubtful), float_texts(found.gather(doubtful))
    differs = (given != shown).arg_true()
    pairs = zip(given.gather(differs), shown.gather(differs), strict=True)
    unequal = [_decimal(one) != _decimal(other) for one, other in pairs]
    changed = doubtful.gather(differs).filter(pl.Series(unequal, dtype=pl.Boolean))
    return found.scatter(changed, None)


def _whole(text: str) -> int | None:
    number = _decimal(text)
    if number is None or number.adjusted() > len(str(_INTEGERS.stop)):
        return None
    return int(number) if number == int(number) and int(number) in _INTEGERS else None


def _decimal(text: str) -> Decimal | None:
    try:
        number = Decimal(text)
    except InvalidOperation:
        return None  # the exponent has too many digits
    return number or _ZERO.copy_sign(number)


def _half(value: float) -> float:
    """Return the float whose text has the fewest digits that this float of 16 bits is read from."""
    for digits in range(1, _HALF_DIGITS):
        shorter = float(f"{value:.{digits}g}")
        try:
            if _HALF.unpack(_HALF.pack(shorter)) == (value,):
                return shorter
        except OverflowError:
            continue
    return float(f"{value:.{_HALF_DIGITS}g}")
