"""Loads of several threads and processes at the same time."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from tests.support import deletions
from tests.support.deletions import deletion, keys, known
from tests.support.loads import load_activities
from tests.support.waiting import PATIENCE

from outhaul.catalog.store import Catalog
from outhaul.lake.snapshot import Lake
from outhaul.lake.tables import ACTIVITIES, LEADS, LIST_MEMBERS

MOMENT = datetime(2026, 1, 31, 12, tzinfo=UTC)


def write(folder: Path, name: str, records: Sequence[dict[str, Any]]) -> Path:
    path = folder / f"{name}.jsonl"
    path.write_text("".join(json.dumps(record) + "\n" for record in records), "utf-8")
    return path


def activity(guid: str, day: int) -> dict[str, Any]:
    return {
        "marketoGUID": guid,
        "leadId": 1,
        "activityDate": f"2026-01-{day:02}T00:00:00Z",
        "activityTypeId": 1,
        "primaryAttributeValue": "x",
    }


def load(lake: Lake, catalog: Catalog, path: Path) -> None:
    load_activities(lake, catalog, path, MOMENT, lambda _: None)


# Loads files, one after the other, while others do the same.
LOADER = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from outhaul.catalog.store import Catalog
from outhaul.kinds.activities import ACTIVITIES
from outhaul.loading.loads import load_file
from outhaul.lake.snapshot import Lake
from outhaul.database.engine import Database

folder, database, *paths = sys.argv[1:]
catalog = Catalog(Database(database), "default")
for path in paths:
    load_file(
        ACTIVITIES.loading,
        Lake(Path(folder)),
        catalog,
        Path(path),
        datetime(2026, 1, 31, tzinfo=UTC),
        lambda _: None,
    )
"""


def overlapping(folder: Path, loader: int) -> list[Path]:
    """Write files that add records of their own, and change some that other loaders have too."""
    return [
        write(
            folder,
            f"{loader}-{n}",
            [
                *(activity(f"{loader}-{n}-{k}", 1 + k % 2) for k in range(20)),
                *(activity(f"shared-{k}", 1 + (k + loader + n) % 3) for k in range(5)),
            ],
        )
        for n in range(4)
    ]


def check_nothing_lost(lake: Lake, loaders: int) -> None:
    snapshot = lake.snapshot(ACTIVITIES)
    assert snapshot is not None
    found = snapshot.scan(snapshot.files).collect()["marketoGUID"].to_list()
    expected = {
        f"{loader}-{n}-{k}" for loader in range(loaders) for n in range(4) for k in range(20)
    }
    assert sorted(found) == sorted(expected | {f"shared-{k}" for k in range(5)})


def test_loads_of_several_threads_lose_and_double_nothing(
    lake: Lake, catalog: Catalog, tmp_path: Path
) -> None:
    files = [path for loader in range(3) for path in overlapping(tmp_path, loader)]
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda path: load(Lake(lake.folder), catalog, path), files))
    check_nothing_lost(lake, 3)


@pytest.mark.usefixtures("catalog")
def test_loads_of_several_processes_lose_and_double_nothing(lake: Lake, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'outhaul.db'}"
    running = [
        subprocess.Popen(
            [sys.executable, "-c", LOADER, str(lake.folder), url]
            + [str(path) for path in overlapping(tmp_path, loader)]
        )
        for loader in range(2)
    ]
    assert [process.wait() for process in running] == [0, 0]
    check_nothing_lost(lake, 2)


# Deletions

LOADING = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from outhaul.catalog.store import Catalog
from outhaul.kinds.registry import REGISTRY
from outhaul.loading.loads import load_file
from outhaul.lake.snapshot import Lake
from outhaul.database.engine import Database

folder, database, *files = sys.argv[1:]
catalog = Catalog(Database(database), "default")
found = [records for records in REGISTRY.all() if records.type_option is None]
loadings = {records.name: records.loading_of(catalog, None) for records in found}
print("ready", flush=True)
sys.stdin.readline()
for path in map(Path, files):
    load_file(
        loadings[path.parent.name.replace("_", "-")],
        Lake(Path(folder)),
        catalog,
        path,
        datetime(2026, 1, 31, tzinfo=UTC),
        lambda _: None,
    )
"""


@pytest.mark.usefixtures("catalog")
def test_processes_that_load_and_delete_at_once_end_without_the_leads(
    lake: Lake, tmp_path: Path
) -> None:
    ids = range(1, 25)
    files: dict[str, list[Path]] = {}
    for n in ids:
        for name, record in (
            ("leads", {"id": n}),
            ("list_members", {"listId": 1, "leadId": n}),
            ("activities", deletion(n) if n % 2 else deletions.activity(str(n), n)),
        ):
            (tmp_path / name).mkdir(exist_ok=True)
            files.setdefault(name, []).append(deletions.write(tmp_path / name, [record]))
    lake.folder.mkdir(parents=True)
    words = [sys.executable, "-c", LOADING, str(lake.folder), f"sqlite:///{tmp_path}/outhaul.db"]
    running = [
        subprocess.Popen(
            [*words, *map(str, named)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=os.environ | {"POLARS_MAX_THREADS": "1"},
        )
        for named in files.values()
    ]
    for process in running:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
    # Each goes on as its line is there.
    for process in running:
        assert process.stdin is not None
        process.stdin.write(b"\n")
        process.stdin.flush()
    for process in running:
        process.communicate(timeout=PATIENCE)
        assert process.returncode == 0
    assert sorted(keys(lake, LEADS)) == [(n,) for n in ids if n % 2 == 0]
    assert sorted(keys(lake, LIST_MEMBERS)) == [(1, n) for n in ids if n % 2 == 0]
    assert sorted(known(lake)) == [n for n in ids if n % 2]
