import re
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.examples import examples

from outhaul.records.columns import INSTANT, Column, column_type
from outhaul.records.conversions import convert, data_type, render
from outhaul.records.fitting import Invalid, Narrowest, fit

EXAMPLES = examples(150)
WHOLE, NUMBER, FLAG, DAY, TEXT = pl.Int64(), pl.Float64(), pl.Boolean(), pl.Date(), pl.String()
DATETIMES = st.datetimes(timezones=st.just(UTC))


def fitted(values: Sequence[Any], of: pl.DataType, **rules: Any) -> tuple[list[Any], list[str]]:
    """Return the values that a column has, and what does not fit."""
    column = Column(name="x", type=of, **rules)
    dtype = pl.String if all(isinstance(value, str | None) for value in values) else None
    batch, misfits = fit(pl.DataFrame({"x": pl.Series(values, dtype=dtype)}), [column])
    return batch["x"].to_list(), [f"{misfit.record}: {misfit.reason}" for misfit in misfits]


@pytest.mark.parametrize(
    ("text", "of", "value"),
    [
        ("5", WHOLE, 5),
        ("-5", WHOLE, -5),
        ("007", WHOLE, 7),
        (str(2**63 - 1), WHOLE, 2**63 - 1),
        (str(-(2**63)), WHOLE, -(2**63)),
        ("140.0", WHOLE, 140),
        ("140.", WHOLE, 140),
        ("1e3", WHOLE, 1000),
        ("-1.5E1", WHOLE, -15),
        ("0e999999999", WHOLE, 0),
        (f"{2**63 - 1}.000", WHOLE, 2**63 - 1),
        ("9.223372036854775807e18", WHOLE, 2**63 - 1),
        ("1.5", NUMBER, 1.5),
        ("0.10", NUMBER, 0.1),
        ("1E5", NUMBER, 100000.0),
        ("+00001.5000000000000000000000000", NUMBER, 1.5),
        ("1e22", NUMBER, 1e22),
        ("1" + "0" * 300, NUMBER, 1e300),
        ("5e-324", NUMBER, 5e-324),
        ("9007199254740992", NUMBER, 2.0**53),
        ("5", NUMBER, 5.0),
        ("1e3", NUMBER, 1000.0),
        ("true", FLAG, True),
        ("TRUE", FLAG, True),
        ("False", FLAG, False),
        ("1", FLAG, True),
        ("false", FLAG, False),
        ("0", FLAG, False),
        ("2026-01-31", DAY, date(2026, 1, 31)),
        ("0001-01-01", DAY, date(1, 1, 1)),
        ("2026-01-31T00:00:00Z", DAY, date(2026, 1, 31)),
        ("2026-01-31T02:00:00+02:00", DAY, date(2026, 1, 31)),
        ("9999-12-31", DAY, date(9999, 12, 31)),
        ("2026-01-31T23:59:59Z", INSTANT, datetime(2026, 1, 31, 23, 59, 59, tzinfo=UTC)),
        ("2026-01-31T23:59:59+0000", INSTANT, datetime(2026, 1, 31, 23, 59, 59, tzinfo=UTC)),
        ("2026-01-31T23:59:59+02:00", INSTANT, datetime(2026, 1, 31, 21, 59, 59, tzinfo=UTC)),
        ("2026-01-31T23:59:59-0530", INSTANT, datetime(2026, 2, 1, 5, 29, 59, tzinfo=UTC)),
        ("2026-01-31T23:59:59", INSTANT, datetime(2026, 1, 31, 23, 59, 59, tzinfo=UTC)),
        ("2026-01-31T23:59Z", INSTANT, datetime(2026, 1, 31, 23, 59, tzinfo=UTC)),
        ("2026-01-31T23:59-01:00", INSTANT, datetime(2026, 2, 1, 0, 59, tzinfo=UTC)),
        ("2026-01-31", INSTANT, datetime(2026, 1, 31, tzinfo=UTC)),
        ("2026-01-31T23:59:59.25Z", INSTANT, datetime(2026, 1, 31, 23, 59, 59, 250_000, UTC)),
        ("2026-01-31T23:59:59.123456000", INSTANT, datetime(2026, 1, 31, 23, 59, 59, 123456, UTC)),
        ("0001-01-01T00:00:00Z", INSTANT, datetime(1, 1, 1, tzinfo=UTC)),
        ("9999-12-31T23:59:59.999999Z", INSTANT, datetime.max.replace(tzinfo=UTC)),
        ("", TEXT, ""),
        ("null", TEXT, "null"),
        (" a\0b ", TEXT, " a\0b "),
    ],
)
def test_text_becomes_the_type_of_its_column(text: str, of: pl.DataType, value: Any) -> None:
    # A second value that is null, so that the column is never all of one sort.
    assert fitted([text, None], of) == ([value, None], [])


