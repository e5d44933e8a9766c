"""The catalog of a served instance, brought into another one, which then answers the same."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.instance import Instance
from tests.support.two_instances import Side, lead_field

from outhaul import sample
from outhaul.catalog.entries import AssetType
from outhaul.kinds.custom_objects import CUSTOM_OBJECTS
from outhaul.kinds.leads import LEADS
from outhaul.kinds.program_members import PROGRAM_MEMBERS
from outhaul.mirror.catalog import refresh
from outhaul.mirror.changes import Changes, What

FAMILIES = {
    "program": AssetType.PROGRAM,
    "form": AssetType.FORM,
    "staticList": AssetType.STATIC_LIST,
    "smartList": AssetType.SMART_LIST,
    "smartCampaign": AssetType.CAMPAIGN,
}
DESCRIBING = (
    "/rest/v1/activities/types.json",
    "/rest/v1/customobjects.json",
    "/rest/v1/leads/describe.json",
    "/rest/v1/leads/describe2.json",
    "/rest/v1/program/members/describe.json",
    "/rest/v1/programs/members/describe.json",
)
MANY = 3000
"""The ids of lists that are there to fill pages begin here."""

MORE: dict[str, Any] = {
    "programs": [
        {"id": 2000, "name": "Undated"},
        {"id": 2001, "name": "Tasks", "type": "Engagement", "channel": "Nurture", "status": "on"},
    ],
    "forms": [
        {"id": 2000, "name": "A draft", "status": "draft", "theme": "plain", "buttonLocation": 3},
        {"id": 2001, "name": "Undated", "url": "https://host/form", "program": "Undated"},
    ],
    "staticLists": [
        {"id": 2000, "name": "Undated"},
        {"id": 2001, "name": "Far away", "url": "https://host/list", "workspace": "North"},
        *({"id": MANY + n, "name": f"List {n}", "program": "Website"} for n in range(320)),
    ],
    "campaigns": [
        {
            "id": 2000,
            "name": "With ids",
            "smartListId": 7,
            "flowId": 8,
            "url": "https://host/c",
            "status": "Never Run",
            "description": "What it does",
        }
    ],
}
FIELDS = {
    "result": [
        lead_field(1500, "favouriteBoat", length=40, soap={"name": "Favourite_Boat"}),
        lead_field(1501, "boats", "integer"),
        lead_field(5, "Größe", "float"),
    ]
}
TYPES = {
    "result": [
        {
            "id": 100_001,
            "name": "Boat Bought",
            "description": "Somebody bought a boat",
            "primaryAttribute": {"name": "Boat", "dataType": "string"},
            "attributes": [{"name": "Price", "dataType": "currency"}],
        }
    ]
}
MEMBER_FIELDS = {
    "result": [
        {
            "name": "API Program Membership",
            "fields": [
                {"name": "programId", "displayName": "Program Id", "dataType": "integer"},
                {"name": "leadId", "displayName": "Lead Id", "dataType": "integer"},
                {"name": "seat_cf", "displayName": "Seat", "dataType": "string", "length": 9},
            ],
        }
    ]
}


@pytest.fixture
def a(tmp_path: Path) -> Iterator[Side]:
    side = Side(tmp_path / "a")
    side.store(sample.catalog(), MORE, FIELDS, TYPES, MEMBER_FIELDS)
    yield side
    side.database.close()


@pytest.fixture
def b(tmp_path: Path) -> Iterator[Side]:
    side = Side(tmp_path / "b")
    yield side
    side.database.close()


def refreshed(a: Side, b: Side, told_before: tuple[str, ...] = ()) -> Changes:
    with a.session() as session:
        return refresh(session, b.catalog, b.lake, told_before)


def answers(side: Side) -> dict[str, Any]:
    """Return the answers of every call about the catalog, and of each asset in it."""
    with side.served() as instance:
        return {
            f"{path} {params}": _result(instance, path, params) for path, params in _paths(side)
        }


def _paths(side: Side) -> Iterator[tuple[str, dict[str, str]]]:
    for path in DESCRIBING:
        yield path, {}
    for path in ("/rest/v1/lists.json", "/rest/v1/campaigns.json"):
        yield path, {}
        yield path, {"workspaceName": "North"}
    yield f"/rest/v1/customobjects/{sample.BOATS}/describe.json", {}
    for name, of in FAMILIES.items():
        for offset in (0, 200):
            yield f"/rest/asset/v1/{name}s.json", {"offset": str(offset), "maxReturn": "200"}
        window = {"earliestUpdatedAt": "2025-11-01", "latestUpdatedAt": "2026-01-01"}
        yield f"/rest/asset/v1/{name}s.json", window
        for entry in side.catalog.assets(of):
            if entry.id >= MANY:
                continue
            yield f"/rest/asset/v1/{name}/{entry.id}.json", {}
            if of is AssetType.STATIC_LIST:
                yield f"/rest/v1/lists/{entry.id}.json", {}
            if of is AssetType.CAMPAIGN:
                yield f"/rest/v1/campaigns/{entry.id}.json", {}
    yield "/rest/asset/v1/forms.json", {"status": "draft"}


def _result(instance: Instance, path: str, params: dict[str, str]) -> Any:
    answer = instance.get(path, params=params).json()
    assert answer["success"], (path, answer)
    return answer.get("result")


def test_every_answer_about_the_catalog_is_the_same(a: Side, b: Side) -> None:
    changes = refreshed(a, b)
    assert not changes.of(What.MISSING)
    assert not changes.of(What.REFUSED)
    assert answers(b) == answers(a)
    again = refreshed(a, b)
    assert not again.found
    assert not again.notices
    assert again.fields == changes.fields


def test_only_what_differs_is_stored_again(
    a: Side, b: Side, monkeypatch: pytest.MonkeyPatch
) -> None:
    refreshed(a, b)
    a.store({"programs": [{"id": 2000, "name": "Dated", "updatedAt": "2026-01-01T00:00:00Z"}]})
    stored: list[Any] = []
    monkeypatch.setattr(b.catalog, "store", stored.append)
    changes = refreshed(a, b)
    (entries,) = stored
    assert [entry.name for entry in entries.assets] == ["Dated"]
    assert len(entries) == 1
    assert changes.notices == ("program 2000: renamed, 'Undated' is now 'Dated'",)


def test_fields_are_those_of_the_endpoint_in_its_order(a: Side, b: Side) -> None:
    # The mirror knows a field of its own, which the endpoint cannot export.
    b.store({"result": [lead_field(7000, "onlyHere")]})
    changes = refreshed(a, b)
    assert changes.fields["leads"] == tuple(a.catalog.lead_fields())
    assert changes.fields["program/members"] == tuple(a.catalog.member_fields())
    boats = a.catalog.custom_object_types()[sample.BOATS]
    assert changes.fields[f"customobjects/{sample.BOATS}"] == tuple(boats.fields)
    assert "onlyHere" in b.catalog.lead_fields()
    assert [change.text for change in changes.of(What.GONE)] == [
        "lead field onlyHere: gone at the endpoint"
    ]


class TestFields:
    def test_new_ones_are_named_with_what_they_are_asked_for(self, a: Side, b: Side) -> None:
        refreshed(a, b)
        a.store({"result": [lead_field(1502, "crew", "integer")]})
        changes = refreshed(a, b)
        assert changes.new_fields["leads"] == ("crew",)
        assert changes.notices == ("lead field crew: new",)
        assert refreshed(a, b).new_fields["leads"] == ()

    def test_a_wider_type_widens_the_column_and_values_keep_their_text(
        self, a: Side, b: Side
    ) -> None:
        refreshed(a, b)
        b.load(LEADS, {"id": 1, "boats": 7, "favouriteBoat": "Gull"})
        a.store({"result": [lead_field(1501, "boats")]})
        changes = refreshed(a, b)
        assert changes.notices == ("lead field boats: changed, it was integer and is string",)
        b.load(LEADS, {"id": 2, "boats": "many"})
        snapshot = b.lake.snapshot(LEADS.table)
        assert snapshot is not None
        values = snapshot.scan(snapshot.files).select("id", "boats").collect().sort("id")
        assert values["boats"].to_list() == ["7", "many"]
        assert (
            answers(b)["/rest/v1/leads/describe.json {}"]
            == (answers(a)["/rest/v1/leads/describe.json {}"])
        )

    def test_a_type_that_its_values_do_not_have_is_told_once_and_not_taken(
        self, a: Side, b: Side
    ) -> None:
        refreshed(a, b)
        b.load(LEADS, {"id": 1, "favouriteBoat": "Gull"})
        a.store({"result": [lead_field(1500, "favouriteBoat", "integer")]})
        changes = refreshed(a, b)
        text = (
            "lead field favouriteBoat: not changed here, "
            "its values here are of type string, not integer"
        )
        assert changes.notices == (text,)
        b.load(LEADS, {"id": 2, "favouriteBoat": 5})
        again = refreshed(a, b, changes.lasting)
        assert (again.notices, again.lasting) == ((), (text,))
        snapshot = b.lake.snapshot(LEADS.table)
        assert snapshot is not None
        values = snapshot.scan(snapshot.files).select("id", "favouriteBoat").collect().sort("id")
        assert values["favouriteBoat"].to_list() == ["Gull", "5"]

    def test_a_float_is_not_given_to_integers_that_it_does_not_hold(self, a: Side, b: Side) -> None:
        refreshed(a, b)
        b.load(LEADS, {"id": 1, "boats": 2**53 + 1})
        a.store({"result": [lead_field(1501, "boats", "float")]})
        assert [change.name for change in refreshed(a, b).of(What.KEPT)] == ["boats"]

    def test_members_and_custom_objects_are_widened_too(self, a: Side, b: Side) -> None:
        fields = MEMBER_FIELDS["result"][0]["fields"]
        assert isinstance(fields, list)
        seat = {"name": "seat_cf", "displayName": "Seat", "dataType": "integer"}
        a.store({"result": [{"name": "Members", "fields": [*fields[:2], seat]}]})
        refreshed(a, b)
        b.load(PROGRAM_MEMBERS, {"programId": 1001, "leadId": 1, "seat_cf": 9})
        boat = {"marketoGUID": "x", "hullNumber": "OH-1", "berths": 4}
        b.load(CUSTOM_OBJECTS, boat, type_name=sample.BOATS)
        a.store(MEMBER_FIELDS)
        declared = a.catalog.custom_object_types()[sample.BOATS].description
        a.store(
            {
                "customObjects": [
                    {
                        **declared,
                        "fields": [
                            {**each, "dataType": "string"} if each["name"] == "berths" else each
                            for each in declared["fields"]
                        ],
                    }
                ]
            }
        )
        assert set(refreshed(a, b).notices) == {
            "field of program members seat_cf: changed, it was integer and is string",
            "field of boat_c berths: changed, it was integer and is string",
        }
        for kind, type_name, name, text in (
            (PROGRAM_MEMBERS, None, "seat_cf", "9"),
            (CUSTOM_OBJECTS, sample.BOATS, "berths", "4"),
        ):
            snapshot = b.lake.snapshot(kind.loading_of(b.catalog, type_name).table)
            assert snapshot is not None
            assert snapshot.scan(snapshot.files).collect()[name].to_list() == [text]

    def test_one_that_is_gone_stays_with_its_values_and_is_back_later(
        self, tmp_path: Path, a: Side, b: Side
    ) -> None:
        refreshed(a, b)
        b.load(LEADS, {"id": 1, "boats": 7})
        without = Side(tmp_path / "without")
        without.store(
            sample.catalog(), MORE, TYPES, MEMBER_FIELDS, {"result": FIELDS["result"][:1]}
        )
        changes = refreshed(without, b)
        assert "lead field boats: gone at the endpoint" in changes.notices
        assert "boats" not in changes.fields["leads"]
        assert "boats" in b.catalog.lead_fields()
        assert refreshed(without, b, changes.lasting).notices == ()
        back = refreshed(a, b, changes.lasting)
        assert "lead field boats: new, it is back" in back.notices
        assert "boats" in back.new_fields["leads"], "what changed meanwhile has to be read"
        without.database.close()

    def test_one_whose_name_changes_its_case_stays_one_column(
        self, tmp_path: Path, b: Side
    ) -> None:
        old, new = Side(tmp_path / "old"), Side(tmp_path / "new")
        old.store({"result": [lead_field(1500, "FavouriteBoat")]})
        new.store({"result": [lead_field(1500, "favouriteBOAT")]})
        refreshed(old, b)
        b.load(LEADS, {"id": 1, "FavouriteBoat": "Gull"})
        changes = refreshed(new, b)
        assert "favouriteBOAT" in changes.fields["leads"]
        assert changes.headers["leads"] == {"favouriteBOAT": "FavouriteBoat"}
        assert "favouriteBOAT" not in b.catalog.lead_fields()
        assert changes.new_fields["leads"] == ()
        # What is exported with that header is loaded into the column.
        b.load(LEADS, {"id": 2, "FavouriteBoat": "Tern"})
        for side in (old, new):
            side.database.close()

    def test_a_new_display_name_is_stored(self, a: Side, b: Side) -> None:
        refreshed(a, b)
        a.store({"result": [{**lead_field(1501, "boats", "integer"), "displayName": "Fleet"}]})
        assert refreshed(a, b).notices == ("lead field boats: renamed, 'Boats' is now 'Fleet'",)
        assert b.catalog.lead_fields()["boats"].display_name == "Fleet"


def test_renamed_types_and_attributes_are_stored(a: Side, b: Side) -> None:
    refreshed(a, b)
    (kind,) = TYPES["result"]
    a.store({"result": [{**kind, "name": "Boat Sold", "attributes": [{"name": "Sum"}]}]})
    assert refreshed(a, b).notices == (
        "activity type 100001: renamed, 'Boat Bought' is now 'Boat Sold'",
        "activity type 100001 'Boat Sold': changed, its attributes are now Boat, Sum",
    )
    assert b.catalog.activity_types()[100_001].name == "Boat Sold"


def test_a_field_that_is_gone_from_a_custom_object_type_stays(a: Side, b: Side) -> None:
    refreshed(a, b)
    declared = a.catalog.custom_object_types()[sample.BOATS].description
    fields = [each for each in declared["fields"] if each["name"] != "rig"]
    a.store({"customObjects": [{**declared, "fields": fields}]})
    changes = refreshed(a, b)
    assert changes.notices == ("field of boat_c rig: gone at the endpoint",)
    assert "rig" in b.catalog.custom_object_types()[sample.BOATS].fields
    assert "rig" not in changes.fields["customobjects/boat_c"]


@pytest.mark.parametrize(
    ("permissions", "missing"),
    [
        (
            ["Read-Only Lead"],
            {"activity types", "custom object types", "programs", "smart lists", "forms"}
            | {"smart campaigns"},
        ),
        (
            ["Read-Only Assets"],
            {"lead fields", "activity types", "custom object types", "fields of program members"},
        ),
    ],
)
def test_a_permission_that_lacks_leaves_out_a_part_only(
    tmp_path: Path, a: Side, b: Side, permissions: list[str], missing: set[str]
) -> None:
    refreshed(a, b)
    fewer = Side(tmp_path / "fewer", permissions)
    fewer.store(sample.catalog(), MORE, FIELDS, TYPES, MEMBER_FIELDS)
    before = answers(b)
    changes = refreshed(fewer, b)
    assert {change.part for change in changes.of(What.MISSING)} == missing
    assert all("603" in change.detail for change in changes.of(What.MISSING))
    assert not changes.of(What.GONE)
    assert answers(b) == before, "half of the calls about lists take nothing away"
    assert changes.fields["leads"], "what was known before can be asked for"
    fewer.database.close()
