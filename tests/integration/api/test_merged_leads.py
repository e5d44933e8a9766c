"""Look-ups of leads that lost in a merge, and exports after it: they show the winner."""

import csv
import io
import json
from collections.abc import Mapping
from typing import Any

import pytest
from tests.support.instance import NOW, Instance, Serve, refusal, result
from tests.support.loads import (
    load_activities,
    load_custom_objects,
    load_leads,
    load_list_members,
    load_program_members,
)
from tests.support.merging import merge

from outhaul.catalog.entries import parse_catalog
from outhaul.catalog.store import Catalog
from outhaul.lake.snapshot import Lake
from outhaul.lake.tables import DELETE_LEAD

LOSER, WINNER, OTHER = 5, 6, 7
PROGRAM, LIST = 1004, 1001
TIME = "2026-01-10T00:00:00Z"
BOAT = {
    "apiName": "boat_c",
    "dedupeFields": ["hull"],
    "searchableFields": [["owner"]],
    "relationships": [{"field": "owner", "relatedTo": {"name": "Lead", "field": "Id"}}],
    "fields": [
        {"name": "hull", "dataType": "string"},
        {"name": "owner", "dataType": "integer"},
    ],
}


def activity(guid: str, lead: int, type_id: int) -> dict[str, Any]:
    return {
        "marketoGUID": guid,
        "leadId": lead,
        "activityDate": TIME,
        "activityTypeId": type_id,
        "primaryAttributeValue": "First Name" if type_id == 13 else None,
    }


@pytest.fixture
def instance(serve: Serve) -> Instance:
    """An instance of three leads, one of which lost."""
    found = serve()
    found.settings.lake_folder.unlink()
    Catalog(found.database, "default").store(parse_catalog({"customObjects": [BOAT]}))
    load(found, load_leads, *({"id": n, "email": f"{n}@x.com"} for n in (LOSER, WINNER, OTHER)))
    load(found, load_list_members, {"listId": LIST, "leadId": LOSER})
    member = {"programId": PROGRAM, "leadId": LOSER, "statusName": "Member"}
    load(found, load_program_members, member)
    load(
        found,
        load_activities,
        activity("visit", LOSER, 1),
        activity("change", LOSER, 13),
        activity("other", OTHER, 1),
        activity("gone", LOSER, DELETE_LEAD),
        merge(WINNER, [LOSER], NOW),
    )
    load(found, load_custom_objects, {"marketoGUID": "a", "hull": "h", "owner": LOSER}, of="boat_c")
    return found


def load(
    instance: Instance, loader: Any, *records: Mapping[str, Any], of: str | None = None
) -> None:
    path = instance.settings.lake_folder.parent / "records.jsonl"
    path.write_text("".join(json.dumps(record) + "\n" for record in records), "utf-8")
    catalog = Catalog(instance.database, "default")
    lake = Lake(instance.settings.lake_folder / "default")
    named = {} if of is None else {"api_name": of}
    loader(lake, catalog, path, NOW, lambda _: None, **named)


def found(instance: Instance, path: str, name: str = "id", **params: Any) -> list[Any]:
    answer = instance.get(f"/rest/v1/{path}", params=params)
    return [record[name] for record in result(answer)]


def test_a_loser_is_looked_up_as_its_winner(instance: Instance) -> None:
    assert found(instance, f"lead/{LOSER}.json") == [WINNER]
    both = f"{LOSER},{OTHER}"
    assert found(instance, "leads.json", filterType="id", filterValues=both) == [WINNER, OTHER]
    assert found(instance, f"leads/{LOSER}/listMembership.json", "listId") == [LIST]
    assert found(instance, f"leads/{LOSER}/programMembership.json") == [PROGRAM]
    path = f"programs/{PROGRAM}/members.json"
    by_lead = {"filterType": "leadId", "filterValues": LOSER}
    assert found(instance, path, "leadId", **by_lead) == [WINNER]
    by_owner = {"filterType": "owner", "filterValues": LOSER, "fields": "owner"}
    assert found(instance, "customobjects/boat_c.json", "owner", **by_owner) == [WINNER]


def test_activities_of_a_loser_are_those_of_its_winner(instance: Instance) -> None:
    since = {"sinceDatetime": "2026-01-01T00:00:00Z"}
    token = instance.get("/rest/v1/activities/pagingtoken.json", params=since).json()
    page = {"nextPageToken": token["nextPageToken"], "leadIds": LOSER}
    visits = found(instance, "activities.json", "leadId", activityTypeIds=1, **page)
    assert visits == [WINNER]
    changes = found(instance, "activities/leadchanges.json", "leadId", fields="firstName", **page)
    assert changes == [WINNER]
    deleted = found(instance, "activities.json", "leadId", activityTypeIds=DELETE_LEAD, **page)
    assert deleted == [LOSER]


def test_membership_is_answered_with_the_ids_of_the_call(instance: Instance) -> None:
    answer = instance.get(
        f"/rest/v1/lists/{LIST}/leads/ismember.json", params={"id": [LOSER, WINNER, OTHER, 8]}
    )
    assert [(entry["id"], entry["status"]) for entry in result(answer)] == [
        (LOSER, "memberof"),
        (WINNER, "memberof"),
        (OTHER, "notmemberof"),
        (8, "skipped"),
    ]


def test_a_loser_whose_winner_was_deleted_is_not_found(instance: Instance) -> None:
    load(instance, load_activities, activity("gone too", WINNER, DELETE_LEAD))
    code, message = refusal(instance.get(f"/rest/v1/lead/{LOSER}.json"))
    assert code == "1004"
    assert str(LOSER) in message
    assert refusal(instance.get(f"/rest/v1/leads/{LOSER}/listMembership.json"))[0] == "1004"


def test_exports_show_the_winner(instance: Instance) -> None:
    def exported(kind: str, column: str, **body: Any) -> list[int]:
        job = instance.completed(kind, **body)
        rows = csv.DictReader(io.StringIO(instance.file(job["exportId"], kind).text))
        return [int(row[column]) for row in rows]

    of_list = {"staticListId": LIST}
    assert exported("leads", "id", fields=["id"], filter=of_list) == [WINNER]
    of_program = {"programId": PROGRAM}
    assert exported("program/members", "leadId", fields=["leadId"], filter=of_program) == [WINNER]
