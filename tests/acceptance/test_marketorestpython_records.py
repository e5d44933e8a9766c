"""marketorestpython, unmodified: records by look-ups, and what outhaul does not store."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from marketorestpython.client import MarketoClient
from marketorestpython.helper.exceptions import MarketoException
from tests.support.answers import check
from tests.support.processes import Server, prepare
from tests.support.recorder import recorded
from tests.support.schemas import Contract

AREAS = (
    *("Assets", "Company", "Custom Object", "Lead", "Named Account", "Named Account List"),
    *("Opportunity", "Sales Person", "Activity Metadata"),
)
CATALOG = {
    "programs": [
        {"id": 11, "name": "Fair", "tags": [{"tagType": "Region", "tagValue": "North"}]},
        {"id": 12, "name": "Series", "tags": [{"tagType": "Region", "tagValue": "South"}]},
    ],
    "staticLists": [{"id": 1001, "name": "Readers"}],
    "campaigns": [{"id": 21, "name": "Welcome", "program": "Fair", "type": "trigger"}],
    "customObjects": [
        {
            "apiName": "berth_c",
            "dedupeFields": ["harbour", "number"],
            "fields": [
                {"name": "harbour", "displayName": "Harbour", "dataType": "string"},
                {"name": "number", "displayName": "Number", "dataType": "integer"},
            ],
        }
    ],
}
LEADS = [{"id": n, "email": f"{n}@example.com"} for n in range(1, 8)]
MEMBERS = [{"programId": 11, "leadId": n, "statusName": "Member"} for n in range(2, 8)]
LISTED = [{"listId": 1001, "leadId": 2}]
BERTHS = [{"marketoGUID": f"b-{n}", "harbour": "Kiel", "number": n} for n in range(1, 6)]


@pytest.fixture(scope="module")
def client(
    server: Server, tmp_path_factory: pytest.TempPathFactory, contract: Contract | None
) -> Iterator[Any]:
    """A client of a subscription with the records above; at the end every answer is checked."""
    files = tmp_path_factory.mktemp("files")
    where = ("--data", server.data, "--subscription", "records")
    prepare("subscription", "create", "records", "--data", server.data)
    (files / "catalog.json").write_text(json.dumps(CATALOG), "utf-8")
    prepare("load", "catalog", files / "catalog.json", *where)
    prepare("load", "leads", lines(files / "leads.jsonl", LEADS), *where)
    prepare("load", "program-members", lines(files / "members.jsonl", MEMBERS), *where)
    prepare("load", "list-members", lines(files / "listed.jsonl", LISTED), *where)
    berths = lines(files / "berths.jsonl", BERTHS)
    prepare("load", "custom-objects", berths, "--type", "berth_c", *where)
    known = server.of("records", AREAS)
    with recorded(server.url) as recorder:
        made_client = MarketoClient("123-ABC-456", known.client_id, known.client_secret)
        made_client.host = recorder.url
        yield made_client
    for call in recorder.calls:
        check(call, contract)


def lines(path: Path, records: Sequence[Mapping[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(record) + "\n" for record in records), "utf-8")
    return path


def test_custom_objects_by_compound_keys(client: Any) -> None:
    keys = [{"harbour": "KIEL", "number": n} for n in (4, 2, 9)]
    found = client.execute(
        method="get_custom_objects",
        name="berth_c",
        input=keys,
        filterType="dedupeFields",
        fields=["marketoGUID", "number"],
        batchSize=1,
    )
    assert [(entry["marketoGUID"], entry["number"]) for entry in found] == [("b-2", 2), ("b-4", 4)]
    with pytest.raises(MarketoException, match="there are berth_c"):
        client.get_custom_objects(name="boat_c", input=keys, filterType="dedupeFields")


def test_leads_by_program(client: Any) -> None:
    found = client.execute(
        method="get_multiple_leads_by_program_id", programId=11, fields=["email"], batchSize=4
    )
    assert [entry["email"] for entry in found] == [f"{n}@example.com" for n in range(2, 8)]
    assert {entry["membership"]["progressionStatus"] for entry in found} == {"Member"}
    with pytest.raises(MarketoException, match="there is no program with id 99"):
        client.get_multiple_leads_by_program_id(programId=99)


def test_memberships_of_leads(client: Any) -> None:
    found = client.member_of_list(listId=1001, id=[1, 2, 99])
    assert [entry["status"] for entry in found] == ["notmemberof", "memberof", "skipped"]
    assert client.get_smart_campaigns_by_lead_id(2) == []


def test_programs_by_tag_and_smart_campaigns(client: Any) -> None:
    by_tag = {"method": "get_program_by_tag_type", "tagType": "Region"}
    assert [entry["id"] for entry in client.execute(**by_tag, tagValue="South")] == [12]
    assert client.execute(**by_tag, tagValue="West") == []
    ((campaign,),) = client.get_smart_campaigns()
    assert campaign["folder"]["id"] == 11
    assert client.get_smart_campaign_by_id(21) == [campaign]
    assert client.get_smart_campaign_by_name("Welcome") == [campaign]


@pytest.mark.parametrize(
    "method",
    ["get_companies", "get_opportunities", "get_opportunity_roles", "get_sales_persons"],
)
def test_there_are_no_such_records(client: Any, method: str) -> None:
    assert client.execute(method=method, filterType="idField", filterValues=["1", "2"]) == []


@pytest.mark.parametrize("method", ["get_named_accounts", "get_named_account_lists"])
def test_there_are_no_named_accounts(client: Any, method: str) -> None:
    assert list(getattr(client, method)(filterType="idField", filterValues=["1"])) == [[]]


@pytest.mark.parametrize(
    "method",
    [
        "describe_company",
        "describe_opportunity",
        "describe_opportunity_role",
        "describe_sales_person",
        "describe_named_accounts",
    ],
)
def test_their_descriptions_are_empty(client: Any, method: str) -> None:
    assert getattr(client, method)() == []


def test_there_are_no_other_assets(client: Any) -> None:
    assert client.browse_folders(root=1) == []
    for method in ("get_channels", "get_emails", "get_tags"):
        assert getattr(client, method)() == []
