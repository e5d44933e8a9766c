"""marketorestpython, unmodified, asks for what the catalog answers, and for single records."""

import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from marketorestpython.client import MarketoClient
from marketorestpython.helper.exceptions import MarketoException
from tests.support.answers import check
from tests.support.processes import Server, prepare
from tests.support.recorder import recorded
from tests.support.schemas import Contract

from outhaul import sample

CATALOG = sample.catalog()
UNTIL = datetime(2026, 1, 20, 12, tzinfo=UTC)
SINCE = "2025-12-01T00:00:00Z"
LEADS = list(sample.leads(700, until=UNTIL))
ACTIVITIES = list(sample.activities(2_000, until=UNTIL, lead_count=700))
DELETIONS = list(sample.deletions(20, until=UNTIL))
MEMBERS = list(sample.list_members(700))
AREAS = ("Lead", "Activity", "Assets", "Campaign", "Company", "Named Account")


@pytest.fixture(scope="module")
def client(
    server: Server, tmp_path_factory: pytest.TempPathFactory, contract: Contract | None
) -> Iterator[Any]:
    """A client of a subscription with the sample; at the end every answer is checked."""
    files = tmp_path_factory.mktemp("files")
    where = ("--data", server.data, "--subscription", "lookups")
    prepare("subscription", "create", "lookups", "--data", server.data)
    file = files / "catalog.json"
    file.write_text(json.dumps(CATALOG), "utf-8")
    prepare("load", "catalog", file, *where)
    for kind, records in (
        ("leads", LEADS),
        ("activities", [*DELETIONS, *ACTIVITIES]),
        ("list-members", MEMBERS),
    ):
        prepare("load", kind, lines(files / f"{kind}.jsonl", records), *where)
    known = server.of("lookups", AREAS)
    with recorded(server.url) as recorder:
        made_client = MarketoClient("123-ABC-456", known.client_id, known.client_secret)
        made_client.host = recorder.url
        yield made_client
    assert len(recorder.calls) > 20
    for call in recorder.calls:
        check(call, contract)


def lines(path: Path, records: Iterable[Mapping[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(record) + "\n" for record in records), "utf-8")
    return path


def ids(found: list[dict[str, Any]]) -> list[int]:
    return [entry["id"] for entry in found]


def wanted(kind: str) -> list[int]:
    return sorted(ids(CATALOG[kind]))


def test_fields_and_types(client: Any) -> None:
    assert "email" in [field["rest"]["name"] for field in client.execute(method="describe")]
    (lead,) = client.execute(method="describe2")
    assert ["email"] in lead["searchableFields"]
    types = client.execute(method="get_activity_types")
    assert {12, 13, 37} <= set(ids(types))
    assert client.execute(method="describe_company") == []
    assert client.execute(method="describe_named_accounts") == []


def test_lists_and_campaigns(client: Any) -> None:
    assert ids(client.execute(method="get_multiple_lists", batchSize=1)) == wanted("staticLists")
    (named,) = client.execute(method="get_multiple_lists", name=["Do Not Mail"])
    assert ids(client.execute(method="get_list_by_id", id=named["id"])) == [named["id"]]
    campaigns = client.execute(method="get_multiple_campaigns", batchSize=3)
    assert ids(campaigns) == wanted("campaigns")
    assert client.execute(method="get_multiple_campaigns", id=[2001, 2003]) == [
        campaign for campaign in campaigns if campaign["id"] in (2001, 2003)
    ]
    assert client.execute(method="get_campaign_by_id", id=2001) == campaigns[:1]
    with pytest.raises(MarketoException) as refused:
        client.get_campaign_by_id(id=1)
    assert refused.value.code == "1013"


def test_assets(client: Any) -> None:
    for pages, kind in (
        ("get_programs_yield", "programs"),
        ("get_forms_yield", "forms"),
        ("browse_lists_yield", "staticLists"),
    ):
        found = [entry for page in getattr(client, pages)(maxReturn=2) for entry in page]
        assert ids(found) == wanted(kind)
    assert ids(client.execute(method="browse_programs", maxReturn=1)) == wanted("programs")
    (program,) = client.execute(method="get_program_by_id", id=1004)
    assert program["type"] == "event"
    assert client.execute(method="get_program_by_name", name=program["name"]) == [program]
    (form,) = client.execute(method="get_form_by_id", id=1001)
    assert client.execute(method="get_form_by_name", name=form["name"]) == [form]


def guids(found: Iterable[Mapping[str, Any]]) -> list[str]:
    return [entry["marketoGUID"] for entry in found]


def of_types(*types: int) -> list[dict[str, Any]]:
    return [entry for entry in ACTIVITIES if entry["activityTypeId"] in types]


def test_activities(client: Any) -> None:
    token = client.execute(method="get_paging_token", sinceDatetime=SINCE)
    found = client.execute(
        method="get_lead_activities", activityTypeIds=["1", "6", "12"], nextPageToken=token
    )
    assert guids(found) == guids(of_types(1, 6, 12))
    few = client.execute(
        method="get_lead_activities",
        activityTypeIds=["1", "6"],
        sinceDatetime=SINCE,
        batchSize=100,
        listId=1001,
    )
    members = {entry["leadId"] for entry in MEMBERS if entry["listId"] == 1001}
    assert guids(few) == guids(entry for entry in of_types(1, 6) if entry["leadId"] in members)
    pages = list(
        client.get_lead_activities_yield(
            activityTypeIds=["6"], sinceDatetime=SINCE, leadIds=["1001,1002"], assetIds=None
        )
    )
    wanted = guids(entry for entry in of_types(6) if entry["leadId"] in (1001, 1002))
    assert guids(entry for page in pages for entry in page) == wanted


def test_changes_and_deletions(client: Any) -> None:
    described = {field["id"]: field["rest"]["name"] for field in client.execute(method="describe")}
    names = sorted({described[entry["primaryAttributeValueId"]] for entry in of_types(13)})
    found = client.execute(
        method="get_lead_changes", fields=names, sinceDatetime=SINCE, batchSize=50
    )
    assert guids(found) == guids(of_types(12, 13))
    changed = [field["name"] for entry in found for field in entry["fields"]]
    assert changed == [described[entry["primaryAttributeValueId"]] for entry in of_types(13)]
    gone = client.execute(method="get_deleted_leads", sinceDatetime=SINCE, batchSize=3)
    assert [entry["leadId"] for entry in gone] == [entry["leadId"] for entry in DELETIONS]


def test_leads(client: Any) -> None:
    (lead,) = client.execute(method="get_lead_by_id", id=1001, fields="email,company")
    assert lead == {name: LEADS[0][name] for name in ("id", "email", "company")}
    with pytest.raises(MarketoException) as refused:
        client.get_lead_by_id(id=1)
    assert refused.value.code == "1004"
    addresses = [lead["email"] for lead in LEADS[:200] if lead["email"]]
    found = client.execute(
        method="get_multiple_leads_by_filter_type",
        filterType="email",
        filterValues=addresses,
        batchSize=30,
    )
    assert [lead["email"] for lead in found] == addresses


def test_leads_of_a_list(client: Any) -> None:
    wanted = [entry["leadId"] for entry in MEMBERS if entry["listId"] == 1001]
    for size in (None, 50):
        found = client.execute(
            method="get_multiple_leads_by_list_id", listId=1001, batchSize=size, fields="id"
        )
        assert ids(found) == sorted(wanted)
    pages = list(client.get_multiple_leads_by_list_id_yield(listId=1001, batchSize=50))
    assert [lead["id"] for page in pages for lead in page] == sorted(wanted)
