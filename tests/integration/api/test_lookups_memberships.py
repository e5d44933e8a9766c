"""The programs and lists of a lead, and whether leads are on a list."""

from typing import Any

import pytest
from tests.support.instance import LEAD_COUNT, NOW, Instance, refusal, result
from tests.support.paths import DOCS

from outhaul import sample
from outhaul.api.lookups import families

LOOKUPS = families()["memberships"]
MEMBERS = list(sample.program_members(LEAD_COUNT, until=NOW))
ON_LISTS = list(sample.list_members(LEAD_COUNT))
LISTS = {entry["id"]: entry for entry in sample.catalog()["staticLists"]}
LEAD = MEMBERS[0]["leadId"]
LISTED = ON_LISTS[0]["leadId"]
UNKNOWN = (0, -1, 7, 2**40, 2**63 - 1)


def of(lead: object, what: str) -> str:
    return f"/rest/v1/leads/{lead}/{what}Membership.json"


def walk(instance: Instance, path: str, **params: Any) -> list[dict[str, Any]]:
    seen: list[dict[str, Any]] = []
    while True:
        body = instance.get(path, params=params).json()
        assert body["moreResult"] is ("nextPageToken" in body)
        seen += body["result"]
        if "nextPageToken" not in body:
            return seen
        params["nextPageToken"] = body["nextPageToken"]


@pytest.mark.parametrize("size", [300, 1])
def test_programs_of_a_lead(shared: Instance, size: int) -> None:
    found = walk(shared, of(LEAD, "program"), batchSize=size)
    wanted = sorted((m for m in MEMBERS if m["leadId"] == LEAD), key=lambda m: m["programId"])
    assert [entry["id"] for entry in found] == [entry["programId"] for entry in wanted]
    assert [entry["progressionStatus"] for entry in found] == [m["statusName"] for m in wanted]
    assert [entry["membershipDate"] for entry in found] == [m["membershipDate"] for m in wanted]


@pytest.mark.parametrize("size", [300, 1])
def test_lists_of_a_lead(shared: Instance, size: int) -> None:
    found = walk(shared, of(LISTED, "list"), batchSize=size)
    wanted = sorted(entry["listId"] for entry in ON_LISTS if entry["leadId"] == LISTED)
    assert found == [
        {
            "listId": n,
            "createdAt": LISTS[n]["createdAt"],
            "updatedAt": LISTS[n]["updatedAt"],
        }
        for n in wanted
    ]


@pytest.mark.parametrize("what", ["program", "list"])
def test_a_lead_that_is_not_there_is_1004(shared: Instance, what: str) -> None:
    for unknown in UNKNOWN:
        assert refusal(shared.get(of(unknown, what)))[0] == "1004"
    for wrong in ("x", "1.5", 2**63):
        assert refusal(shared.get(of(wrong, what)))[0] == "1001"
    assert refusal(shared.get(of(LEAD, what), params={"nextPageToken": "x"}))[0] == "1003"
    assert refusal(shared.get(of(LEAD, what), user="activities"))[0] == "603"


def test_leads_are_on_a_list_or_not(shared: Instance) -> None:
    list_id = ON_LISTS[0]["listId"]
    on_list = {entry["leadId"] for entry in ON_LISTS if entry["listId"] == list_id}
    other = next(n for n in range(1001, 1001 + LEAD_COUNT) if n not in on_list)
    path = f"/rest/v1/lists/{list_id}/leads/ismember.json"
    wanted = [
        {"id": other, "status": "notmemberof"},
        {"id": LISTED, "status": "memberof"},
        {
            "id": 7,
            "status": "skipped",
            "reasons": [{"code": "1004", "message": "Lead not found"}],
        },
    ]
    ids = [other, LISTED, 7]
    keys = {"input": [{"id": n} for n in ids]}
    for answer in (
        shared.get(path, params={"id": ids}),
        shared.get(path, params={"id": ",".join(map(str, ids))}),
        shared.post(path, params={"_method": "GET"}, data={"id": ids}),
        shared.post(path, params={"_method": "GET"}, json=keys),
    ):
        assert result(answer) == wanted
    assert refusal(shared.get(path))[0] == "1002"
    assert refusal(shared.get(path, params={"id": "x"}))[0] == "1001"
    many = shared.get(path, params={"id": ",".join(map(str, range(301)))})
    assert refusal(many)[0] == "1003"
    wrong = shared.post(path, params={"_method": "GET"}, json={"input": [{"id": "x"}]})
    assert refusal(wrong)[0] == "1001"
    assert refusal(shared.get("/rest/v1/lists/7/leads/ismember.json?id=1"))[0] == "1013"
    assert refusal(shared.get(path, user="activities"))[0] == "603"


def test_each_is_documented_with_what_it_reads() -> None:
    page = (DOCS / "protocol.md").read_text("utf-8")
    for lookup in LOOKUPS:
        assert f"`{lookup.path}`" in page
        assert all(f"`{name}`" in page for name in lookup.names)
