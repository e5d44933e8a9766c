"""The same value is loaded alike from CSV, JSON Lines and Parquet."""

import json
from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pa_parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.examples import examples

from outhaul.records.columns import INSTANT, Column, column_type
from outhaul.records.conversions import CONVERSIONS, Given, convert, data_type
from outhaul.records.fitting import Narrowest, fit
from outhaul.records.readers import open_reader

EXAMPLES = examples(60)
LARGE = 123456789012345678901234567890
DAY = date(2026, 1, 31)
MIDNIGHT = datetime(2026, 1, 31, tzinfo=UTC)
MOMENT = datetime(2026, 1, 31, 23, 59, 59, tzinfo=UTC)
REFUSED = "refused"
"""What becomes of a value that the type of a field cannot hold."""

Cell = tuple[str, Any, pa.Array]
"""A value as a cell of CSV, as a value of JSON, and as an array of Parquet."""


def cell(text: str, value: Any, of: pa.DataType) -> Cell:
    return text, value, pa.array([value], of)


def moment(text: str, nanoseconds: int, of: pa.DataType) -> Cell:
    return text, text, pa.array([nanoseconds], pa.int64()).cast(of)


INTEGER = cell("140", 140, pa.int16())
WHOLE = ("140.0", 140.0, pa.array([140.0]))
ONE = cell("1", 1, pa.int64())
WHOLE_DECIMAL = ("140.00", 140.0, pa.array([Decimal("140.00")], pa.decimal128(10, 2)))
FRACTION = cell("0.1", 0.1, pa.float32())
LONG = (
    "0.123456789012345678",
    None,
    pa.array([Decimal("0.123456789012345678")], pa.decimal128(38, 18)),
)
BEYOND = cell(str(2**63), 2**63, pa.uint64())
UNEVEN = cell(str(2**53 + 1), 2**53 + 1, pa.int64())
BOOLEAN = ("true", True, pa.array([True]))
DATE = ("2026-01-31", "2026-01-31", pa.array([DAY]))
AT_MIDNIGHT = ("2026-01-31T00:00:00Z", "2026-01-31T00:00:00Z", pa.array([MIDNIGHT]))
AT_MOMENT = ("2026-01-31T23:59:59Z", "2026-01-31T23:59:59Z", pa.array([MOMENT]))
NANOSECOND = moment("1970-01-01T00:00:00.000000001Z", 1, pa.timestamp("ns"))


@pytest.mark.parametrize(
    ("given_cell", "expected"),
    [
        (
            INTEGER,
            {"integer": 140, "float": 140.0, "string": "140"},
        ),
        (WHOLE, {"integer": 140, "float": 140.0}),
        (WHOLE_DECIMAL, {"integer": 140, "float": 140.0}),
        (ONE, {"boolean": True, "integer": 1, "float": 1.0, "string": "1"}),
        (FRACTION, {"float": 0.1, "string": "0.1"}),
        (LONG, {"string": "0.123456789012345678"}),
        (BEYOND, {"string": str(2**63)}),
        (UNEVEN, {"integer": 2**53 + 1, "string": str(2**53 + 1)}),
        (BOOLEAN, {"boolean": True, "string": "true"}),
        (DATE, {"date": DAY, "datetime": MIDNIGHT, "string": "2026-01-31"}),
        (AT_MIDNIGHT, {"date": DAY, "datetime": MIDNIGHT, "string": "2026-01-31T00:00:00Z"}),
        (AT_MOMENT, {"datetime": MOMENT, "string": "2026-01-31T23:59:59Z"}),
        (NANOSECOND, {"string": "1970-01-01T00:00:00.000000001Z"}),
    ],
)
@pytest.mark.parametrize("of", CONVERSIONS)
def test_a_value_is_loaded_alike_or_refused_alike_from_every_format(
    given_cell: Cell, expected: dict[str, Any], of: str, tmp_path: Path
) -> None:
    if of == "string" and of not in expected:
        return  # the text of a number in CSV can have more zeros than that of the number has
    found = [loaded(path, of) for path in written(tmp_path, given_cell)]
    assert found == [expected.get(of, REFUSED)] * len(found)


