import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.paths import REAL_EXPORTS, needs_real_exports

from outhaul.catalog.entries import (
    ActivityType,
    Asset,
    AssetType,
    CatalogError,
    Entries,
    LeadField,
    parse_catalog,
)

DESCRIBE = REAL_EXPORTS / "lead_describe.json"

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
PARTS = ["id", "name", "displayName", "dataType", "rest", "soap", "program"]
ENTRY = st.dictionaries(
    st.sampled_from(PARTS),
    JSON | st.integers() | st.text() | st.dictionaries(st.just("name"), JSON | st.text()),
)
CONTENT = st.dictionaries(
    st.sampled_from(["result", *AssetType, "other"]), st.lists(ENTRY, max_size=3) | JSON
)


def field(name: str = "email", **parts: Any) -> dict[str, Any]:
    return {
        "id": 56,
        "displayName": "Email Address",
        "dataType": "email",
        "rest": {"name": name, "readOnly": False},
        **parts,
    }


def test_lead_fields_are_read_from_a_describe_answer() -> None:
    entry = field(soap={"name": "Email"}, length=255)
    entries = parse_catalog({"requestId": "a#1", "success": True, "result": [entry]})
    assert entries == Entries(
        lead_fields=(
            LeadField(id=56, name="email", display_name="Email Address", data_type="email"),
        )
    )
    assert entries.lead_fields[0].description == entry


def test_a_field_that_only_the_soap_api_has_is_left_out() -> None:
    soap_only = {"id": 1, "displayName": "Old", "dataType": "string", "soap": {"name": "Old"}}
    entries = parse_catalog({"result": [soap_only, field()]})
    assert [entry.name for entry in entries.lead_fields] == ["email"]


def test_activity_types_are_read_from_their_answer() -> None:
    entry = {"id": 13, "name": "Change Data Value", "attributes": []}
    entries = parse_catalog({"result": [entry]})
    assert entries == Entries(activity_types=(ActivityType(id=13, name="Change Data Value"),))
    assert entries.activity_types[0].description == entry


def test_assets_are_read_from_the_file_of_outhaul() -> None:
    entries = parse_catalog(
        {
            "staticLists": [{"id": 3, "name": "Guests", "program": "Fair"}],
            "forms": [{"id": 2, "name": "Sign up", "program": None}],
            "programs": [{"id": 1, "name": "Fair", "program": "no program is in one"}],
        }
    )
    assert entries.assets == (
        Asset(type=AssetType.PROGRAM, id=1, name="Fair"),
        Asset(type=AssetType.FORM, id=2, name="Sign up"),
        Asset(type=AssetType.STATIC_LIST, id=3, name="Guests", program="Fair"),
    )
    names = [entry.qualified_name for entry in entries.assets]
    assert names == ["Fair", "Sign up", "Fair.Guests"]


def test_campaigns_are_read_as_live_instances_show_them() -> None:
    campaign = {"id": 7, "name": "Remind", "type": "trigger", "active": True, "programId": 1}
    entries = parse_catalog({"campaigns": [{**campaign, "programName": "Fair"}]})
    assert entries.assets == (Asset(type=AssetType.CAMPAIGN, id=7, name="Remind", program="Fair"),)
    assert entries.assets[0].description["programId"] == 1


def test_dates_of_assets_are_kept_in_one_form() -> None:
    dates = {"createdAt": "2026-01-31T23:59:59Z+0000", "updatedAt": "2026-02-01T01:00:00+01:00"}
    (entry,) = parse_catalog({"programs": [{"id": 1, "name": "Fair", **dates}]}).assets
    assert entry.description["createdAt"] == "2026-01-31T23:59:59Z"
    assert entry.description["updatedAt"] == "2026-02-01T00:00:00Z"


