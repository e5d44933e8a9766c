"""A mirror that is killed at any step goes on: it repeats nothing and loses nothing."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import polars as pl
import pytest
from tests.support.instance import Clock
from tests.support.mirroring import Endpoint, Side, mirror

from outhaul.kinds.registry import all_tables
from outhaul.lake.tables import CHANGED_AT
from outhaul.mirror.arrivals import Arrivals
from outhaul.mirror.state import State

KILLS = int(os.environ.get("OUTHAUL_MIRROR_KILLS", "3"))
_WRITES = ("add_job", "forget_job", "begin_load", "finish_load", "uncover", "cover", "note")


class KilledError(BaseException):
    """The process is gone: nothing that would run later runs."""


class Steps:
    """Counts the steps of a run, and kills it at one of them and at all after it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, endpoint: Endpoint) -> None:
        self.last: int | None = None
        self.taken = 0
        endpoint.before = lambda _request: self.take()
        for name in _WRITES:
            monkeypatch.setattr(State, name, self._around(getattr(State, name)))
        monkeypatch.setattr(Arrivals, "load", self._around(Arrivals.load))

    def take(self) -> None:
        self.taken += 1
        if self.last is not None and self.taken > self.last:
            raise KilledError

    def _around(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def run(*given: Any, **named: Any) -> Any:
            self.take()
            found = call(*given, **named)
            self.take()
            return found

        return run


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch, endpoint: Endpoint) -> Iterator[Steps]:
    found = Steps(monkeypatch, endpoint)
    yield found
    found.last = None


def tables(side: Side) -> dict[str, pl.DataFrame]:
    """Return the records of all tables, without the moments at which they were loaded."""
    found = {}
    for table in all_tables(side.catalog):
        snapshot = side.lake.snapshot(table)
        if snapshot is not None and snapshot.files:
            records = pl.concat(
                snapshot.scan([file])
                .collect()
                .with_columns(pl.lit(file.partition).alias(table.partition))
                for file in snapshot.files
            )
            found[table.name] = records.drop(CHANGED_AT, strict=False).sort(table.key)
    return found


def test_a_run_that_was_killed_goes_on(
    endpoint: Endpoint, copy: Side, steps: Steps, tmp_path: Path, clock: Clock
) -> None:
    mirror(endpoint, copy)
    whole, wanted = steps.taken, tables(copy)
    windows = created(endpoint)
    rng = Random(2026)  # noqa: S311 - no secret
    for number in range(KILLS):
        side = Side(tmp_path / f"killed-{number}", clock, "open")
        before, created_before = len(endpoint.seen), created(endpoint)
        steps.taken, steps.last = 0, rng.randrange(1, whole)
        with pytest.raises(KilledError):
            mirror(endpoint, side)
        steps.last = None
        summary = mirror(endpoint, side)
        where = f"killed at step {steps.taken}"
        assert summary.outcome == "complete", where
        found = tables(side)
        assert found.keys() == wanted.keys(), where
        for name, records in found.items():
            assert records.equals(wanted[name]), (where, name)
        # Each run reads all members (11 jobs) and some overlap (5 at most); the job of a call that
        # was killed is lost.
        assert created(endpoint) - created_before <= windows + 11 + 5 + 1, where
        assert not any(code.startswith("10") for _, _, code in endpoint.seen[before:]), where
        side.database.close()


def created(endpoint: Endpoint) -> int:
    return sum(path.endswith("create.json") for _, path, _ in endpoint.seen)