@pytest.mark.parametrize(
    ("value", "of", "expected"),
    [
        ("1.50", "string", "1.5"),
        ("1e2", "string", "100"),
        ("1e2", "integer", 100),
        ("-0", "integer", 0),
        ("-0", "string", "-0"),
        (str(LARGE), "string", str(LARGE)),
        (str(LARGE), "integer", REFUSED),
        (str(LARGE), "float", REFUSED),
        ("1e400", "string", "1e400"),
        ("1e400", "float", REFUSED),
        ("true", "string", "true"),
        ("true", "integer", REFUSED),
        ("[1.50]", "string", "[1.50]"),
        ('{"a":1.50}', "string", '{"a":1.50}'),
        ('{"a":1}', "integer", REFUSED),
        ('"1.50"', "string", "1.50"),
        ('"1.50"', "float", 1.5),
        ('" 12 "', "integer", REFUSED),
        ('"TRUE"', "boolean", True),
        ('"yes"', "boolean", REFUSED),
        ("1769903999", "datetime", REFUSED),
        ("1769903999", "date", REFUSED),
    ],
)
def test_values_of_json(value: str, of: str, expected: Any, tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(f'{{"x":{value}}}\n', "utf-8")
    assert loaded(path, of) == expected


def written(folder: Path, given_cell: Cell) -> list[Path]:
    """Return a file of each format that has the value."""
    text, value, array = given_cell
    csv, jsonl, parquet = (folder / f"a.{suffix}" for suffix in ("csv", "jsonl", "parquet"))
    csv.write_text(f"x\n{text}\n", "utf-8")
    jsonl.write_text(f'{{"x":{text if value is None else json.dumps(value)}}}\n', "utf-8")
    pa_parquet.write_table(pa.table({"x": array}), parquet)
    return [csv, jsonl, parquet]


def loaded(path: Path, of: str) -> Any:
    """Return the value that a field of a type gets."""
    (batch,) = open_reader(path).batches(lambda _: None)
    fitted, invalid = fit(batch, [Column(name="x", type=column_type(of))])
    assert (fitted["x"].null_count() > 0) == bool(invalid)
    return REFUSED if invalid else fitted["x"].item()


# Inference.

NANOSECONDS = pa.timestamp("ns")
MICROSECONDS = pa.timestamp("us", "Europe/Berlin")


@pytest.mark.parametrize(
    ("array", "of", "texts"),
    [
        (LONG[2], "string", ["0.123456789012345678"]),
        (pa.array([Decimal("0.5"), Decimal("1.25")], pa.decimal128(38, 18)), "float", None),
        (pa.array([Decimal(1)], pa.decimal128(10, 2)), "float", ["1"]),
        (pa.array([Decimal(140), None], pa.decimal128(38, 0)), "integer", ["140", None]),
        (pa.array([Decimal(10**37)], pa.decimal128(38, 0)), "float", ["1" + "0" * 37]),
        (pa.array([Decimal(10**37 + 1)], pa.decimal128(38, 0)), "string", [str(10**37 + 1)]),
        (
            pa.array([Decimal("1.5"), Decimal("1E-20")], pa.decimal256(60, 40)),
            "float",
            ["1.5", "0." + "0" * 19 + "1"],
        ),
        (pa.array([Decimal(10**50 + 1)], pa.decimal256(60, 0)), "string", [str(10**50 + 1)]),
        (BEYOND[2], "string", [str(2**63)]),
        (pa.array([0.1, 1e-45, 1.0], pa.float32()), "float", ["0.1", "0." + "0" * 44 + "1", "1"]),
        (pa.array([1.0, float("nan")]), "string", ["1", "NaN"]),
        (pa.array([float("-inf")]), "string", ["-inf"]),
        (pa.array([-0.0, 5e-324, 1e308]), "float", ["-0", "0." + "0" * 323 + "5", "1" + "0" * 308]),
        (NANOSECOND[2], "string", ["1970-01-01T00:00:00.000000001Z"]),
        (pa.array([10**9], pa.int64()).cast(NANOSECONDS), "datetime", ["1970-01-01T00:00:01Z"]),
        # An export writes no digits below the second.
        (
            pa.array([10**6, 1500 * 10**3], pa.int64()).cast(MICROSECONDS),
            "string",
            ["1970-01-01T00:00:01Z", "1970-01-01T00:00:01.500Z"],
        ),
        (pa.array([True, None]), "boolean", ["true", None]),
        (pa.array([DAY], pa.date64()), "date", ["2026-01-31"]),
        (pa.array(["1", "x"]).dictionary_encode(), "string", ["1", "x"]),
        (pa.array(["1", "2"], pa.large_string()), "integer", ["1", "2"]),
        (pa.nulls(2), "string", [None, None]),
    ],
)
def test_the_type_of_a_column_of_parquet(
    array: pa.Array, of: str, texts: list[str | None] | None, tmp_path: Path
) -> None:
    path = tmp_path / "a.parquet"
    pa_parquet.write_table(pa.table({"x": array}), path)
    (batch,) = open_reader(path).batches(lambda _: None)
    narrowest = Narrowest()
    narrowest.look(batch["x"])
    assert data_type(narrowest.type) == of
    if texts is not None:
        typed = convert(convert(batch["x"], pl.String()), narrowest.type)
        assert convert(typed, pl.String()).to_list() == texts


SERIES: Sequence[tuple[pl.DataType, st.SearchStrategy[Any]]] = [
    (pl.Int64(), st.integers(-(2**63), 2**63 - 1)),
    (pl.UInt64(), st.integers(0, 2**64 - 1)),
    (pl.Float64(), st.floats()),
    (pl.Float32(), st.floats(width=32)),
    (pl.Boolean(), st.booleans()),
    (pl.Date(), st.dates()),
    (pl.Datetime("us"), st.datetimes()),
    (INSTANT, st.datetimes(timezones=st.just(UTC))),
    (pl.Decimal(20, 6), st.decimals(-(10**13), 10**13, places=6)),
    (
        pl.String(),
        st.floats().map(repr)
        | st.integers(-(2**65), 2**65).map(str)
        | st.dates().map(str)
        | st.booleans().map(str)
        | st.datetimes().map(datetime.isoformat),
    ),
]


@EXAMPLES
@given(st.data(), st.sampled_from(SERIES), st.sampled_from([*CONVERSIONS]))
def test_whatever_is_converted_has_the_same_text_as_before(
    data: st.DataObject, series: tuple[pl.DataType, st.SearchStrategy[Any]], of: str
) -> None:
    values = data.draw(st.lists(st.none() | series[1], max_size=4))
    before = pl.Series(values, dtype=series[0])
    typed = convert(before, column_type(of))
    assert typed.dtype == column_type(of)
    # Back to where it came from: the text of what was converted is read as the same value.
    texts = convert(before, pl.String())
    assert convert(texts, column_type(of)).equals(typed)


def test_every_type_takes_texts_and_names_what_it_takes() -> None:
    for conversions in CONVERSIONS.values():
        assert Given.TEXT in conversions
        assert all(conversion.takes for conversion in conversions.values())


@pytest.mark.parametrize("of", CONVERSIONS)
@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize(
    "array",
    [
        pa.array([2**31 - 1], pa.int32()).cast(pa.date32()),
        *(pa.array([2**58], pa.timestamp(unit)) for unit in ("ms", "us")),
        pa.array([2**60], pa.timestamp("us", "UTC")),
        pa.array([2**50], pa.timestamp("s", "Europe/Berlin")),
    ],
)
def test_dates_beyond_the_calendar_are_refused(
    of: str, sign: int, array: pa.Array, tmp_path: Path
) -> None:
    if sign < 0:
        whole = pa.int32() if pa.types.is_date32(array.type) else pa.int64()
        array = pa.array([-array.cast(whole)[0].as_py()], whole).cast(array.type)
    path = tmp_path / "a.parquet"
    pa_parquet.write_table(pa.table({"x": array}), path)
    (batch,) = open_reader(path).batches(lambda _: None)
    _, invalid = fit(batch, [Column(name="x", type=column_type(of))])
    assert [found.reason for found in invalid] == ["x: its year is none from 1 to 9999"]
    narrowest = Narrowest()
    narrowest.look(batch["x"])
    assert narrowest.type == pl.String()