@pytest.mark.parametrize(
    ("text", "of", "expected"),
    [
        *(
            (text, WHOLE, "an integer")
            for text in ("", " 5", "5 ", "1.5", "15e-1", "x", "٣", "1_0")
        ),
        *(
            (text, WHOLE, "an integer")
            for text in ("null", "1e-999999999", "e5", ".", "0x1", "\uff11\uff12")
        ),
        *(
            (text, WHOLE, "an integer of 64 bits")
            for text in (str(2**63), str(-(2**63) - 1), f"{2**63}.0", "1e19", "1e999999999")
        ),
        *((text, NUMBER, "a number") for text in ("", "NaN", "nan", "inf", "-inf", "Infinity")),
        *((text, NUMBER, "a number") for text in ("1,5", " 1", "0x1")),
        *(
            (
                text,
                NUMBER,
                "a number that a float of 64 bits holds exactly; a string field holds it",
            )
            for text in (
                "1e400",
                "1e-400",
                "1e999999999999999999999",
                "0.12345678901234567890",
                "0.123456789012345678",
                str(2**53 + 1),
                "12345678901234567890",
                # A float holds 2**60, but shows it with other digits.
                str(2**60),
            )
        ),
        *((text, FLAG, "true or false") for text in ("", "yes", "on", "2", " true")),
        *(
            (text, DAY, "a date such as 2026-01-31")
            for text in (
                "2026-02-30",
                "2026-1-31",
                "2026-01- 1",
                "+026-01-31",
                "0000-01-01",
                "31.01.2026",
                "",
                "1769903999",
            )
        ),
        *(
            (text, DAY, "a date such as 2026-01-31, nor midnight in UTC")
            for text in ("2026-01-31T05:00:00Z", "2026-01-31T00:00:00+01:00")
        ),
        *(
            (text, INSTANT, "a datetime without digits below the microsecond")
            for text in ("2026-01-31T23:59:59.123456789Z", "2026-01-31T23:59:59.1234567")
        ),
        *(
            (text, INSTANT, "a datetime such as 2026-01-31T23:59:59Z")
            for text in (
                "",
                "2026-01-31 23:59:59",
                "2026-02-29T00:00:00Z",
                "2026-01-31T24:00:00Z",
                "2026-01-31T23:59:60Z",
                "2026-01-31T23:59:59 Z",
                "2026-01-31T23:59:59z",
                "2026-01-31T23:59:59.Z",
                "2026-01-31T23:59:59+24:00",
                "2026-01-31T23:59:59+0000+0000",
                "2026-1-1T1:1:1Z",
                "+2026-01-31T23:59:59Z",
                "0000-12-31T23:59:59Z",
                "0001-01-01T00:00:00+01:00",
                "9999-12-31T23:59:59-01:00",
                "1769903999",
            )
        ),
    ],
)
def test_text_that_does_not_fit_is_named_with_what_is_expected(
    text: str, of: pl.DataType, expected: str
) -> None:
    assert fitted([None, text], of) == ([None, None], [f"1: x: {text!r} is not {expected}"])


@pytest.mark.parametrize(
    ("values", "of", "result"),
    [
        ([1.0, -2.0], WHOLE, [1, -2]),
        ([Decimal("1.00"), Decimal("-20.00")], WHOLE, [1, -20]),
        ([Decimal("1.50")], NUMBER, [1.5]),
        ([Decimal("1.50")], TEXT, ["1.5"]),
        ([1, 0], FLAG, [True, False]),
        ([1.0, 0.0], FLAG, [True, False]),
        ([1, 2], NUMBER, [1.0, 2.0]),
        ([1.5, 2.0], TEXT, ["1.5", "2"]),
        ([True], TEXT, ["true"]),
        ([date(2026, 1, 31)], TEXT, ["2026-01-31"]),
        ([date(2026, 1, 31)], INSTANT, [datetime(2026, 1, 31, tzinfo=UTC)]),
        ([datetime(2026, 1, 31)], INSTANT, [datetime(2026, 1, 31, tzinfo=UTC)]),  # noqa: DTZ001
        ([datetime(2026, 1, 31, tzinfo=UTC)], DAY, [date(2026, 1, 31)]),
        ([datetime(2026, 1, 31, 5, tzinfo=UTC)], TEXT, ["2026-01-31T05:00:00Z"]),
    ],
)
def test_values_that_have_a_type_already_become_that_of_their_column(
    values: list[Any], of: pl.DataType, result: list[Any]
) -> None:
    assert convert(pl.Series(values), of).to_list() == result


