import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
from tests.support.loads import load_activities, load_leads

from outhaul.catalog.store import Catalog
from outhaul.lake.snapshot import Lake, Snapshot
from outhaul.lake.tables import ACTIVITIES, LEADS, LIST_MEMBERS, parse_type, type_name
from outhaul.loading.merge import MANY_FILES
from outhaul.records.columns import column_type

MOMENT = datetime(2026, 1, 31, 12, tzinfo=UTC)


def write(folder: Path, name: str, records: Sequence[dict[str, Any]]) -> Path:
    path = folder / f"{name}.jsonl"
    path.write_text("".join(json.dumps(record) + "\n" for record in records), "utf-8")
    return path


def activity(guid: str, day: int, value: str = "x") -> dict[str, Any]:
    return {
        "marketoGUID": guid,
        "leadId": 1,
        "activityDate": f"2026-01-{day:02}T00:00:00Z",
        "activityTypeId": 1,
        "primaryAttributeValue": value,
    }


def load(lake: Lake, catalog: Catalog, path: Path) -> None:
    load_activities(lake, catalog, path, MOMENT, lambda _: None)


def rows(snapshot: Snapshot) -> pl.DataFrame:
    return snapshot.scan(snapshot.files).collect()


def test_a_lake_without_records_has_no_snapshots(lake: Lake) -> None:
    assert [lake.snapshot(table) for table in (ACTIVITIES, LEADS, LIST_MEMBERS)] == [None] * 3
    (lake.folder / "leads").mkdir(parents=True)
    assert lake.snapshot(LEADS) is None


def test_a_version_stays_readable_and_the_same_whatever_is_loaded_later(
    lake: Lake, catalog: Catalog, tmp_path: Path
) -> None:
    first = [activity(str(n), 1 + n % 3) for n in range(9)]
    load(lake, catalog, write(tmp_path, "first", first))
    pinned = lake.snapshot(ACTIVITIES)
    assert pinned is not None
    before = rows(pinned)
    assert before.height == 9
    for n in range(MANY_FILES + 1):
        changed = [activity("0", 1, f"{n}"), activity("1", 3 + n), activity(f"new {n}", 3)]
        load(lake, catalog, write(tmp_path, f"{n}", changed))
        assert rows(pinned).equals(before)
    assert lake.snapshot(ACTIVITIES, pinned.version) == pinned
    latest = lake.snapshot(ACTIVITIES)
    assert latest is not None
    assert not {file.path for file in latest.files} & {file.path for file in pinned.files}
    assert rows(latest).height == 9 + MANY_FILES + 1


def test_a_version_has_the_columns_that_it_had(
    lake: Lake, catalog: Catalog, tmp_path: Path
) -> None:
    for fields in ({}, {"shoeSize": 43}):
        path = write(tmp_path, "leads", [{"id": 1 + len(fields), **fields}])
        load_leads(lake, catalog, path, MOMENT, lambda _: None, infer=True)
    versions = [lake.snapshot(LEADS, version) for version in range(4)]
    assert ["shoeSize" in found.columns for found in versions if found] == [
        False,
        False,
        True,
        True,
    ]
    assert [len(found.files) for found in versions if found] == [0, 1, 1, 2]
    newest = versions[-1]
    assert newest is not None
    assert rows(newest).sort("id")["shoeSize"].to_list() == [None, 43]


def test_a_file_says_what_it_holds(lake: Lake, catalog: Catalog, tmp_path: Path) -> None:
    load(
        lake, catalog, write(tmp_path, "a", [activity("b", 2), activity("a", 2), activity("c", 1)])
    )
    snapshot = lake.snapshot(ACTIVITIES)
    assert snapshot is not None
    first, second = snapshot.files
    assert (str(first.partition), first.records, str(second.partition), second.records) == (
        "2026-01-01",
        1,
        "2026-01-02",
        2,
    )
    assert second.bounds["marketoGUID"] == ("a", "b")
    assert second.bounds["activityDate"] == (datetime(2026, 1, 2, tzinfo=UTC),) * 2
    assert second.size == (lake.folder / "activities" / second.path).stat().st_size


def test_a_type_has_a_name_in_delta() -> None:
    names = ("string", "integer", "float", "boolean", "date", "datetime")
    for of in map(column_type, names):
        assert parse_type(type_name(of)) == of
