import math
import re
import struct
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.support.examples import examples

from outhaul.records.numbers import (
    as_floats,
    float_of,
    float_texts,
    number_text,
    number_texts,
    to_floats,
    to_integers,
    whole_number,
)

EXAMPLES = examples(300)
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
INTEGERS = range(-(2**63), 2**63)

DIGITS = st.text("0123456789", min_size=1, max_size=22)
NUMBERS = st.builds(
    lambda sign, whole, fraction, exponent: f"{sign}{whole}{fraction}{exponent}",
    st.sampled_from(["", "-", "+"]),
    DIGITS,
    st.just("") | st.just(".") | DIGITS.map(".{}".format),
    st.just("") | st.integers(-400, 400).map("e{}".format) | st.integers(-9, 9).map("E{}".format),
)
"""Numbers in every way to write them, with more digits than a float has."""


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1.0, "1"),
        (-0.0, "-0"),
        (1e15, "1000000000000000"),
        (1e16, "10000000000000000"),
        (-1.5e16, "-15000000000000000"),
        (1e22, "10000000000000000000000"),
        (1e23, "100000000000000000000000"),
        (1e300, "1" + "0" * 300),
        (1.7976931348623157e308, "17976931348623157" + "0" * 292),
        (0.0001, "0.0001"),
        (1e-5, "0.00001"),
        (1e-7, "0.0000001"),
        (5e-324, "0." + "0" * 323 + "5"),
        (0.1, "0.1"),
        (123456.789, "123456.789"),
        (math.nan, "NaN"),
        (math.inf, "inf"),
        (None, None),
    ],
)
def test_a_float_is_written_in_digits(value: float | None, text: str | None) -> None:
    assert float_texts(pl.Series([value, 0.5], dtype=pl.Float64)).to_list() == [text, "0.5"]


@EXAMPLES
@given(st.lists(FLOATS, min_size=1, max_size=4))
def test_the_text_of_a_float_is_that_float_with_the_fewest_digits(values: list[float]) -> None:
    texts = float_texts(pl.Series(values)).to_list()
    for value, text in zip(values, texts, strict=True):
        assert re.fullmatch(r"-?(0|[1-9][0-9]*)(\.[0-9]*[1-9])?", text)
        assert struct.pack("d", float(text)) == struct.pack("d", value)
        assert Decimal(text) == Decimal(repr(value))
    again = to_floats(pl.Series(texts))
    assert [struct.pack("d", value) for value in again] == [struct.pack("d", v) for v in values]


@EXAMPLES
@given(st.lists(NUMBERS, min_size=1, max_size=4))
@example(["0e999999999", "1e-9999999999999999999999", "9007199254740993", "1e400"])
def test_a_text_becomes_a_float_only_if_that_is_the_same_number(texts: list[str]) -> None:
    for text, found in zip(texts, to_floats(pl.Series(texts)), strict=True):
        nearest = float(text)
        # A float is the number with the fewest digits that it is read from.
        same = math.isfinite(nearest) and Decimal(repr(nearest)) == exact(text)
        assert (found is not None) == same, text
        assert found is None or struct.pack("d", found) == struct.pack("d", nearest)


@EXAMPLES
@given(st.lists(NUMBERS, min_size=1, max_size=4))
@example(["9223372036854775807.0", "9223372036854775808", "1e999999999", "0e999999999"])
def test_a_text_becomes_an_integer_only_if_that_is_the_same_number(texts: list[str]) -> None:
    for text, found in zip(texts, to_integers(pl.Series(texts)), strict=True):
        number = exact(text)
        expected = None
        if number is not None and -(2**64) < number < 2**64 and number == int(number):
            expected = int(number) if int(number) in INTEGERS else None
        assert found == expected, text


@EXAMPLES
@given(NUMBERS)
def test_the_text_of_a_number_is_the_same_number_without_an_exponent(text: str) -> None:
    shown = number_text(text)
    assert exact(shown) == exact(text)
    if abs(Decimal(text).adjusted()) <= 300:
        assert re.fullmatch(r"[+-]?[0-9]+(\.[0-9]*[1-9])?", shown)


def exact(text: str) -> Decimal | None:
    """Return a number exactly; `None` if its exponent is too large for that."""
    try:
        return Decimal(text) or Decimal(0)
    except ArithmeticError:
        return None


@pytest.mark.parametrize(
    ("values", "of", "expected"),
    [
        ([0.1, 16777216.0, 1e-45, 3e38, -0.0], pl.Float32(), [0.1, 16777216.0, 1e-45, 3e38, -0.0]),
        ([0.1, 1.5, 6e-8, -0.0], pl.Float16(), [0.1, 1.5, 6e-8, -0.0]),
    ],
)
def test_a_shorter_float_becomes_the_number_that_it_shows(
    values: list[float], of: pl.DataType, expected: list[float]
) -> None:
    given_floats = pl.Series(values, dtype=of)
    assert as_floats(given_floats).to_list() == expected
    assert number_texts(given_floats).to_list() == float_texts(pl.Series(expected)).to_list()
    assert to_floats(given_floats).to_list() == expected


@EXAMPLES
@given(st.floats(width=16, allow_nan=False, allow_infinity=False))
def test_a_float_of_16_bits_is_read_from_its_text(value: float) -> None:
    (found,) = as_floats(pl.Series([value], dtype=pl.Float16))
    assert struct.pack("e", found) == struct.pack("e", value)


@EXAMPLES
@given(st.decimals(allow_nan=False, allow_infinity=False, places=6, min_value=-(10**12)))
def test_the_text_of_a_decimal_is_exact(value: Decimal) -> None:
    if abs(value) < 10**20:
        (text,) = number_texts(pl.Series([value], dtype=pl.Decimal(38, 6)))
        assert Decimal(text) == value
        assert re.fullmatch(r"-?[0-9]+(\.[0-9]*[1-9])?", text)


@pytest.mark.parametrize(
    ("values", "of", "integers", "floats"),
    [
        ([2**63], pl.UInt64(), [None], [None]),
        ([2**53, 2**53 + 1], pl.Int64(), [2**53, 2**53 + 1], [2.0**53, None]),
        ([2.0**60, 2.0**63], pl.Float64(), [1152921504606847000, None], [2.0**60, 2.0**63]),
        ([1.5, math.nan, math.inf], pl.Float64(), [None] * 3, [1.5, None, None]),
        ([-(2**53) - 1], pl.Int64(), [-(2**53) - 1], [None]),
        ([Decimal("5.00"), Decimal("0.1")], pl.Decimal(10, 2), [5, None], [5.0, 0.1]),
    ],
)
def test_numbers_that_would_lose_digits_are_not_converted(
    values: list[Any], of: pl.DataType, integers: list[Any], floats: list[Any]
) -> None:
    given_numbers = pl.Series(values, dtype=of)
    assert to_integers(given_numbers).to_list() == integers
    assert to_floats(given_numbers).to_list() == floats


@pytest.mark.parametrize(
    ("value", "shown"), [(5.0, "5.0"), (1e16, "1" + "0" * 16), (-1e22, "-1" + "0" * 22)]
)
def test_a_whole_number_of_json_has_no_exponent(value: float, shown: str) -> None:
    assert repr(whole_number(value)) == shown


@EXAMPLES
@given(NUMBERS)
def test_a_number_of_json_is_that_float_or_stays_a_text(text: str) -> None:
    assert float_of(text) == to_floats(pl.Series([text])).item()
