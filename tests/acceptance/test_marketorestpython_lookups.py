"""marketorestpython, unmodified, asks for what the catalog answers."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from marketorestpython.client import MarketoClient
from marketorestpython.helper.exceptions import MarketoException
from tests.acceptance.answers import check
from tests.acceptance.processes import outhaul, serve
from tests.acceptance.recorder import recorded
from tests.schemas import Contract

from outhaul import sample

CATALOG = sample.catalog()
AREAS = ("Lead", "Activity", "Assets", "Campaign", "Company", "Named Account")


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory, contract: Contract | None) -> Iterator[Any]:
    """A client of a server with the sample's catalog; at the end every answer is checked."""
    data, file = tmp_path_factory.mktemp("data"), tmp_path_factory.mktemp("files") / "catalog.json"
    file.write_text(json.dumps(CATALOG), "utf-8")
    outhaul("load", "catalog", file, "--data", data)
    permissions = [word for area in AREAS for word in ("--permission", f"Read-Only {area}")]
    with serve(data) as server, recorded(server.url) as recorder:
        made = outhaul(
            *("service", "create", "lookups", "--data", data, "--user", "lookups@example.com"),
            *(*permissions, "--json"),
        )
        known = json.loads(made.out)
        made_client = MarketoClient("123-ABC-456", known["clientId"], known["clientSecret"])
        made_client.host = recorder.url
        yield made_client
    assert len(recorder.calls) > 20
    for call in recorder.calls:
        check(call, contract)


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
