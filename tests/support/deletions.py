"""Records of leads of which lead 5 is deleted, and what must be left of them."""

import json
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
from tests.support.loads import load_activities, load_leads, load_list_members, load_program_members

from outhaul.catalog.store import Catalog
from outhaul.kinds.program_members import TABLE as PROGRAM_MEMBERS
from outhaul.lake.snapshot import Lake, Snapshot
from outhaul.lake.tables import (
    DELETE_LEAD,
    DELETED_LEADS,
    LEADS,
    LIST_MEMBERS,
    Table,
)
from outhaul.loading.merge import Merged

Record = dict[str, Any]

MOMENT = datetime(2026, 1, 31, 12, tzinfo=UTC)

LOADS: Mapping[str, Callable[..., Any]] = {
    "activities": load_activities,
    "leads": load_leads,
    "list_members": load_list_members,
    "program_members": load_program_members,
}
WITH_LEADS = (LEADS, LIST_MEMBERS, PROGRAM_MEMBERS)

RECORDS: Mapping[str, list[Record]] = {
    "leads": [{"id": 5}, {"id": 6}, {"id": 60_000}],
    "list_members": [
        {"listId": 1, "leadId": 5},
        {"listId": 1, "leadId": 6},
        {"listId": 2, "leadId": 6},
        {"listId": 3, "leadId": 5},
    ],
    "program_members": [
        {"programId": 1, "leadId": 5, "statusName": "Member"},
        {"programId": 1, "leadId": 6, "statusName": "Member"},
        {"programId": 2, "leadId": 60_000, "statusName": "Member"},
    ],
}
LEFT: Mapping[str, list[tuple[Any, ...]]] = {
    "leads": [(6,), (60_000,)],
    "list_members": [(1, 6), (2, 6)],
    "program_members": [(1, 6), (2, 60_000)],
}
"""The keys of those that are left when lead 5 is deleted."""


def write(folder: Path, records: Iterable[Mapping[str, Any]]) -> Path:
    path = folder / f"{len(list(folder.iterdir()))}.jsonl"
    path.write_text("".join(json.dumps(record) + "\n" for record in records), "utf-8")
    return path


def load(catalog: Catalog, lake: Lake, table: Table, records: Iterable[Record]) -> Merged:
    lake.folder.mkdir(parents=True, exist_ok=True)
    return load_file(catalog, lake, table, write(lake.folder.parent, records))


def load_file(catalog: Catalog, lake: Lake, table: Table, path: Path) -> Merged:
    merged = LOADS[table.name](lake, catalog, path, MOMENT, lambda _: None).merged
    assert isinstance(merged, Merged)
    return merged


def load_all(catalog: Catalog, lake: Lake) -> dict[str, Merged]:
    return {table.name: load(catalog, lake, table, RECORDS[table.name]) for table in WITH_LEADS}


def activity(guid: str, lead: int, moment: datetime = MOMENT, type_id: int = 1) -> Record:
    return {
        "marketoGUID": guid,
        "leadId": lead,
        "activityDate": moment.isoformat(),
        "activityTypeId": type_id,
    }


def deletion(lead: int, moment: datetime = MOMENT, guid: str | None = None) -> Record:
    return activity(guid or f"delete-{lead}", lead, moment, DELETE_LEAD)


def current(lake: Lake, table: Table) -> Snapshot:
    snapshot = lake.snapshot(table)
    assert snapshot is not None
    return snapshot


def keys(lake: Lake, table: Table) -> list[tuple[Any, ...]]:
    snapshot = current(lake, table)
    found: list[tuple[Any, ...]] = []
    for file in snapshot.files:
        rows = snapshot.scan([file]).collect()
        partition = pl.lit(file.partition, dtype=table.partition_type).alias(table.partition)
        found += rows.with_columns(partition).select(table.key).rows()
        assert rows.equals(rows.sort(table.order))
        assert rows.height == file.records
    return found


def all_keys(lake: Lake) -> dict[str, list[tuple[Any, ...]]]:
    return {table.name: keys(lake, table) for table in WITH_LEADS}


def known(lake: Lake) -> dict[int, datetime]:
    """Return the leads that are deleted, and when they were."""
    snapshot = lake.snapshot(DELETED_LEADS)
    if snapshot is None or not snapshot.files:
        return {}
    assert len({file.partition for file in snapshot.files}) == len(snapshot.files)
    return dict(snapshot.scan(snapshot.files).collect().rows())
