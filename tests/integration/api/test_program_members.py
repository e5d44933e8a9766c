"""Exports of program members, with fields of their leads in the same file."""

import csv
import io
from typing import Any

import pytest
from tests.support.instance import (
    LEAD_COUNT,
    NOW,
    WINDOW,
    Instance,
    Serve,
    refusal,
    result,
)

from outhaul import sample

KIND = "program/members"
MEMBERS = list(sample.program_members(LEAD_COUNT, until=NOW))
LEADS = {lead["id"]: lead for lead in sample.leads(LEAD_COUNT, until=NOW)}
FIELDS = ["leadId", "statusName", "email", "isExhausted", "unsubscribed"]
NURTURE = 1006


def exported(instance: Instance, **changes: Any) -> list[dict[str, str]]:
    job = instance.completed(KIND, **changes)
    text = instance.file(job["exportId"], KIND).text
    rows = list(csv.DictReader(io.StringIO(text)))
    assert len(rows) == job["numberOfRecords"]
    return rows


def row(member: dict[str, Any]) -> dict[str, str]:
    """Return what is exported of a member where `FIELDS` are asked for."""
    lead = LEADS[member["leadId"]]
    return {
        "leadId": str(member["leadId"]),
        "statusName": member["statusName"],
        "email": lead["email"] or "null",
        "isExhausted": str(int(member["isExhausted"])),
        "unsubscribed": str(lead["unsubscribed"]).lower(),
    }


@pytest.mark.parametrize("part_records", [20, 500_000])
def test_one_program_with_fields_of_leads(serve: Serve, part_records: int) -> None:
    rows = exported(serve(part_records=part_records), fields=FIELDS, filter={"programId": NURTURE})
    assert rows == [row(member) for member in MEMBERS if member["programId"] == NURTURE]


@pytest.mark.parametrize("part_records", [20, 500_000])
def test_several_programs_come_with_their_id_first(serve: Serve, part_records: int) -> None:
    rows = exported(
        serve(part_records=part_records), fields=FIELDS, filter={"programIds": [1006, 1002]}
    )
    assert list(rows[0]) == ["programId", *FIELDS]
    assert rows == [
        {"programId": str(member["programId"]), **row(member)}
        for member in MEMBERS
        if member["programId"] in (1002, 1006)
    ]


def test_a_program_id_that_is_asked_for_stands_first_once(shared: Instance) -> None:
    rows = exported(shared, fields=["leadId", "programId"], filter={"programIds": [1002]})
    assert list(rows[0]) == ["programId", "leadId"]


@pytest.mark.parametrize(
    ("filters", "wanted"),
    [
        ({"isExhausted": True}, lambda member: member["isExhausted"]),
        ({"isExhausted": False}, lambda member: not member["isExhausted"]),
        ({"nurtureCadence": "pause"}, lambda member: member["nurtureCadence"] == "pause"),
        ({"nurtureCadence": "paused"}, lambda member: member["nurtureCadence"] == "pause"),
        ({"nurtureCadence": "normal"}, lambda member: member["nurtureCadence"] == "norm"),
        ({"statusNames": ["Engaged"]}, lambda member: member["statusName"] == "Engaged"),
        ({"statusNames": ["Engaged", "Member"]}, lambda _: True),
        ({"statusNames": ["Attended"]}, lambda _: False),
        (
            {"statusNames": ["Engaged"], "isExhausted": False, "updatedAt": WINDOW},
            lambda member: member["statusName"] == "Engaged" and not member["isExhausted"],
        ),
    ],
)
def test_filters_are_anded(shared: Instance, filters: dict[str, Any], wanted: Any) -> None:
    rows = exported(shared, fields=FIELDS, filter={"programId": NURTURE, **filters})
    expected = [m for m in MEMBERS if m["programId"] == NURTURE and wanted(m)]
    assert rows == [row(member) for member in expected]


@pytest.mark.parametrize(
    ("filters", "code", "words"),
    [
        ({}, "1003", "exactly one of programId, programIds; got neither"),
        ({"programId": 1002, "programIds": [1002]}, "1003", "got both"),
        ({"programId": "1002x"}, "1001", "integer"),
        ({"programId": 5}, "1003", "there is no program 5"),
        ({"programIds": [1002, 2**40]}, "1003", f"there is no program {2**40}"),
        ({"programIds": list(range(1, 12))}, "1003", "11 programs, where 10 are allowed"),
        ({"programId": 1002, "isExhausted": 1}, "1001", "boolean"),
        ({"programId": 1002, "nurtureCadence": "fast"}, "1003", "none of pause, paused, norm"),
        ({"programId": 1002, "statusNames": ["Nope"]}, "1003", "no program has a status"),
        ({"programId": 1002, "createdAt": WINDOW}, "1003", "there is no such filter"),
    ],
)
def test_filters_that_do_not_fit(
    shared: Instance, filters: dict[str, Any], code: str, words: str
) -> None:
    answer = shared.create(KIND, filter=filters)
    refused = refusal(answer)
    assert refused[0] == code
    assert words in refused[1]


def test_fields_are_required_and_known(shared: Instance) -> None:
    assert refusal(shared.create(KIND, fields=None))[0] == "1002"
    assert refusal(shared.create(KIND, fields=["leadId", "nope"]))[0] == "1006"


def test_permission_and_jobs_of_other_kinds(shared: Instance) -> None:
    assert refusal(shared.create(KIND, user="activities"))[0] == "603"
    export_id = shared.created(KIND, user="leads")
    assert refusal(shared.status(export_id, "leads", user="leads"))[0] == "1003"
    assert [job["exportId"] for job in result(shared.jobs(KIND, user="leads"))] == [export_id]


def test_describe(shared: Instance) -> None:
    (first,) = result(shared.get("/rest/v1/program/members/describe.json"))
    (second,) = result(shared.get("/rest/v1/programs/members/describe.json"))
    assert first["fields"] == second["fields"]
    assert second["dedupeFields"] == ["leadId", "programId"]
    names = {field["name"] for field in first["fields"]}
    assert names >= set(MEMBERS[0])
    denied = shared.get("/rest/v1/program/members/describe.json", user="activities")
    assert refusal(denied)[0] == "603"
