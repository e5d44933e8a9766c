"""Attributes of activities in typed columns: nothing of them is lost."""

import json
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.examples import examples

from outhaul.client import ActivityType, Spreading
from outhaul.records.json_objects import text_of

TYPES = (
    ActivityType(
        id=1,
        name="Visit Webpage",
        attributes={
            "Webpage URL": "url",
            "Count": "integer",
            "Ratio": "float",
            "Mobile": "boolean",
            "At": "datetime",
        },
    ),
    ActivityType(
        id=2,
        name="Clashing / Names!",
        attributes={
            "leadid": "integer",
            "Note": "string",
            "NOTE": "string",
            "note": "string",
            "otherAttributes": "string",
            "note_attribute": "string",
        },
    ),
)
COLUMNS = ("leadId", "activityTypeId", "attributes")
SCHEMA = pa.schema(
    [("leadId", pa.int64()), ("activityTypeId", pa.int64()), ("attributes", pa.string())]
)


def spread(*rows: tuple[int | None, str | None]) -> dict[int | None, list[dict[str, Any]]]:
    """Return the records of each type, without the columns that they had before."""
    records = [dict(zip(COLUMNS, (n, *row), strict=True)) for n, row in enumerate(rows)]
    batch = pa.RecordBatch.from_pylist(records, SCHEMA)
    spreading = Spreading(TYPES, SCHEMA)
    found: dict[int | None, list[dict[str, Any]]] = {}
    for of, part in spreading.split(batch):
        assert part.schema == spreading.schema(of)
        found[of] = [
            {name: value for name, value in record.items() if value is not None}
            for record in part.drop_columns(["leadId", "activityTypeId"]).to_pylist()
        ]
    return found


def test_attributes_have_the_declared_types() -> None:
    row = '{"Webpage URL":"/a","Count":"7","Ratio":0.5,"Mobile":true,"At":"2026-01-31T00:00:00Z"}'
    (record,) = spread((1, row))[1]
    assert str(record.pop("At")) == "2026-01-31 00:00:00+00:00"
    assert record == {"Webpage URL": "/a", "Count": 7, "Ratio": 0.5, "Mobile": True}


@pytest.mark.parametrize(
    ("given", "columns", "others"),
    [
        ('{"Count":"many","Webpage URL":"x"}', {"Webpage URL": "x"}, '{"Count":"many"}'),
        ('{"New":[1, {"a":2}],"Count":1}', {"Count": 1}, '{"New":[1, {"a":2}]}'),
        ('{"Count":9223372036854775808}', {}, '{"Count":9223372036854775808}'),
        ('{"Count":1,"Count":2}', {}, '{"Count":1,"Count":2}'),
        ('{"count":1}', {}, '{"count":1}'),
        ('{"\\"":null}', {}, '{"\\"":null}'),
        ("not JSON", {}, "not JSON"),
        ("[1]", {}, "[1]"),
        ('{"Count":null}', {}, None),
        ("{}", {}, None),
        (None, {}, None),
    ],
)
def test_what_no_column_holds_is_there_as_json(
    given: str | None, columns: dict[str, Any], others: str | None
) -> None:
    expected = columns if others is None else {**columns, "otherAttributes": others}
    assert spread((1, given)) == {1: [expected]}


def test_unknown_types_and_missing_ones() -> None:
    found = spread((3, '{"a":1}'), (None, None), (1, "{}"), (3, "{}"))
    assert found == {3: [{"otherAttributes": '{"a":1}'}, {}], None: [{}], 1: [{}]}


def test_names_that_are_taken_get_an_end() -> None:
    """Upper and lower case are the same to many engines."""
    assert Spreading(TYPES, SCHEMA).schema(2).names == [
        "leadId",
        "activityTypeId",
        "leadid_attribute",
        "Note",
        "NOTE_attribute",
        "note_attribute2",
        "otherAttributes_attribute",
        "note_attribute_attribute",
        "otherAttributes",
    ]


@pytest.mark.parametrize(
    ("of", "name"), [(1, "1-visit-webpage"), (2, "2-clashing-names"), (3, "3"), (None, "no-type")]
)
def test_names_for_files(of: int | None, name: str) -> None:
    assert Spreading(TYPES, SCHEMA).name(of) == name


@pytest.mark.parametrize("missing", ["activityTypeId", "attributes"])
def test_columns_that_are_needed(missing: str) -> None:
    schema = pa.schema([field for field in SCHEMA if field.name != missing])
    with pytest.raises(ValueError, match=missing):
        Spreading(TYPES, schema)


def equals(value: Any) -> set[str | None]:
    """Return the texts of the values that a value may become in a column of another type."""
    text = text_of(json.dumps(value).encode())
    return {text, {"1": "true", "0": "false"}.get(str(text), text)}


@given(
    st.dictionaries(
        st.sampled_from(["Webpage URL", "Count", "Ratio", "Mobile"])
        | st.text(st.characters(codec="utf-8"), max_size=4),
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.text(st.characters(codec="utf-8")),
    ),
    st.sampled_from([1, 3]),
)
@examples(100)
def test_every_value_is_in_a_column_or_among_the_others(
    attributes: dict[str, Any], of: int
) -> None:
    text = json.dumps(attributes)
    (record,) = spread((of, text))[of]
    others = json.loads(record.pop("otherAttributes", "{}"))
    assert not {*record} & {*others}
    for name, value in attributes.items():
        if name in others:
            assert others[name] == value
        elif value is None:
            assert name not in record
        else:
            assert text_of(json.dumps(record[name]).encode()) in equals(value)
