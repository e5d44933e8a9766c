"""Cursors: numbers that the commit of the records stores."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NoReturn

import pytest
from deltalake import DeltaTable
from tests.support.deletions import MOMENT, activity, deletion, write
from tests.support.loads import load_activities, load_leads

from outhaul.catalog.store import Catalog
from outhaul.lake import deletions, widening
from outhaul.lake.commits import Cursor
from outhaul.lake.snapshot import Lake
from outhaul.lake.tables import ACTIVITIES, DELETED_LEADS, LEADS, Table
from outhaul.lake.upkeep import compact, remove_replaced
from outhaul.loading import merge
from outhaul.loading.loads import Loaded

STREAM = "leads updated"


def load(lake: Lake, catalog: Catalog, *records: Any, number: int | None = None) -> Loaded:
    lake.folder.mkdir(parents=True, exist_ok=True)
    path = write(lake.folder.parent, records)
    cursor = None if number is None else Cursor(STREAM, number)
    return load_leads(lake, catalog, path, MOMENT, lambda _: None, infer=True, cursor=cursor)


def rows(lake: Lake, table: Table, *columns: str) -> list[tuple[Any, ...]]:
    snapshot = lake.snapshot(table)
    if snapshot is None or not snapshot.files:
        return []
    return sorted(snapshot.scan(snapshot.files).select(columns).collect().rows())


def version(lake: Lake) -> int:
    snapshot = lake.snapshot(LEADS)
    assert snapshot is not None
    return snapshot.version


def test_a_table_has_no_cursor_before_one_is_stored(lake: Lake, catalog: Catalog) -> None:
    assert lake.cursor(LEADS, STREAM) is None
    load(lake, catalog, {"id": 1})
    assert lake.cursor(LEADS, STREAM) is None


def test_the_commit_of_the_records_stores_the_cursor(lake: Lake, catalog: Catalog) -> None:
    load(lake, catalog, {"id": 1})
    before = version(lake)
    merged = load(lake, catalog, {"id": 2}, number=2**62).merged
    assert merged.version == version(lake) == before + 1
    assert lake.cursor(LEADS, STREAM) == 2**62
    assert lake.cursor(LEADS, "another") is None
    load(lake, catalog, {"id": 3}, number=1)
    assert lake.cursor(LEADS, STREAM) == 1


def test_a_new_cursor_is_stored_though_no_record_changes(lake: Lake, catalog: Catalog) -> None:
    load(lake, catalog, {"id": 1}, number=1)
    before = lake.snapshot(LEADS)
    assert before is not None
    merged = load(lake, catalog, {"id": 1}, number=2).merged
    assert (merged.unchanged, merged.version) == (1, before.version + 1)
    after = lake.snapshot(LEADS)
    assert after is not None
    assert after.files == before.files
    assert lake.cursor(LEADS, STREAM) == 2
    assert load(lake, catalog, {"id": 1}, number=2).merged.version is None
    assert version(lake) == after.version


def test_a_file_without_records_stores_the_cursor(lake: Lake, catalog: Catalog) -> None:
    merged = load(lake, catalog, number=7).merged
    assert merged.version == version(lake)
    assert lake.cursor(LEADS, STREAM) == 7


def test_the_cursor_outlasts_whatever_is_done_to_the_table(lake: Lake, catalog: Catalog) -> None:
    load(lake, catalog, {"id": 1, "shoeSize": 40}, number=7)
    for number in range(2, 8):
        load(lake, catalog, {"id": number})
    assert compact(lake, LEADS) > 1
    load(lake, catalog, {"id": 8, "shoeSize": 40.5})  # which widens the column
    load(lake, catalog, {"id": 9, "hat": "big"})
    path = write(lake.folder.parent, [deletion(9)])
    load_activities(lake, catalog, path, MOMENT, lambda _: None)
    table = DeltaTable(lake.folder / "leads")
    table.alter.set_table_properties({"delta.logRetentionDuration": "interval 0 days"})
    table = DeltaTable(lake.folder / "leads")
    table.create_checkpoint()
    table.cleanup_metadata()
    remove_replaced(lake, LEADS, hours=0, pinned=list)
    log = {path.suffixes[0] for path in (lake.folder / "leads" / "_delta_log").glob("0*")}
    assert ".checkpoint" in log
    assert not (lake.folder / "leads" / "_delta_log" / f"{0:020}.json").exists()
    assert [key for (key,) in rows(lake, LEADS, "id")] == [*range(1, 9)]
    assert lake.cursor(LEADS, STREAM) == 7


def test_the_file_has_all_its_effects_once_the_cursor_is_there(
    catalog: Catalog, tmp_path: Path
) -> None:
    """Stop a load before and after each of its steps, until one load has no such step."""
    steps = [
        (widening, "write_file"),
        (widening, "replace_all"),
        (Catalog, "store"),
        (merge, "write_file"),
        (merge, "commit"),
        (DeltaTable, "create_write_transaction"),
    ]

    def check(at: Lake, known: Catalog) -> bool:
        done = at.cursor(LEADS, STREAM) is not None
        assert done == (rows(at, LEADS, "id") == [(1,), (2,)])
        if done:
            assert rows(at, LEADS, "id", "shoeSize", "hat") == [(1, 40.0, None), (2, 40.5, "big")]
            assert known.lead_fields()["hat"].data_type == "string"
            assert known.lead_fields()["shoeSize"].data_type == "float"
        return done

    def prepare(at: Lake) -> None:
        load(at, catalog, {"id": 1, "shoeSize": 40})

    def run(at: Lake) -> None:
        load(at, catalog, {"id": 2, "shoeSize": 40.5, "hat": "big"}, number=1)

    outcomes = interrupted(steps, prepare, run, lambda at: check(at, catalog), tmp_path)
    assert outcomes == sorted(outcomes), "once it is there, it stays"
    assert set(outcomes) == {False, True}


def test_deletions_are_done_once_the_cursor_of_activities_is_there(
    catalog: Catalog, tmp_path: Path
) -> None:
    steps = [
        (deletions, "write_file"),
        (deletions, "commit"),
        (merge, "write_file"),
        (merge, "commit"),
    ]

    def check(at: Lake) -> bool:
        done = at.cursor(ACTIVITIES, STREAM) is not None
        assert done == (rows(at, ACTIVITIES, "leadId") == [(5,), (6,)])
        if done:
            assert rows(at, LEADS, "id") == [(6,)]
            assert rows(at, DELETED_LEADS, "leadId") == [(5,)]
        return done

    def prepare(at: Lake) -> None:
        load(at, catalog, {"id": 5}, {"id": 6})

    def run(at: Lake) -> None:
        path = write(at.folder.parent, [deletion(5), activity("1", 6)])
        moment = datetime(2026, 2, 1, tzinfo=UTC)
        load_activities(at, catalog, path, moment, lambda _: None, cursor=Cursor(STREAM, 1))

    outcomes = interrupted(steps, prepare, run, check, tmp_path)
    assert outcomes == sorted(outcomes)
    assert set(outcomes) == {False, True}


class _StoppedError(BaseException):
    """The process ends here."""


def interrupted(
    steps: list[tuple[Any, str]],
    prepare: Callable[[Lake], None],
    run: Callable[[Lake], None],
    check: Callable[[Lake], bool],
    folder: Path,
) -> list[bool]:
    """Run a load once for each point at which it can stop, and complete it afterwards.

    Return what `check` found after each stop, in the order of the points.
    """
    outcomes: list[bool] = []
    for point in range(100):
        lake = Lake(folder / f"{point}" / "lake")
        prepare(lake)
        if not _stopped_at(steps, point, lambda at=lake: run(at)):  # type: ignore[misc]
            assert check(lake)
            return outcomes
        outcomes.append(check(lake))
        run(lake)
        assert check(lake)
    raise AssertionError("the load has no end")


def _stopped_at(steps: list[tuple[Any, str]], point: int, run: Callable[[], None]) -> bool:
    passed = iter(range(1_000))

    def stop() -> NoReturn:
        raise _StoppedError

    def watched(original: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            if next(passed) == point:
                stop()
            result = original(*arguments, **named)
            if next(passed) == point:
                stop()
            return result

        return call

    with pytest.MonkeyPatch.context() as patched:
        for where, name in steps:
            patched.setattr(where, name, watched(getattr(where, name)))
        try:
            run()
        except _StoppedError:
            return True
    return False
