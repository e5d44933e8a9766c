"""Exports of custom objects, type by type, and what is told of the types."""

import csv
import io
from typing import Any

import pytest
from tests.support.instance import (
    LEAD_COUNT,
    NOW,
    STATIC_LIST,
    WINDOW,
    Instance,
    Serve,
    refusal,
    result,
)

from outhaul import sample

KIND = "customobjects/boat_c"
UNKNOWN = "customobjects/ship_c"
BOATS = sorted(sample.boats(LEAD_COUNT, until=NOW), key=lambda boat: str(boat["marketoGUID"]))
ON_LIST = {
    member["leadId"]
    for member in sample.list_members(LEAD_COUNT)
    if member["listId"] == STATIC_LIST["id"]
}


def exported(instance: Instance, **changes: Any) -> list[dict[str, str]]:
    job = instance.completed(KIND, **changes)
    text = instance.file(job["exportId"], KIND).text
    return list(csv.DictReader(io.StringIO(text)))


@pytest.mark.parametrize("part_records", [5, 500_000])
def test_all_that_changed_by_guid(serve: Serve, part_records: int) -> None:
    fields = ["marketoGUID", "leadId", "boatName", "lengthInFeet", "isForSale", "updatedAt"]
    rows = exported(serve(part_records=part_records), fields=fields)
    assert rows == [
        {
            "marketoGUID": boat["marketoGUID"],
            "leadId": "null" if boat["leadId"] is None else str(boat["leadId"]),
            "boatName": boat["boatName"],
            "lengthInFeet": str(boat["lengthInFeet"]).removesuffix(".0"),
            "isForSale": str(boat["isForSale"]).lower(),
            "updatedAt": boat["updatedAt"],
        }
        for boat in BOATS
    ]


@pytest.mark.parametrize(
    "filters",
    [{"staticListId": STATIC_LIST["id"]}, {"staticListName": STATIC_LIST["name"]}],
    ids=["id", "name"],
)
@pytest.mark.parametrize("part_records", [5, 500_000])
def test_those_of_the_leads_of_a_list(
    serve: Serve, filters: dict[str, Any], part_records: int
) -> None:
    rows = exported(serve(part_records=part_records), fields=["marketoGUID"], filter=filters)
    expected = [boat["marketoGUID"] for boat in BOATS if boat["leadId"] in ON_LIST]
    assert expected
    assert [row["marketoGUID"] for row in rows] == expected


def test_those_of_the_leads_of_a_smart_list(shared: Instance) -> None:
    for smart_list in sample.catalog()["smartLists"]:
        wanted = {"fields": ["id"], "filter": {"smartListId": smart_list["id"]}}
        job = shared.completed("leads", **wanted)
        leads = shared.file(job["exportId"], "leads").text.split()[1:]
        rows = exported(
            shared, fields=["marketoGUID"], filter={"smartListName": smart_list["name"]}
        )
        expected = [boat["marketoGUID"] for boat in BOATS if str(boat["leadId"]) in leads]
        assert [row["marketoGUID"] for row in rows] == expected


@pytest.mark.parametrize(
    ("filters", "code", "words"),
    [
        ({}, "1003", "expected exactly one of updatedAt, staticListId"),
        ({"updatedAt": WINDOW, "staticListId": STATIC_LIST["id"]}, "1003", "exactly one"),
        ({"staticListId": 5}, "1003", "there is no static list 5"),
        ({"smartListId": 999_999}, "1003", "there is no smart list"),
        ({"createdAt": WINDOW}, "1003", "there is no such filter"),
    ],
)
def test_filters_that_do_not_fit(
    shared: Instance, filters: dict[str, Any], code: str, words: str
) -> None:
    answer = shared.create(KIND, filter=filters)
    refused = refusal(answer)
    assert refused[0] == code
    assert words in refused[1]


def test_a_type_that_there_is_not(shared: Instance) -> None:
    export_id = shared.created(KIND)
    body = {"fields": ["marketoGUID"], "filter": {"updatedAt": WINDOW}}
    answers = [
        shared.post(f"/bulk/v1/{UNKNOWN}/export/create.json", json=body),
        shared.jobs(UNKNOWN),
        shared.status(export_id, UNKNOWN),
        shared.enqueue(export_id, UNKNOWN),
        shared.cancel(export_id, UNKNOWN),
        shared.get("/rest/v1/customobjects/ship_c/describe.json"),
    ]
    for answer in answers:
        code, words = refusal(answer)
        assert code == "1003"
        assert "there is no custom object type 'ship_c'; there are boat_c" in words
    assert shared.file(export_id, UNKNOWN).status_code == 404
    assert shared.file(export_id, "customobjects/%00").status_code == 404


def test_permission_and_jobs_of_other_kinds(shared: Instance) -> None:
    assert refusal(shared.create(KIND, user="leads"))[0] == "603"
    assert refusal(shared.get("/rest/v1/customobjects.json", user="leads"))[0] == "603"
    export_id = shared.created(KIND, user="objects")
    assert [job["exportId"] for job in result(shared.jobs(KIND, user="objects"))] == [export_id]
    assert refusal(shared.status(shared.created("leads"), KIND))[0] == "1003"


def test_list_and_describe(shared: Instance) -> None:
    (listed,) = result(shared.get("/rest/v1/customobjects.json"))
    (named,) = result(shared.get("/rest/v1/customobjects.json?names=boat_c,ship_c"))
    (described,) = result(shared.get("/rest/v1/customobjects/boat_c/describe.json"))
    assert listed == named == described
    assert described["apiName"] == "boat_c"
    assert {field["name"] for field in described["fields"]} == set(BOATS[0])
    assert result(shared.get("/rest/v1/customobjects.json?names=ship_c")) == []
