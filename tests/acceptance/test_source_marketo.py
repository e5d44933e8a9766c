"""Airbyte's source-marketo, unmodified but for how long it waits: leads, activities and assets."""

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from tests.support.airbyte import NAME, Connector
from tests.support.answers import check
from tests.support.clients import needs
from tests.support.processes import Server, prepare
from tests.support.recorder import recorded
from tests.support.schemas import Contract

from outhaul import sample
from outhaul.catalog.built_in import standard_entries

AREAS = ("Lead", "Activity", "Assets", "Campaign")
UNTIL = datetime(2026, 1, 20, 12, tzinfo=UTC)
START, END = "2025-12-20T00:00:00Z", "2026-01-21T00:00:00Z"
LEADS = list(sample.leads(200, until=UNTIL))
ACTIVITIES = list(sample.activities(800, until=UNTIL, lead_count=200))
DELETIONS = list(sample.deletions(5, until=UNTIL))
CATALOG = sample.catalog()
TYPES = {"activities_visit_webpage": 1, "activities_delete_lead": 37}
ASSETS = ("campaigns", "lists", "programs", "emails", "segmentations", "program_tokens")
REMAINING = [lead for lead in LEADS if lead["id"] not in {entry["leadId"] for entry in DELETIONS}]

pytestmark = needs(NAME)


@pytest.fixture(scope="module")
def config(
    server: Server, tmp_path_factory: pytest.TempPathFactory, contract: Contract | None
) -> Iterator[dict[str, Any]]:
    """The configuration for a subscription with the sample; at the end answers are checked."""
    files = tmp_path_factory.mktemp("files")
    where = ("--data", server.data, "--subscription", "warehouse")
    prepare("subscription", "create", "warehouse", "--data", server.data)
    catalog = files / "catalog.json"
    catalog.write_text(json.dumps(CATALOG), "utf-8")
    prepare("load", "catalog", catalog, *where)
    for kind, records in (("leads", LEADS), ("activities", [*DELETIONS, *ACTIVITIES])):
        path = files / f"{kind}.jsonl"
        path.write_text("".join(json.dumps(record) + "\n" for record in records), "utf-8")
        prepare("load", kind, path, *where)
    known = server.of("warehouse", AREAS)
    with recorded(server.url) as recorder:
        yield {
            "domain_url": recorder.url,
            "client_id": known.client_id,
            "client_secret": known.client_secret,
            "start_date": START,
            "end_date": END,
            "window_in_days": 31,
        }
    for call in recorder.calls:
        check(call, contract)


def test_records_of_exports_and_of_look_ups(config: dict[str, Any], tmp_path: Path) -> None:
    connector = Connector(tmp_path, config)
    found = {stream["name"]: stream for stream in connector.discover()}
    assert len([name for name in found if name.startswith("activities_")]) == len(
        standard_entries().activity_types
    )
    wanted = [found[name] for name in ("leads", *TYPES, *ASSETS)]
    first = connector.read(wanted)

    leads = sorted(first.records("leads"), key=lambda lead: lead["id"])
    updated = [lead for lead in REMAINING if START <= lead["updatedAt"] <= END]
    assert [lead["id"] for lead in leads] == sorted(lead["id"] for lead in updated)
    by_id = {lead["id"]: lead for lead in updated}
    for lead in leads:
        for name in ("email", "firstName", "createdAt", "leadScore", "unsubscribed"):
            # It takes an empty text and the text "null" for nothing.
            known = by_id[lead["id"]][name]
            assert lead[name] == (None if known in ("", "null") else known), name

    for name, type_id in TYPES.items():
        given = [
            entry
            for entry in (*ACTIVITIES, *DELETIONS)
            if entry["activityTypeId"] == type_id and START <= entry["activityDate"] <= END
        ]
        brought = first.records(name)
        assert {entry["marketoGUID"] for entry in brought} == {
            str(entry["marketoGUID"]) for entry in given
        }
        assert len(brought) == len(given) > 0

    assert {entry["id"] for entry in first.records("programs")} == {
        entry["id"] for entry in CATALOG["programs"] if START <= entry["updatedAt"] <= END
    }
    assert not first.records("emails")
    assert not first.records("segmentations")
    assert not first.records("program_tokens")

    again = connector.read([found["leads"]], first.state)
    since = first.cursor("leads")
    assert {lead["id"] for lead in again.records("leads")} == {
        lead["id"] for lead in updated if lead["updatedAt"] >= since
    }


def test_a_connection_is_checked(config: Mapping[str, Any], tmp_path: Path) -> None:
    assert Connector(tmp_path, config).check() == {"status": "SUCCEEDED"}
    refused = Connector(tmp_path, {**config, "client_secret": "wrong"}).refusal()
    assert refused.startswith("401 Client Error: Unauthorized")
