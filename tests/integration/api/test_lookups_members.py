"""Members of programs, and leads by program: filters, pages, and what is refused."""

import json
from collections.abc import Mapping
from typing import Any

import polars as pl
import pytest
from tests.support.instance import LEAD_COUNT, NOW, Instance, Serve, refusal, result
from tests.support.loads import load_leads, load_program_members
from tests.support.paths import DOCS

from outhaul import sample
from outhaul.api.lookups import families
from outhaul.catalog.entries import parse_catalog
from outhaul.catalog.store import Catalog
from outhaul.kinds.registry import all_tables
from outhaul.lake.deletions import delete_leads
from outhaul.lake.snapshot import Lake

PROGRAM = 1004
RECORDS = {
    entry["leadId"]: entry
    for entry in sample.program_members(LEAD_COUNT, until=NOW)
    if entry["programId"] == PROGRAM
}
LEADS = {entry["id"]: entry for entry in sample.leads(LEAD_COUNT, until=NOW)}
STATUS = next(iter(RECORDS.values()))["statusName"]
BY_STATUS = {"filterType": "statusName", "filterValues": STATUS}


def members(program: object = PROGRAM) -> str:
    return f"/rest/v1/programs/{program}/members.json"


def leads(program: object = PROGRAM) -> str:
    return f"/rest/v1/leads/programs/{program}.json"


def load(instance: Instance, loader: Any, *records: Mapping[str, Any]) -> None:
    path = instance.settings.lake_folder.parent / "records.jsonl"
    path.write_text("".join(json.dumps(record) + "\n" for record in records), "utf-8")
    catalog = Catalog(instance.database, "default")
    loader(Lake(instance.settings.lake_folder / "default"), catalog, path, NOW, lambda _: None)


@pytest.fixture
def own(serve: Serve) -> Instance:
    """An instance whose lake is its own and empty; its catalog is the sample's."""
    instance = serve()
    instance.settings.lake_folder.unlink()
    return instance


def walk(instance: Instance, path: str, **params: Any) -> list[dict[str, Any]]:
    seen: list[dict[str, Any]] = []
    while True:
        body = instance.get(path, params=params).json()
        assert body["success"] is True
        assert body.get("moreResult", "nextPageToken" in body) is ("nextPageToken" in body)
        seen += body["result"]
        if "nextPageToken" not in body:
            return seen
        params["nextPageToken"] = body["nextPageToken"]


@pytest.mark.parametrize("size", [300, 7, 1])
def test_members_are_found_by_their_status(shared: Instance, size: int) -> None:
    found = walk(shared, members(), **BY_STATUS, batchSize=size)
    wanted = sorted(n for n, entry in RECORDS.items() if entry["statusName"] == STATUS)
    assert [entry["leadId"] for entry in found] == wanted
    assert [entry["seq"] for entry in found] == [n % size for n in range(len(found))]
    names = ("acquiredBy", "leadId", "membershipDate", "programId", "reachedSuccess")
    for entry in found:
        known = RECORDS[entry["leadId"]]
        assert entry == {"seq": entry["seq"], **{name: known[name] for name in names}}


@pytest.mark.parametrize(
    ("name", "values", "matches"),
    [
        ("leadId", ",".join(map(str, [*RECORDS][:5])), lambda e: e["leadId"] in [*RECORDS][:5]),
        ("leadId", "7", lambda _: False),
        ("statusName", STATUS.upper(), lambda e: e["statusName"] == STATUS),
        ("reachedSuccess", "true", lambda e: e["reachedSuccess"]),
        ("reachedSuccess", "TRUE,false", lambda _: True),
    ],
)
def test_members_are_found_by_each_searchable_field(
    shared: Instance, name: str, values: str, matches: Any
) -> None:
    given = {"filterType": name, "filterValues": values, "fields": "statusName,trackName"}
    found = walk(shared, members(), **given)
    wanted = [entry for _, entry in sorted(RECORDS.items()) if matches(entry)]
    assert found == [
        {"seq": n, **{field: entry[field] for field in ("leadId", "statusName", "trackName")}}
        for n, entry in enumerate(wanted)
    ]


