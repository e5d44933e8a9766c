"""Loads whose process is killed: the table is as it was, and loading the file again repairs it."""

import signal
import subprocess
import sys
from pathlib import Path

from tests.support.deletions import (
    LEFT,
    MOMENT,
    activity,
    all_keys,
    deletion,
    keys,
    known,
    load,
    load_all,
    load_file,
    write,
)
from tests.support.waiting import PATIENCE

from outhaul.catalog.store import Catalog
from outhaul.lake.snapshot import Lake
from outhaul.lake.tables import ACTIVITIES

# A load that stops for good at one of its steps, as if its machine had been switched off.
KILLED_AT_STEP = """
import os, signal, sys
from datetime import UTC, datetime
from pathlib import Path
from outhaul.catalog.store import Catalog
from outhaul.kinds.activities import ACTIVITIES
from outhaul.loading import loads, merge, staging
from outhaul.lake.snapshot import Lake
from outhaul.database.engine import Database

step, folder, database, path = sys.argv[1:]

def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)

write_file = merge.write_file

def write_and_die(*arguments):
    write_file(*arguments)
    die()

if step == "staging":
    staging.Staging.settle = die
elif step == "writing":
    merge.write_file = write_and_die
elif step == "committing":
    merge.commit = die
loads.load_file(
    ACTIVITIES.loading,
    Lake(Path(folder)),
    Catalog(Database(database), "default"),
    Path(path),
    datetime(2026, 1, 31, tzinfo=UTC),
    lambda _: None,
)
"""


def test_a_load_that_is_killed_leaves_the_table_as_it_was(
    lake: Lake, catalog: Catalog, tmp_path: Path
) -> None:
    load(catalog, lake, ACTIVITIES, [activity("1", 7), activity("2", 7)])
    before = lake.snapshot(ACTIVITIES)
    path = write(tmp_path, [activity("3", 8), activity("2", 7)])
    url = f"sqlite:///{tmp_path / 'outhaul.db'}"  # which is open here, too
    running = [
        subprocess.Popen(
            [sys.executable, "-c", KILLED_AT_STEP, step, str(lake.folder), url, str(path)]
        )
        for step in ("staging", "writing", "committing")
    ]
    assert [process.wait(PATIENCE) for process in running] == [-signal.SIGKILL] * 3
    assert lake.snapshot(ACTIVITIES) == before
    assert keys(lake, ACTIVITIES) == [("1",), ("2",)]
    assert len(staged(lake)) >= 1
    merged = load_file(catalog, lake, ACTIVITIES, path)
    assert (merged.added, merged.changed, merged.unchanged) == (1, 0, 1)
    assert sorted(keys(lake, ACTIVITIES)) == [("1",), ("2",), ("3",)]
    assert staged(lake) == []


def staged(lake: Lake) -> list[Path]:
    return list(lake.folder.glob(".staging-*"))


# A load that is ended for good at its n-th commit: as it begins, or as it has been made.
KILLED_AT_COMMIT = """
import os, signal, sys
from datetime import UTC, datetime
from pathlib import Path
from outhaul.catalog.store import Catalog
from outhaul.lake import deletions
from outhaul.loading import merge
from outhaul.kinds.activities import ACTIVITIES
from outhaul.loading import loads
from outhaul.lake.snapshot import Lake
from outhaul.database.engine import Database

folder, database, path, call, after = sys.argv[1:]
commit, calls = deletions.commit, iter(range(100))

def commit_and_die(*arguments, **named):
    dies = next(calls) == int(call)
    if not dies or after == "after":
        commit(*arguments, **named)
    if dies:
        os.kill(os.getpid(), signal.SIGKILL)

deletions.commit = merge.commit = commit_and_die
loads.load_file(
    ACTIVITIES.loading,
    Lake(Path(folder)),
    Catalog(Database(database), "default"),
    Path(path),
    datetime(2026, 1, 31, tzinfo=UTC),
    lambda _: None,
)
"""


def test_a_load_that_is_killed_is_repaired_by_loading_the_file_again(
    catalog: Catalog, tmp_path: Path
) -> None:
    url = f"sqlite:///{tmp_path / 'outhaul.db'}"
    running = []
    for n, (call, when) in enumerate(((0, "before"), (0, "after"), (2, "before"), (3, "after"))):
        lake = Lake(tmp_path / str(n) / "lake")
        load_all(catalog, lake)
        path = write(lake.folder.parent, [deletion(5), activity("1", 6)])
        words = [str(lake.folder), url, str(path), str(call), when]
        running.append(
            (lake, path, subprocess.Popen([sys.executable, "-c", KILLED_AT_COMMIT, *words]))
        )
    for lake, path, process in running:
        assert process.wait(PATIENCE) == -signal.SIGKILL
        assert lake.snapshot(ACTIVITIES) is None or keys(lake, ACTIVITIES) == []
        load_file(catalog, lake, ACTIVITIES, path)
        assert all_keys(lake) == LEFT
        assert known(lake) == {5: MOMENT}
        assert sorted(keys(lake, ACTIVITIES)) == [("1",), ("delete-5",)]
