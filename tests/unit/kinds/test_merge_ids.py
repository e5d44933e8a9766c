"""The ids of merged leads, in the notations of instances and of clients."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outhaul.kinds.merge_ids import losers_of

IDS = st.lists(st.integers(1, 2**63 - 1), min_size=1, max_size=5, unique=True)


@pytest.mark.parametrize(
    "value",
    [
        "[5, 6]",  # as live instances export it
        "[5,6]",
        [5, 6],
        ["5", "6"],
        '["5", "6"]',
        "['5', '6']",
        "5,6",
        "5, 6",
        " 5 ; 6 ",
        "5 6",
        "5|6",
        [5, "6"],
        [5.0, "6.0"],
        ["5,6"],
        [5, 6, 5],
        "005,6",
    ],
)
@pytest.mark.parametrize("name", ["Merge Ids", "Merge IDs", "mergeIds", "merge_ids"])
def test_a_list_is_read_in_any_notation(value: Any, name: str) -> None:
    attributes = {"Master Updated": "TRUE", name: value, "Merged In Sales": "FALSE"}
    assert losers_of(json.dumps(attributes)) == [5, 6]


@pytest.mark.parametrize("value", [1291421, "1291421", "[1291421]", [1291421], 1291421.0])
def test_one_id_is_read(value: Any) -> None:
    assert losers_of(json.dumps({"Merge Ids": value})) == [1291421]


@pytest.mark.parametrize(
    "value",
    [
        *(None, "", "[]", [], "x", "5,x", [5, None], True, {}, {"5": 6}, [[{}]]),
        *(0, -5, "5.5", 1.5, "1e3", 2**63, 10**400, "\N{ARABIC-INDIC DIGIT FIVE}", "5\u0000"),
    ],
)
def test_anything_else_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match="the attributes have"):
        losers_of(json.dumps({"Merge Ids": value}))


@pytest.mark.parametrize(
    "attributes", [None, "", "{}", '{"Merge Source": "5"}', "[5]", "5", "{", "[" * 100_000]
)
def test_attributes_without_ids_are_refused(attributes: str | None) -> None:
    with pytest.raises(ValueError, match="the attributes"):
        losers_of(attributes)


@given(ids=IDS, as_texts=st.booleans(), in_text=st.booleans())
def test_what_was_written_is_read(ids: list[int], as_texts: bool, in_text: bool) -> None:
    value: Any = [str(n) for n in ids] if as_texts else ids
    assert losers_of(json.dumps({"Merge Ids": json.dumps(value) if in_text else value})) == ids


@given(value=st.recursive(st.none() | st.text() | st.integers() | st.floats(), st.lists))
def test_any_value_gives_ids_or_is_refused(value: Any) -> None:
    try:
        found = losers_of(json.dumps({"Merge Ids": value}))
    except ValueError:
        return
    assert found
    assert all(0 < n < 2**63 for n in found)
