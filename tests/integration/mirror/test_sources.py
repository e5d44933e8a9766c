"""What look-ups of a served instance give can be loaded into another one."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.support.instance import NOW
from tests.support.two_instances import Side, lead_field

from outhaul import sample
from outhaul.client import Session
from outhaul.kinds.activities import ACTIVITIES
from outhaul.kinds.kind import PlainRecords
from outhaul.kinds.leads import LEADS
from outhaul.mirror import sources

LEAD = sample.FIRST_LEAD_ID
FIELDS = ["email", "createdAt", "updatedAt", "score", "isCustomer"]


@pytest.fixture(scope="module")
def a(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Side]:
    side = Side(tmp_path_factory.mktemp("sources") / "a")
    side.store(sample.catalog())
    side.store(
        {
            "result": [
                lead_field(1500, "score", "integer"),
                lead_field(1501, "isCustomer", "boolean"),
            ]
        }
    )
    leads = [
        {
            "id": LEAD + n,
            "email": f"{n}@example.com" if n % 3 else None,
            "createdAt": "2026-01-01T00:00:00Z",
            "updatedAt": "2026-01-02T00:00:00Z",
            "score": n,
            "isCustomer": n % 2 == 0,
        }
        for n in range(700)
    ]
    side.load(LEADS, *leads)
    side.load(ACTIVITIES, *sample.activities(400, until=NOW, lead_count=300))
    side.load(ACTIVITIES, *sample.deletions(until=NOW))
    yield side
    side.database.close()


@pytest.fixture(scope="module")
def session(a: Side) -> Iterator[Session]:
    with a.session() as opened:
        yield opened


@pytest.fixture
def b(tmp_path: Path, a: Side) -> Iterator[Side]:
    side = Side(tmp_path / "b")
    side.catalog.store(a.catalog.loaded())
    yield side
    side.database.close()


def rows(side: Side, kind: PlainRecords, *columns: str) -> list[tuple[Any, ...]]:
    snapshot = side.lake.snapshot(kind.table)
    assert snapshot is not None
    return sorted(snapshot.scan(snapshot.files).select(columns).collect().rows())


def test_deletions_are_loaded_as_they_are_exported(a: Side, b: Side, session: Session) -> None:
    found = [*sources.deleted_leads(session, NOW - timedelta(days=400))]
    assert len(found) == len([*sample.deletions(until=NOW)]) > 0
    b.load(ACTIVITIES, *found)
    columns = ("marketoGUID", "leadId", "activityDate", "primaryAttributeValue", "attributes")
    deletions = [row for row in rows(a, ACTIVITIES, "activityTypeId", *columns) if row[0] == 37]
    assert rows(b, ACTIVITIES, "activityTypeId", *columns) == deletions


def test_leads_by_id_are_loaded_as_they_are(a: Side, b: Side, session: Session) -> None:
    left = [row[0] for row in rows(a, LEADS, "id")]
    found = [*sources.leads_by_id(session, range(LEAD, LEAD + 800), FIELDS)]
    assert [lead["id"] for lead in found] == left
    b.load(LEADS, *found)
    assert rows(b, LEADS, "id", *FIELDS) == rows(a, LEADS, "id", *FIELDS)


def test_the_first_activity_is_that_of_the_table(a: Side, session: Session) -> None:
    types = [*a.catalog.activity_types()]
    first = sources.first_activity(session, types, NOW - timedelta(days=4_000))
    assert first == min(row[0] for row in rows(a, ACTIVITIES, "activityDate"))


def test_changes_name_the_leads(a: Side, session: Session) -> None:
    since = NOW - timedelta(days=400)
    names = [*a.catalog.lead_fields()]
    found = {change["leadId"] for change in sources.lead_changes(session, names, since)}
    assert found
    until = NOW - timedelta(days=10)
    earlier = {change["leadId"] for change in sources.lead_changes(session, names, since, until)}
    assert earlier < found