@pytest.mark.parametrize(
    ("values", "of"),
    [
        ([1.5, float("nan"), float("inf"), 2.0**63], WHOLE),
        ([Decimal("1.50")], WHOLE),
        ([float("nan"), float("inf"), -float("inf")], NUMBER),
        ([True], WHOLE),
        ([2, -1], FLAG),
        ([1], INSTANT),
        ([1], DAY),
        ([True], NUMBER),
        ([2**53 + 1, -(2**60)], NUMBER),
        ([Decimal("0.123456789012345678")], NUMBER),
        ([datetime(2026, 1, 31, 5, tzinfo=UTC)], DAY),
        ([date(2026, 1, 31)], WHOLE),
    ],
)
def test_values_of_a_type_that_would_lose_something_do_not_fit(
    values: list[Any], of: pl.DataType
) -> None:
    found, misfits = fitted(values, of)
    assert found == [None] * len(values)
    assert len(misfits) == len(values)


def test_integers_beyond_64_bits_do_not_fit() -> None:
    assert convert(pl.Series([2**63], dtype=pl.UInt64), WHOLE).to_list() == [None]


def test_moments_of_other_zones_and_units_are_the_same_moments() -> None:
    moment = datetime(2026, 7, 1, 12, tzinfo=UTC)
    elsewhere = pl.Series([moment]).dt.convert_time_zone("Europe/Berlin").dt.cast_time_unit("ns")
    assert convert(elsewhere, INSTANT).to_list() == [moment]


@EXAMPLES
@given(st.datetimes(), st.integers(-1439, 1439), st.sampled_from(["", ":"]))
def test_an_offset_is_taken_off(local: datetime, minutes: int, colon: str) -> None:
    hours, rest = divmod(abs(minutes), 60)
    text = f"{local.isoformat()}{'-' if minutes < 0 else '+'}{hours:02}{colon}{rest:02}"
    try:
        expected = local.replace(tzinfo=UTC) - timedelta(minutes=minutes)
    except OverflowError:
        expected = None  # beyond the calendar
    assert fitted([text], INSTANT)[0] == [expected]


@EXAMPLES
@given(st.text("0123456789-+ :Z.", max_size=24))
def test_only_what_looks_like_a_date_is_one(text: str) -> None:
    found, _ = fitted([text, None], DAY)
    try:
        is_date = re.fullmatch(r"\d{4}-\d\d-\d\d", text) and date.fromisoformat(text)
    except ValueError:
        is_date = None
    assert found[0] == is_date


def test_a_required_column_must_be_there_in_every_record() -> None:
    assert fitted(["a", None, ""], TEXT, required=True)[1] == ["1: x: missing", "2: x: missing"]
    _, misfits = fit(pl.DataFrame({"y": ["1", "2"]}), [Column(name="x", type=TEXT, required=True)])
    assert misfits == [Invalid(0, "x: missing"), Invalid(1, "x: missing")]


def test_a_column_that_is_not_there_is_left_out() -> None:
    batch, misfits = fit(pl.DataFrame({"y": ["1"]}), [Column(name="x", type=TEXT)])
    assert (batch.columns, misfits) == ([], [])


def test_a_positive_column_takes_no_zero() -> None:
    assert fitted(["1", "0", "-1", None], WHOLE, positive=True)[1] == [
        "1: x: '0' is not a positive integer",
        "2: x: '-1' is not a positive integer",
    ]


@pytest.mark.parametrize("members", [[1, 2], []])
def test_only_members_are_taken(members: list[int]) -> None:
    _, misfits = fitted(["1", "3", None], WHOLE, members=members, members_of="a list")
    assert misfits == [
        f"{n}: x: '{v}' is not a list" for n, v in ((0, 1), (1, 3)) if v not in members
    ]


