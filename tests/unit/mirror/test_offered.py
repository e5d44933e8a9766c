"""Rubbish among the entries of a catalog is refused, and the rest is taken."""

from typing import Any

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.looked_up import LookedUp, Params, refused, well

from outhaul.catalog.entries import AssetType, LeadField
from outhaul.client import CallsSpentError, UnreachableError
from outhaul.mirror.offered import Offer, Part, read_offer

DESCRIBE = "/rest/v1/leads/describe.json"
TYPES = "/rest/v1/activities/types.json"
MEMBERS = "/rest/v1/programs/members/describe.json"
OBJECTS = "/rest/v1/customobjects.json"
PROGRAMS = "/rest/asset/v1/programs.json"
STATIC_LISTS = "/rest/asset/v1/staticLists.json"
LISTS = "/rest/v1/lists.json"
FORMS = "/rest/asset/v1/forms.json"
CAMPAIGNS = "/rest/asset/v1/smartCampaigns.json"

RUBBISH: list[Any] = [
    None,
    5,
    "text",
    [],
    {},
    {"id": "1", "name": "an id as text"},
    {"id": 2**40, "name": "too large"},
    {"id": 7},
    {"id": 8, "name": ""},
    {"id": 9, "name": "half \ud800"},
    {"id": True, "name": "x"},
    {"id": 10, "name": ["x"]},
    {"id": 11, "name": "x", "createdAt": "yesterday"},
    {"name": {"a": 1}, "dataType": "string"},
    {"id": 12, "displayName": "X", "dataType": "string", "rest": "X"},
    {"id": 13, "displayName": "X", "dataType": "string", "rest": {"name": ["x"]}},
    {"id": 14, "displayName": "X", "dataType": 5, "rest": {"name": "x"}},
    {"id": 15, "displayName": "X", "dataType": "string", "rest": {}},
]
FIELD = {"id": 1, "displayName": "E", "dataType": "email", "rest": {"name": "email"}}
TYPE = {"id": 1, "name": "Visit Webpage"}
MEMBER = {"name": "statusName", "dataType": "string"}
ASSET = {"id": 1, "name": "One"}


def offer(answers: dict[str, Any], fields: dict[str, LeadField] | None = None) -> Offer:
    def answering(content: Any) -> Any:
        return content if callable(content) else lambda _: well(*content)

    endpoint = LookedUp({path: answering(content) for path, content in answers.items()})
    return read_offer(endpoint.session(), fields or {})


@given(before=st.lists(st.sampled_from(RUBBISH)), after=st.lists(st.sampled_from(RUBBISH)))
def test_good_entries_are_taken_whatever_is_around_them(
    before: list[Any], after: list[Any]
) -> None:
    found = offer(
        {
            DESCRIBE: [*before, FIELD, *after],
            TYPES: [*before, TYPE, *after],
            MEMBERS: [{"fields": [*before, MEMBER, *after]}],
            PROGRAMS: [*before, ASSET, *after],
            STATIC_LISTS: [*before, ASSET, *after],
            CAMPAIGNS: [*before, ASSET, *after],
        }
    )
    entries = found.entries
    assert "email" in [entry.name for entry in entries.lead_fields]
    assert 1 in [entry.id for entry in entries.activity_types]
    assert "statusName" in [entry.name for entry in entries.member_fields]
    for of in (AssetType.PROGRAM, AssetType.STATIC_LIST, AssetType.CAMPAIGN):
        assert 1 in [entry.id for entry in entries.assets if entry.type is of]
    assert set(found.missing) == {Part.CUSTOM_OBJECT_TYPES, Part.SMART_LISTS, Part.FORMS}


@pytest.mark.parametrize("rubbish", RUBBISH)
def test_rubbish_is_refused_by_name(rubbish: Any) -> None:
    found = offer({DESCRIBE: [rubbish, FIELD]})
    assert [entry.name for entry in found.entries.lead_fields] == ["email"]
    assert [each.part for each in found.refused] == [Part.LEAD_FIELDS]
    assert all(each.name and each.reason for each in found.refused)


def test_fields_of_the_soap_api_are_left_out_without_a_word() -> None:
    soap = {"id": 2, "displayName": "S", "dataType": "string", "soap": {"name": "S"}}
    found = offer({DESCRIBE: [soap, FIELD]})
    assert (len(found.entries.lead_fields), found.refused) == (1, [])


def test_what_is_described_twice_is_taken_once() -> None:
    other = {**FIELD, "id": 2}
    found = offer({DESCRIBE: [FIELD, other], MEMBERS: [{"fields": [MEMBER, {**MEMBER, "x": 1}]}]})
    assert [entry.id for entry in found.entries.lead_fields] == [1]
    assert [entry.name for entry in found.entries.member_fields] == ["statusName"]
    assert [each.reason for each in found.refused] == ["it is described twice"] * 2


