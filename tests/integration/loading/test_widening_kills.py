"""Loads that widen a column, and whose process is killed: loading the file again repairs it."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests.support.loads import load_leads
from tests.support.waiting import PATIENCE

from outhaul.catalog.store import Catalog
from outhaul.clock import now
from outhaul.lake.snapshot import Lake
from outhaul.lake.tables import LEADS, LEADS_A_RANGE

# A load that stops for good before or after one of its steps, as if its machine was switched off.
KILLED = """
import os, signal, sys
from datetime import UTC, datetime
from pathlib import Path
from outhaul.catalog.store import Catalog
from outhaul.database.engine import Database
from outhaul.kinds.leads import LEADS
from outhaul.lake import widening
from outhaul.lake.snapshot import Lake
from outhaul.loading import loads, merge

folder, database, path, step, when, call = sys.argv[1:]
modules = {"write_file": widening, "replace_all": widening, "commit": merge, "merge": loads}
original, calls = getattr(modules[step], step), iter(range(100))

def killed(*arguments, **named):
    dies = next(calls) == int(call)
    if dies and when == "before":
        os.kill(os.getpid(), signal.SIGKILL)
    result = original(*arguments, **named)
    if dies:
        os.kill(os.getpid(), signal.SIGKILL)
    return result

setattr(modules[step], step, killed)
loads.load_file(
    LEADS.loading,
    Lake(Path(folder)),
    Catalog(Database(database), "default"),
    Path(path),
    datetime(2026, 1, 31, tzinfo=UTC),
    lambda _: None,
    infer=True,
)
"""


@pytest.mark.parametrize(
    ("step", "when", "call", "widened"),
    [
        ("write_file", "before", 0, False),
        ("write_file", "after", 1, False),
        ("replace_all", "before", 0, False),
        ("replace_all", "after", 0, True),
        ("commit", "before", 0, True),
        ("merge", "after", 0, True),
    ],
)
def test_a_widening_that_is_killed_is_whole_or_absent(  # noqa: PLR0913, PLR0917 - points of death
    lake: Lake,
    catalog: Catalog,
    database_url: str,
    tmp_path: Path,
    step: str,
    when: str,
    call: int,
    widened: bool,
) -> None:
    far = LEADS_A_RANGE + 1
    first = written(tmp_path / "first.csv", f"id,x\n1,5\n{far},6\n")
    then = written(tmp_path / "then.csv", "id,x\n2,1.5\n")
    load(lake, catalog, first)
    words = [str(lake.folder), database_url, str(then), step, when, str(call)]
    process = subprocess.Popen([sys.executable, "-c", KILLED, *words])
    assert process.wait(PATIENCE) == -signal.SIGKILL
    found = leads(lake)
    assert found == {1: 5, far: 6} | ({2: 1.5} if step == "merge" else {})
    assert isinstance(found[1], float) == widened
    load(lake, catalog, then)
    assert leads(lake) == {1: 5, 2: 1.5, far: 6}
    assert catalog.lead_fields()["x"].data_type == "float"
    load(lake, catalog, first)
    assert leads(lake) == {1: 5, 2: 1.5, far: 6}


def written(path: Path, content: str) -> Path:
    path.write_text(content, "utf-8")
    return path


def load(lake: Lake, catalog: Catalog, path: Path) -> None:
    load_leads(lake, catalog, path, now(), lambda _: None, infer=True)


def leads(lake: Lake) -> dict[int, float]:
    snapshot = lake.snapshot(LEADS)
    assert snapshot is not None
    return dict(snapshot.scan(snapshot.files).select("id", "x").collect().iter_rows())