@pytest.mark.parametrize(
    ("value", "wrong"),
    [
        (float("nan"), r"x: nan is no number"),
        (float("inf"), r"x: inf is no number"),
        ("\ud800", r"x: '\\ud800' holds half a surrogate pair"),
        ({"a": ["b\udc00"]}, r"x\.a\[0\]: .* half a surrogate pair"),
        ({"\udc00": 1}, r"x: a name: .* half a surrogate pair"),
    ],
)
def test_what_could_not_be_answered_is_not_read(value: object, wrong: str) -> None:
    for content, place in (
        ({"forms": [{"id": 1, "name": "a", "x": value}]}, r"forms\[0\]\."),
        ({"result": [field(x=value)]}, r"result\[0\]\."),
    ):
        with pytest.raises(CatalogError, match=place + wrong):
            parse_catalog(content)


def test_an_answer_or_a_file_may_be_empty() -> None:
    assert len(parse_catalog({"result": []})) == 0
    assert len(parse_catalog({"programs": [], "forms": []})) == 0


@pytest.mark.parametrize(
    ("content", "place"),
    [
        (None, "a catalog file is a JSON object"),
        ([], "a catalog file is a JSON object"),
        ({}, "found nothing"),
        ({"leads": []}, "found leads"),
        ({"programs": [], "landingPages": []}, "found landingPages"),
        ({"result": {}}, r"result: expected an array"),
        ({"programs": None}, r"programs: expected an array"),
        ({"result": [1]}, r"result\[0\]: expected an object"),
        ({"result": [field(), field("phone", id="57")]}, r"result\[1\]\.id: .* found '57'"),
        ({"result": [field(id=True)]}, r"result\[0\]\.id: .* found True"),
        ({"result": [field(id=2**31)]}, r"result\[0\]\.id: expected an integer of 32 bits"),
        ({"result": [field(displayName="")]}, r"result\[0\]\.displayName: expected a text"),
        ({"result": [field(dataType=None)]}, r"result\[0\]\.dataType: expected a text"),
        ({"result": [field(rest=[])]}, r"result\[0\]\.rest: expected an object"),
        ({"result": [field(rest={})]}, r"result\[0\]\.rest\.name: expected a text, found None"),
        ({"result": [field("a\ud800")]}, r"result\[0\]\.rest\.name: .* half a surrogate pair"),
        ({"result": [field(), field()]}, "field 'email' is described twice"),
        ({"result": [{"id": 1}]}, r"result\[0\]\.name: expected a text"),
        ({"result": [{"id": 1, "name": "a"}, {}]}, r"result\[1\]\.id: expected an integer"),
        ({"forms": [{"id": 1, "name": "a", "program": 2}]}, r"forms\[0\]\.program: expected"),
        ({"staticLists": [{"id": None, "name": "a"}]}, r"staticLists\[0\]\.id: expected"),
        ({"campaigns": [{"id": 1, "name": "a", "type": "x"}]}, r"campaigns\[0\]\.type: expected"),
        ({"campaigns": [{"id": 1, "name": "a", "active": 1}]}, r"campaigns\[0\]\.active: expected"),
        ({"campaigns": [{"id": 1, "name": "a", "programId": "x"}]}, r"campaigns\[0\]\.programId"),
        ({"forms": [{"id": 1, "name": "a", "createdAt": 5}]}, r"forms\[0\]\.createdAt: expected"),
        ({"forms": [{"id": 1, "name": "a", "updatedAt": "x"}]}, r"\.updatedAt: expected ISO 8601"),
    ],
)
def test_what_does_not_fit_is_named(content: object, place: str) -> None:
    with pytest.raises(CatalogError, match=place):
        parse_catalog(content)


@given(JSON | CONTENT)
def test_any_json_is_a_catalog_or_a_catalog_error(content: object) -> None:
    try:
        entries = parse_catalog(content)
    except CatalogError:
        return
    assert isinstance(content, dict)
    held = [entry for value in content.values() if isinstance(value, list) for entry in value]
    assert len(entries) <= len(held)


@needs_real_exports
def test_the_describe_answer_of_a_live_instance_is_read() -> None:
    content = json.loads(DESCRIBE.read_text("utf-8"))
    entries = parse_catalog(content)
    assert len(entries) == len(entries.lead_fields) == 16
    assert [entry.description for entry in entries.lead_fields] == content["result"]
    assert entries.lead_fields[0] == LeadField(
        id=1, name="mKtestboolean", display_name="Marketo_test_boolean", data_type="boolean"
    )