def test_fields_without_an_id_get_the_one_that_they_have_here() -> None:
    known = {"email": LeadField(id=6, name="email", display_name="E", data_type="email")}

    def describe2(_: Params) -> httpx2.Response:
        fields = [
            {"name": name, "displayName": name, "dataType": "string"}
            for name in ["email", "a", "b"]
        ]
        return well({"fields": fields})

    found = offer({"/rest/v1/leads/describe2.json": describe2}, known)
    ids = {entry.name: entry.id for entry in found.entries.lead_fields}
    assert ids == {"email": 6, "a": 7, "b": 8}


def test_a_type_whose_description_is_refused_is_left_out() -> None:
    def describing(name: str) -> str:
        return f"/rest/v1/customobjects/{name}/describe.json"

    good = {
        "name": "boat_c",
        "idField": "marketoGUID",
        "fields": [MEMBER, MEMBER, {"name": "x"}, 5],
    }
    found = offer(
        {
            OBJECTS: [{"name": "boat_c"}, {"name": "draft_c"}, {"name": "no/name"}, {}, 5],
            describing("boat_c"): [good],
            describing("draft_c"): lambda _: refused("1003", "not approved"),
            describing("no/name"): [{"name": "no/name", "fields": []}],
        }
    )
    (boats,) = found.entries.custom_object_types
    assert [field["name"] for field in boats.description["fields"]] == ["statusName"]
    names = [each.name for each in found.refused]
    assert {"draft_c", "no/name"} < {*names}
    assert len(names) == 7


class TestAssets:
    def assets(self, answers: dict[str, Any], of: AssetType) -> list[Any]:
        return [entry for entry in offer(answers).entries.assets if entry.type is of]

    def test_the_program_is_that_of_the_folder(self) -> None:
        entries = [
            {**ASSET, "folder": {"type": "Program", "value": 5, "folderName": "old name"}},
            {"id": 2, "name": "Two", "folder": {"type": "Program", "id": 6, "folderName": "Six"}},
            {"id": 3, "name": "Three", "folder": {"type": "Folder", "id": 5, "folderName": "F"}},
            {"id": 4, "name": "Four", "folder": "Program"},
        ]
        answers = {PROGRAMS: [{"id": 5, "name": "Five"}], STATIC_LISTS: entries}
        found = self.assets(answers, AssetType.STATIC_LIST)
        assert [entry.program for entry in found] == ["Five", "Six", None, None]

    def test_both_calls_about_lists_make_one_entry(self) -> None:
        answers = {
            STATIC_LISTS: [
                {**ASSET, "url": "https://host/1", "createdAt": "2026-01-02T03:04:05Z+0000"}
            ],
            LISTS: [{**ASSET, "programName": "Five"}, {"id": 2, "name": "Two"}],
        }
        one, two = self.assets(answers, AssetType.STATIC_LIST)
        assert (one.program, one.description["url"]) == ("Five", "https://host/1")
        assert one.description["createdAt"] == "2026-01-02T03:04:05Z"
        assert two.name == "Two"

    def test_an_approved_form_comes_before_its_draft(self) -> None:
        approved, draft = {**ASSET, "status": "approved"}, {**ASSET, "status": "draft"}
        for forms in ([approved, draft], [draft, approved]):
            (found,) = self.assets({FORMS: forms}, AssetType.FORM)
            assert found.description["status"] == "approved"

    def test_campaigns_have_the_names_of_a_catalog_file(self) -> None:
        campaign = {**ASSET, "isActive": True, "computedUrl": "https://host/c", "type": "trigger"}
        (found,) = self.assets({CAMPAIGNS: [campaign]}, AssetType.CAMPAIGN)
        assert found.description == {
            **ASSET,
            "active": True,
            "url": "https://host/c",
            "type": "trigger",
        }


@pytest.mark.parametrize(
    "answer",
    [
        lambda _: refused("603", "Access denied"),
        lambda _: refused("610", "Requested resource not found"),
        lambda _: httpx2.Response(404, text="not found"),
        lambda _: httpx2.Response(500, text="<html>"),
        lambda _: httpx2.Response(200, json={"success": True, "result": "rubbish"}),
        lambda _: httpx2.Response(200, text="no JSON"),
    ],
)
def test_a_part_that_is_refused_is_missing_and_the_rest_is_read(answer: Any) -> None:
    found = offer({DESCRIBE: answer, TYPES: [TYPE]})
    assert Part.LEAD_FIELDS in found.missing
    assert Part.ACTIVITY_TYPES not in found.missing
    assert len(found.entries.activity_types) == 1


def _broken(_: Params) -> httpx2.Response:
    raise httpx2.ReadError("broken off")


@pytest.mark.parametrize(
    ("answer", "error"),
    [(lambda _: refused("607", "Daily quota"), CallsSpentError), (_broken, UnreachableError)],
)
def test_an_endpoint_that_cannot_be_used_is_an_error(answer: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        offer({DESCRIBE: [FIELD], TYPES: answer})
