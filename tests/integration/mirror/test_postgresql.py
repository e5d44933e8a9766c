"""A mirror whose state is in PostgreSQL: the same work, and a lock that other machines see."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.instance import Clock
from tests.support.mirroring import Endpoint, Side, assert_same, mirror
from tests.support.postgres import Server

from outhaul.lake.snapshot import Lake
from outhaul.mirror.lock import MirrorRunsError, only_run


@pytest.fixture
def copy(tmp_path: Path, clock: Clock, postgresql: Server) -> Iterator[Side]:
    side = Side(tmp_path / "b", clock, "open", database_url=postgresql.create())
    yield side
    side.database.close()


def test_a_mirror_is_the_same_with_its_state_in_postgresql(endpoint: Endpoint, copy: Side) -> None:
    assert mirror(endpoint, copy).outcome == "complete"
    endpoint.clock.advance(hours=1)
    summary = mirror(endpoint, copy)
    assert summary.outcome == "complete"
    assert sum(each.added + each.changed for each in summary.loads.values()) == 0
    assert_same(endpoint, copy)


def test_another_machine_runs_no_second_mirror(copy: Side, tmp_path: Path) -> None:
    # Another machine has another folder for its lock file.
    there = Lake(tmp_path / "there")
    with only_run(copy.lake, copy.database, "default"):
        with pytest.raises(MirrorRunsError), only_run(there, copy.database, "default"):
            pass
        with only_run(there, copy.database, "emea"):
            pass
    with only_run(there, copy.database, "default"):
        pass