def test_members_are_found_by_own_fields_of_two_types(own: Instance) -> None:
    known = json.loads(own.get("/rest/v1/programs/members/describe.json").text)["result"][0]
    added = {"code": "string", "seat": "integer", "ratio": "float"}
    fields = [{"name": name, "displayName": name, "dataType": of} for name, of in added.items()]
    described = {**known, "fields": [*known["fields"], *fields]}
    Catalog(own.database, "default").store(parse_catalog({"result": [described]}))
    member = {"programId": PROGRAM, "statusName": "Member"}
    load(
        own,
        load_program_members,
        {**member, "leadId": 1, "code": "A", "seat": 7, "ratio": 0.5},
        {**member, "leadId": 2, "code": "b", "seat": 8},
        {**member, "leadId": 3, "programId": PROGRAM + 1, "code": "a", "seat": 7},
    )
    (described,) = result(own.get("/rest/v1/programs/members/describe.json"))
    assert described["searchableFields"][-2:] == [["code"], ["seat"]]
    for name, text in (("code", "a"), ("seat", "7")):
        found = walk(own, members(), filterType=name, filterValues=text)
        assert [entry["leadId"] for entry in found] == [1]
    answer = own.get(members(), params={"filterType": "ratio", "filterValues": "0.5"})
    assert refusal(answer)[0] == "1003"


