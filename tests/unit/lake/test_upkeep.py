import json
import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from deltalake import DeltaTable
from tests.support.loads import load_activities, load_leads

from outhaul.catalog.store import Catalog
from outhaul.lake.commits import TableChangedError, commit, write_file
from outhaul.lake.snapshot import Lake, Snapshot
from outhaul.lake.tables import ACTIVITIES, LEADS, Table
from outhaul.lake.upkeep import compact, remove_replaced

NOW = datetime(2026, 1, 20, 12, tzinfo=UTC)
NUMBERS = count()
LONG_AGO = 10 * 3_600


def load(lake: Lake, catalog: Catalog, table: Table, *records: Mapping[str, Any]) -> None:
    path = lake.folder.parent / f"{next(NUMBERS)}.jsonl"
    path.write_text("".join(json.dumps(record) + "\n" for record in records), "utf-8")
    run = load_leads if table is LEADS else load_activities
    run(lake, catalog, path, NOW, lambda _: None)


def activity(number: int, *, day: int = 1) -> dict[str, Any]:
    moment = datetime(2026, 1, day, tzinfo=UTC) + timedelta(seconds=number % 7)
    return {
        "marketoGUID": f"{number:05}",
        "leadId": number + 1,
        "activityDate": f"{moment:%Y-%m-%dT%H:%M:%SZ}",
        "activityTypeId": 1,
    }


def current(lake: Lake, table: Table) -> Snapshot:
    snapshot = lake.snapshot(table)
    assert snapshot is not None
    return snapshot


def records_of(lake: Lake, table: Table) -> pl.DataFrame:
    snapshot = current(lake, table)
    return snapshot.scan(snapshot.files).collect().sort(table.order)


def age(lake: Lake, table: Table) -> None:
    """Make all files look as if they were written long ago."""
    for path in (lake.folder / table.name).rglob("*.parquet"):
        os.utime(path, (path.stat().st_mtime - LONG_AGO,) * 2)


def names(lake: Lake, table: Table) -> set[str]:
    folder = lake.folder / table.name
    return {str(path.relative_to(folder)) for path in folder.rglob("*.parquet")}


def test_small_files_of_a_partition_become_one(lake: Lake, catalog: Catalog) -> None:
    for number in range(4):
        load(lake, catalog, ACTIVITIES, *(activity(n, day=1) for n in range(number, 40, 4)))
    load(lake, catalog, ACTIVITIES, activity(100, day=2))
    before = records_of(lake, ACTIVITIES)
    untouched = current(lake, ACTIVITIES).files[-1]
    assert compact(lake, ACTIVITIES) == 4
    snapshot = current(lake, ACTIVITIES)
    assert [file.records for file in snapshot.files] == [40, 1]
    assert snapshot.files[-1] == untouched
    assert records_of(lake, ACTIVITIES).equals(before)
    one = snapshot.scan(snapshot.files[:1]).collect()
    assert one.equals(one.sort(ACTIVITIES.order)), "files stay sorted"
    assert snapshot.files[0].bounds["marketoGUID"] == ("00000", "00039")


def test_there_is_nothing_to_do_twice(lake: Lake, catalog: Catalog) -> None:
    load(lake, catalog, ACTIVITIES, activity(1))
    load(lake, catalog, ACTIVITIES, activity(2))
    assert compact(lake, ACTIVITIES) == 2
    version = current(lake, ACTIVITIES).version
    assert compact(lake, ACTIVITIES) == 0
    assert current(lake, ACTIVITIES).version == version
    assert compact(lake, LEADS) == 0, "nothing was ever loaded"


def test_much_is_not_written_anew_for_a_little(lake: Lake, catalog: Catalog) -> None:
    load(lake, catalog, ACTIVITIES, *(activity(n) for n in range(100)))
    load(lake, catalog, ACTIVITIES, activity(200))
    assert compact(lake, ACTIVITIES) == 0
    for number in range(201, 204):
        load(lake, catalog, ACTIVITIES, activity(number))
    assert compact(lake, ACTIVITIES) == 5, "that many files are"


def test_a_reader_of_changes_skips_it(lake: Lake, catalog: Catalog) -> None:
    load(lake, catalog, ACTIVITIES, activity(1))
    load(lake, catalog, ACTIVITIES, activity(2))
    compact(lake, ACTIVITIES)
    log = max((lake.folder / "activities" / "_delta_log").glob("*.json"))
    actions = [json.loads(line) for line in log.read_text().splitlines()]
    changed = [
        entry[name]["dataChange"] for entry in actions for name in entry.keys() & {"add", "remove"}
    ]
    assert changed == [False] * 3