@pytest.mark.parametrize("text", ["{}", '{"a": [1, {"b": null}]}', '{"a":1e999}', ' {"a":"é"} '])
def test_a_json_object_is_kept_as_it_is_written(text: str) -> None:
    assert fitted([text, None], TEXT, json_object=True) == ([text, None], [])


@pytest.mark.parametrize("text", ["", "null", "[]", '"{}"', "{", "{'a':1}", '{"a":1} x', "{a:1}"])
def test_what_is_no_json_object_does_not_fit(text: str) -> None:
    assert fitted([text], TEXT, json_object=True)[1] == [f"0: x: {text!r} is not a JSON object"]


def test_json_that_is_nested_too_deeply_does_not_fit() -> None:
    deep = '{"a":' * 100_000 + "1" + "}" * 100_000
    (misfit,) = fitted([deep], TEXT, json_object=True)[1]
    assert misfit.endswith("…' is not a JSON object")


def test_a_long_value_is_not_shown_whole() -> None:
    (misfit,) = fitted(["9" * 1000], WHOLE)[1]
    assert misfit == f"0: x: '{'9' * 60}…' is not an integer of 64 bits"


def test_misfits_come_in_the_order_of_the_records() -> None:
    columns = [Column(name="a", type=WHOLE), Column(name="b", type=WHOLE)]
    _, misfits = fit(pl.DataFrame({"a": ["1", "x"], "b": ["y", "z"]}), columns)
    assert [misfit.record for misfit in misfits] == [0, 1, 1]


# Text that is nearly a value of one type or another, beside text that is one.
CELLS = (
    st.sampled_from(["", "null", "true", "false", "1", "0", "-0", "007", "+5", "1.0", "NaN", "inf"])
    | st.integers(-(2**65), 2**65).map(str)
    | st.floats().map(str)
    | st.dates().map(str)
    | DATETIMES.map(lambda moment: moment.strftime("%Y-%m-%dT%H:%M:%SZ"))
    | DATETIMES.map(datetime.isoformat)
    | st.text(max_size=3)
)


@EXAMPLES
@given(st.lists(st.none() | CELLS, max_size=4), st.lists(st.none() | CELLS, max_size=2))
def test_every_value_of_the_narrowest_type_renders_back_to_its_text(
    first: list[str | None], second: list[str | None]
) -> None:
    narrowest = Narrowest()
    batches = [pl.Series(cells, dtype=pl.String) for cells in (first, second)]
    for batch in batches:
        narrowest.look(batch)
    given_text = pl.concat(batches)
    values = convert(given_text, narrowest.type)
    assert pl.select(render(pl.lit(values), narrowest.type)).to_series().equals(given_text)
    for narrower in Narrowest.CANDIDATES:
        if narrower == narrowest.type or not given_text.drop_nulls().len():
            break
        other = pl.select(render(pl.lit(convert(given_text, narrower)), narrower)).to_series()
        assert not other.equals(given_text)


@pytest.mark.parametrize(
    ("values", "of"),
    [
        (["true", "false"], FLAG),
        (["1", "0"], WHOLE),
        (["1", "1.5"], NUMBER),
        (["1.50"], TEXT),
        (["007"], TEXT),
        (["2026-01-31"], DAY),
        (["2026-01-31T00:00:00Z"], INSTANT),
        (["2026-01-31T00:00:00+0000"], TEXT),
        (["2026-01-31", "2026-01-31T00:00:00Z"], TEXT),
        ([str(2**63)], TEXT),
        ([None, None], TEXT),
        ([], TEXT),
        ([""], TEXT),
        ([1, 2], WHOLE),
        ([1.0, 2.0], NUMBER),
        ([float("nan")], TEXT),
        ([True], FLAG),
        ([date(2026, 1, 31)], DAY),
        ([datetime(2026, 1, 31, tzinfo=UTC)], INSTANT),
        ([time(1)], TEXT),
    ],
)
def test_the_narrowest_type(values: list[Any], of: pl.DataType) -> None:
    narrowest = Narrowest()
    dtype = pl.String if all(value is None for value in values) else None
    narrowest.look(pl.Series(values, dtype=dtype))
    assert narrowest.type == of


def test_a_type_is_called_in_the_catalog_what_makes_a_column_of_it() -> None:
    for of in (*Narrowest.CANDIDATES, TEXT):
        assert column_type(data_type(of)) == of