def test_members_are_found_by_when_they_were_changed(shared: Instance) -> None:
    changed = sorted(entry["updatedAt"] for entry in RECORDS.values())
    start = changed[len(changed) // 2]
    end = f"{start[:8]}{min(int(start[8:10]) + 3, 28):02}{start[10:]}"
    end = max(end, start)
    given = {"filterType": "updatedAt", "startAt": start, "endAt": end}
    found = walk(shared, members(), **given, batchSize=2)
    wanted = sorted(n for n, entry in RECORDS.items() if start <= entry["updatedAt"] <= end)
    assert wanted
    assert [entry["leadId"] for entry in found] == wanted


WINDOW = {"filterType": "updatedAt", "startAt": "2026-01-01", "endAt": "2026-01-08"}


@pytest.mark.parametrize(
    ("params", "code", "said"),
    [
        ({}, "1002", "'filterType'"),
        ({"filterType": "statusName"}, "1002", "'filterValues'"),
        ({"filterType": "trackName", "filterValues": "x"}, "1003", "they can by leadId, "),
        ({"filterType": "leadId", "filterValues": "x"}, "1003", "'x' is no value of the field"),
        (
            {"filterType": "leadId", "filterValues": ",".join(map(str, range(301)))},
            "1003",
            "301 values, where 300 are allowed",
        ),
        ({"filterType": "updatedAt"}, "1002", "'startAt'"),
        ({**WINDOW, "endAt": ""}, "1002", "'endAt'"),
        ({**WINDOW, "startAt": "now"}, "1001", "'startAt'"),
        ({**WINDOW, "endAt": "2025-12-31"}, "1003", "it is before startAt"),
        ({**WINDOW, "endAt": "2026-01-08T00:00:01Z"}, "1003", "more than 7 days after startAt"),
        ({**BY_STATUS, "fields": "leadId,email"}, "1006", "'email'"),
        ({**BY_STATUS, "batchSize": "0"}, "1001", "'batchSize'"),
        ({**BY_STATUS, "nextPageToken": "x"}, "1003", "'nextPageToken'"),
    ],
)
def test_what_members_cannot_be_looked_up_by_is_named(
    shared: Instance, params: dict[str, str], code: str, said: str
) -> None:
    refused = refusal(shared.get(members(), params=params))
    assert refused[0] == code
    assert said in refused[1]
    assert refusal(shared.post(members(), params={"_method": "GET"}, data=params)) == refused


def test_a_window_of_a_week_is_allowed(shared: Instance) -> None:
    assert shared.get(members(), params=WINDOW).json()["success"] is True


@pytest.mark.parametrize("path", [members, leads])
def test_programs_are_known_or_refused(shared: Instance, path: Any) -> None:
    for unknown in (0, -1, 7, 2**40, 2**63 - 1, -(2**63)):
        assert refusal(shared.get(path(unknown), params=BY_STATUS)) == (
            "1013",
            f"Object not found: there is no program with id {unknown}",
        )
    for wrong in ("x", "1.5", 2**63, "%2e%2e"):
        answer = shared.get(path(wrong), params=BY_STATUS)
        assert refusal(answer)[0] in ("1001", "610")
    for user in ("activities", "marketer", "objects"):
        assert refusal(shared.get(path(), user=user))[0] == "603"


def test_both_calls_are_documented() -> None:
    page = (DOCS / "protocol.md").read_text("utf-8")
    (lookup,) = families()["program members"]
    assert f"`{lookup.path}`" in page
    assert all(f"`{name}`" in page for name in lookup.names)


@pytest.mark.parametrize("size", [300, 7])
def test_leads_are_listed_with_their_membership(shared: Instance, size: int) -> None:
    found = walk(shared, leads(), batchSize=size, fields="email,company")
    assert [entry["id"] for entry in found] == sorted(RECORDS)
    for entry in found:
        member, lead = RECORDS[entry["id"]], LEADS[entry["id"]]
        assert entry["email"] == lead["email"]
        assert entry["company"] == lead.get("company")
        membership = {
            "acquiredBy": member["acquiredBy"],
            "isExhausted": member["isExhausted"],
            "membershipDate": member["membershipDate"],
            "nurtureCadence": member["nurtureCadence"],
            "progressionStatus": member["statusName"],
            "reachedSuccess": member["reachedSuccess"],
            "stream": member["trackName"],
            "updatedAt": member["updatedAt"],
        }
        assert entry["membership"] == {
            name: value for name, value in membership.items() if value is not None
        }


def test_a_member_without_a_lead_has_empty_fields(own: Instance) -> None:
    """As in an export. A page without records would be the last one for some clients."""
    load(
        own,
        load_program_members,
        *({"programId": PROGRAM, "leadId": n, "statusName": None} for n in (1, 2, 3)),
    )
    assert [entry["id"] for entry in walk(own, leads(), batchSize=1)] == [1, 2, 3]
    load(own, load_leads, {"id": 2, "email": "a@example.com"}, {"id": 9})
    found = walk(own, leads(), fields="email")
    assert [(entry["id"], entry["email"]) for entry in found] == [
        (1, None),
        (2, "a@example.com"),
        (3, None),
    ]
    assert found[0]["membership"] == {
        "membershipDate": "2026-01-20T12:00:00Z",  # when it was loaded
        "progressionStatus": "",
        "updatedAt": "2026-01-20T12:00:00Z",
    }


def test_deleted_leads_are_no_members(own: Instance) -> None:
    load(own, load_program_members, *({"programId": PROGRAM, "leadId": n} for n in (1, 2, 3)))
    load(own, load_leads, *({"id": n} for n in (1, 2, 3)))
    catalog = Catalog(own.database, "default")
    deletions = pl.DataFrame({"leadId": [2], "deletedAt": [NOW]})
    delete_leads(Lake(own.settings.lake_folder / "default"), deletions, all_tables(catalog))
    assert [entry["id"] for entry in walk(own, leads())] == [1, 3]
    given = {"filterType": "leadId", "filterValues": "1,2,3"}
    assert [entry["leadId"] for entry in walk(own, members(), **given)] == [1, 3]


def test_pages_go_on_while_members_are_loaded(own: Instance) -> None:
    """Whoever is a member from the first page to the last is listed once."""
    load(
        own, load_program_members, *({"programId": PROGRAM, "leadId": 2 * n} for n in range(1, 30))
    )
    seen: list[int] = []
    params: dict[str, Any] = {"batchSize": 4}
    for n in range(100):
        body = own.get(leads(), params=params).json()
        seen += [entry["id"] for entry in body["result"]]
        if "nextPageToken" not in body:
            break
        params["nextPageToken"] = body["nextPageToken"]
        load(own, load_program_members, {"programId": PROGRAM, "leadId": 10 * n + 1})
    assert sorted(seen) == seen
    assert {*range(2, 60, 2)} <= {*seen}
    assert len({*seen}) == len(seen)