def test_columns_that_came_later_are_kept(lake: Lake, catalog: Catalog) -> None:
    load(lake, catalog, LEADS, {"id": 1})
    load(lake, catalog, LEADS, {"id": 2, "email": "two@example.com"})
    assert compact(lake, LEADS) == 2
    assert records_of(lake, LEADS)["email"].to_list() == [None, "two@example.com"]


def test_a_load_that_comes_between_is_not_undone(lake: Lake, catalog: Catalog) -> None:
    load(lake, catalog, ACTIVITIES, activity(1))
    snapshot = current(lake, ACTIVITIES)
    load(lake, catalog, ACTIVITIES, activity(2))
    written = write_file(
        snapshot.location, ACTIVITIES, snapshot.files[0].partition, snapshot.scan(snapshot.files)
    )
    with pytest.raises(TableChangedError, match="load the file again"):
        commit(lake, ACTIVITIES, version=snapshot.version, adds=[written], removes=snapshot.files)
    assert records_of(lake, ACTIVITIES).height == 2


def test_loads_and_compactions_at_once_lose_nothing(lake: Lake, catalog: Catalog) -> None:
    load(lake, catalog, ACTIVITIES, activity(0))

    def one(number: int) -> None:
        if number % 3 == 0:
            compact(lake, ACTIVITIES)
        else:
            load(lake, catalog, ACTIVITIES, activity(number))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(one, range(1, 25)))
    loaded = [n for n in range(25) if n % 3] + [0]
    assert records_of(lake, ACTIVITIES)["marketoGUID"].sort().to_list() == sorted(
        f"{n:05}" for n in loaded
    )


def test_what_was_replaced_goes_when_it_is_old_and_not_pinned(lake: Lake, catalog: Catalog) -> None:
    for number in range(3):
        load(lake, catalog, LEADS, {"id": 1, "email": f"{number}@example.com"})
    everything = names(lake, LEADS)
    kept = {file.path for file in current(lake, LEADS).files}
    first, _ = sorted(everything - kept)
    remove_replaced(lake, LEADS, hours=1, pinned=set)
    assert names(lake, LEADS) == everything, "they are too young"
    remove_replaced(lake, LEADS, hours=0, pinned=lambda: {first})
    assert names(lake, LEADS) == kept | {first}
    remove_replaced(lake, LEADS, hours=0, pinned=set)
    assert names(lake, LEADS) == kept
    assert DeltaTable(lake.folder / "leads").to_pyarrow_table().num_rows == 1


def test_a_file_that_a_job_pins_just_before_it_is_replaced_stays(
    lake: Lake, catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    load(lake, catalog, LEADS, {"id": 1, "email": "old"})
    (file,) = current(lake, LEADS).files
    pinned: set[str] = set()
    vacuum = DeltaTable.vacuum

    def overtaken(_: DeltaTable, hours: int, **options: Any) -> list[str]:
        """List what was replaced; meanwhile a job pins a file, which a load replaces."""
        pinned.add(file.path)
        load(lake, catalog, LEADS, {"id": 1, "email": "new"})
        return vacuum(lake.at(LEADS, current(lake, LEADS).version), hours, **options)

    monkeypatch.setattr(DeltaTable, "vacuum", overtaken)
    remove_replaced(lake, LEADS, hours=0, pinned=lambda: set(pinned))
    assert file.path not in {each.path for each in current(lake, LEADS).files}
    assert file.path in names(lake, LEADS)


def test_files_that_were_never_put_in_go_when_they_are_old(lake: Lake, catalog: Catalog) -> None:
    load(lake, catalog, LEADS, {"id": 1})
    kept = {file.path for file in current(lake, LEADS).files}
    left = Path(next(iter(kept))).with_name("left-by-a-killed-load.parquet")
    (lake.folder / "leads" / left).write_bytes(b"half")
    remove_replaced(lake, LEADS, hours=1, pinned=set)
    assert names(lake, LEADS) == kept | {str(left)}, "its load may be running"
    age(lake, LEADS)
    remove_replaced(lake, LEADS, hours=1, pinned=set)
    assert names(lake, LEADS) == kept, "those of the table stay, however old"
    remove_replaced(lake, ACTIVITIES, hours=0, pinned=set)  # nothing was ever loaded
