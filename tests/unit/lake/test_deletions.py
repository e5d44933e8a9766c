"""Leads that are deleted: out of what goes with them, and never back."""

import fcntl
import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import polars as pl
import pytest
from deltalake import DeltaTable
from hypothesis import given
from hypothesis import strategies as st
from tests.support.deletions import (
    LEFT,
    MOMENT,
    RECORDS,
    WITH_LEADS,
    activity,
    all_keys,
    current,
    deletion,
    keys,
    known,
    load,
    load_all,
    load_file,
    write,
)
from tests.support.examples import examples
from tests.support.waiting import PATIENCE

from outhaul.catalog.store import Catalog
from outhaul.lake import deletions
from outhaul.lake.deletions import deleted_leads
from outhaul.lake.snapshot import Lake
from outhaul.lake.tables import (
    ACTIVITIES,
    DELETED_A_RANGE,
    DELETED_LEADS,
    LEADS,
    LIST_MEMBERS,
    Table,
)
from outhaul.loading import loads, merge
from outhaul.loading.merge import MANY_FILES, Merged
from outhaul.records.readers import FileError, json_lines

TABLES = (*WITH_LEADS, ACTIVITIES, DELETED_LEADS)


def versions(lake: Lake) -> dict[str, int]:
    snapshots = {table.name: lake.snapshot(table) for table in TABLES}
    return {name: found.version for name, found in snapshots.items() if found is not None}


def paths(lake: Lake, table: Table) -> set[str]:
    return {file.path for file in current(lake, table).files}


# What a deletion does


def test_a_deletion_takes_the_lead_out_of_what_goes_with_it(lake: Lake, catalog: Catalog) -> None:
    load_all(catalog, lake)
    load(catalog, lake, ACTIVITIES, [activity("1", 5), activity("2", 6)])
    merged = load(catalog, lake, ACTIVITIES, [deletion(5)])
    assert (merged.added, merged.deleted) == (1, 0)
    assert all_keys(lake) == LEFT
    assert sorted(keys(lake, ACTIVITIES)) == [("1",), ("2",), ("delete-5",)]
    assert known(lake) == {5: MOMENT}


def test_no_load_brings_a_deleted_lead_back(lake: Lake, catalog: Catalog) -> None:
    load(catalog, lake, ACTIVITIES, [deletion(5)])
    for added in (True, False):
        merged = load_all(catalog, lake)
        assert all_keys(lake) == LEFT
        for name, found in merged.items():
            left = len(LEFT[name])
            counts = (found.added, found.changed, found.unchanged, found.deleted)
            out = len(RECORDS[name]) - left
            assert counts == ((left, 0, 0, out) if added else (0, 0, left, out))
    # What it does takes it no further.
    assert load(catalog, lake, ACTIVITIES, [activity("late", 5)]).added == 1


def test_a_load_of_nothing_but_deleted_leads_makes_no_version(lake: Lake, catalog: Catalog) -> None:
    load_all(catalog, lake)
    load(catalog, lake, ACTIVITIES, [deletion(5)])
    before = versions(lake)
    merged = load(catalog, lake, LEADS, [{"id": 5, "firstName": "Ann"}, {"id": 5}])
    assert merged == Merged(deleted=1)
    assert versions(lake) == before


def test_a_file_of_deletions_that_is_loaded_again_makes_no_version(
    lake: Lake, catalog: Catalog
) -> None:
    load_all(catalog, lake)
    records = [deletion(5), activity("1", 5), deletion(7), deletion(DELETED_A_RANGE)]
    load(catalog, lake, ACTIVITIES, records)
    before = versions(lake)
    assert set(before) == {table.name for table in TABLES}
    assert load(catalog, lake, ACTIVITIES, records) == Merged(unchanged=4)
    assert versions(lake) == before
    assert known(lake) == {5: MOMENT, 7: MOMENT, DELETED_A_RANGE: MOMENT}


def test_activities_without_deletions_make_no_table_of_them(lake: Lake, catalog: Catalog) -> None:
    load(catalog, lake, ACTIVITIES, [activity("1", 5)])
    assert lake.snapshot(DELETED_LEADS) is None
    assert deleted_leads(lake).to_list() == []


@pytest.mark.parametrize("hours", [(0, 1, 2), (2, 1, 0), (1, 0, 2)])
@pytest.mark.parametrize("together", [True, False])
def test_of_several_deletions_of_a_lead_the_earliest_counts(
    lake: Lake, catalog: Catalog, hours: tuple[int, ...], together: bool
) -> None:
    records = [deletion(5, MOMENT + timedelta(hours=n), str(n)) for n in hours]
    for file in [records] if together else [[record] for record in records]:
        load(catalog, lake, ACTIVITIES, file)
    assert known(lake) == {5: MOMENT}


def test_of_an_activity_that_a_file_has_twice_the_last_says_what_it_is(
    lake: Lake, catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(json_lines, "BATCH_RECORDS", 1)
    load_all(catalog, lake)
    day = timedelta(days=1)
    records = [
        deletion(5, MOMENT, "a"),
        activity("a", 5, MOMENT - day),
        activity("b", 6),
        deletion(6, MOMENT - day, "b"),
        deletion(60_000, MOMENT, "c"),
        deletion(60_001, MOMENT, "c"),
        activity("d", 5),
    ]
    load(catalog, lake, ACTIVITIES, records)
    assert known(lake) == {6: MOMENT - day, 60_001: MOMENT}
    assert keys(lake, LEADS) == [(5,), (60_000,)]


def test_only_files_that_have_the_lead_are_written_anew(lake: Lake, catalog: Catalog) -> None:
    load(catalog, lake, LEADS, [{"id": n} for n in (1, 5, 9, 60_000, 200_000)])
    load(catalog, lake, LEADS, [{"id": n} for n in (2, 8)])  # its bounds hold the id
    load(catalog, lake, LEADS, [{"id": 6}])
    before = current(lake, LEADS).files
    load(catalog, lake, ACTIVITIES, [deletion(5), deletion(60_000), deletion(70_000)])
    after = current(lake, LEADS).files
    assert keys(lake, LEADS) == sorted(keys(lake, LEADS), key=lambda key: key[0] // 50_000)
    assert sorted(keys(lake, LEADS)) == [(1,), (2,), (6,), (8,), (9,), (200_000,)]
    gone = {file.path for file in before} - {file.path for file in after}
    came = {file.path for file in after} - {file.path for file in before}
    bounds = {file.path: file.bounds["id"] for file in (*before, *after)}
    assert sorted(bounds[path] for path in gone) == [(1, 9), (60_000, 60_000)]
    assert [bounds[path] for path in came] == [(1, 9)]


def test_a_table_without_the_lead_stays_at_its_version(lake: Lake, catalog: Catalog) -> None:
    load_all(catalog, lake)
    before = versions(lake)
    load(catalog, lake, ACTIVITIES, [deletion(7)])
    after = versions(lake)
    assert {table.name: after[table.name] for table in WITH_LEADS} == before


def test_the_statistics_are_those_of_what_is_left(lake: Lake, catalog: Catalog) -> None:
    load(catalog, lake, LEADS, [{"id": n, "firstName": "x"} for n in (5, 6, 7)])
    load(catalog, lake, LEADS, [{"id": 60_000, "email": "e"}])  # a column that the other has not
    load(catalog, lake, ACTIVITIES, [deletion(5), deletion(7)])
    found = pl.DataFrame(DeltaTable(lake.folder / "leads").get_add_actions(flatten=True))
    wanted = ("num_records", "min.id", "max.id", "null_count.id")
    assert sorted(found.select(wanted).rows()) == [(1, 6, 6, 0), (1, 60_000, 60_000, 0)]
    (left,) = current(lake, LEADS).scan(current(lake, LEADS).files[:1]).collect().to_dicts()
    assert (left["id"], left["firstName"], left["email"]) == (6, "x", None)


def test_a_version_from_before_still_has_the_lead(lake: Lake, catalog: Catalog) -> None:
    load_all(catalog, lake)
    before = current(lake, LEADS)
    load(catalog, lake, ACTIVITIES, [deletion(5)])
    pinned = lake.snapshot(LEADS, before.version)
    assert pinned is not None
    assert pinned.scan(pinned.files).collect()["id"].sort().to_list() == [5, 6, 60_000]


def test_however_many_loads_delete_leads_a_partition_of_them_is_one_file(
    lake: Lake, catalog: Catalog
) -> None:
    for n in range(1, MANY_FILES + 2):
        load(catalog, lake, ACTIVITIES, [deletion(n), deletion(DELETED_A_RANGE * n)])
    assert set(known(lake)) == {
        *range(1, MANY_FILES + 2),
        *(DELETED_A_RANGE * n for n in range(1, MANY_FILES + 2)),
    }


def test_a_file_that_does_not_fit_deletes_nothing(lake: Lake, catalog: Catalog) -> None:
    load_all(catalog, lake)
    before = versions(lake)
    for bad in ({**deletion(6), "leadId": 0}, activity("x", 6, type_id=999_999)):
        for records in ([deletion(5), bad], [bad, deletion(5)]):
            with pytest.raises(FileError):
                load(catalog, lake, ACTIVITIES, records)
    assert versions(lake) == before
    assert known(lake) == {}


# A step at a time: ids on both sides of the bounds of partitions and files.
IDS = st.sampled_from([1, 2, 3, 49_999, 50_000, DELETED_A_RANGE - 1, DELETED_A_RANGE])
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("leads"), st.sets(IDS, min_size=1)),
        st.tuples(st.just("list_members"), st.sets(IDS, min_size=1)),
        st.tuples(st.just("delete"), st.sets(IDS, min_size=1, max_size=2)),
    ),
    min_size=1,
    max_size=7,
)


@examples(25)
@given(steps=STEPS)
def test_tables_are_what_was_loaded_without_what_was_ever_deleted(
    steps: list[tuple[str, set[int]]],
    shared_catalog: Catalog,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    lake = Lake(tmp_path_factory.mktemp("deletions") / "lake")
    loaded: dict[str, set[int]] = {"leads": set(), "list_members": set()}
    gone: set[int] = set()
    for what, ids in steps:
        if what == "delete":
            load(shared_catalog, lake, ACTIVITIES, [deletion(n) for n in ids])
            gone |= ids
            continue
        table, records = {
            "leads": (LEADS, [{"id": n} for n in ids]),
            "list_members": (LIST_MEMBERS, [{"listId": 1, "leadId": n} for n in ids]),
        }[what]
        merged = load(shared_catalog, lake, table, records)
        assert merged.deleted == len(ids & gone)
        assert merged.added == len(ids - gone - loaded[what])
        loaded[what] |= ids
    assert set(known(lake)) == gone
    for table in (LEADS, LIST_MEMBERS):
        found = [] if lake.snapshot(table) is None else keys(lake, table)
        assert sorted(key[-1] for key in found) == sorted(loaded[table.name] - gone)


# What is cut off


STOPS = [
    (loads, "delete_leads", False),
    (deletions, "record", False),
    (deletions, "record", True),
    (deletions, "sweep", False),
    (deletions, "sweep", True),
    (loads, "merge", False),
    (loads, "merge", True),
]


def stop_at(
    monkeypatch: pytest.MonkeyPatch, where: Any, name: str, *, after: bool, call: int
) -> None:
    """Have one call of a step raise an error: before it does its work, or after."""
    original = getattr(where, name)
    calls = iter(range(100))

    def stop(*arguments: Any) -> Any:
        stops = next(calls) == call
        if stops and not after:
            raise OSError("failpoint")
        result = original(*arguments)
        if stops:
            raise OSError("failpoint")
        return result

    monkeypatch.setattr(where, name, stop)


@pytest.mark.parametrize(
    ("where", "name", "after", "call"),
    [
        (where, name, after, call)
        for where, name, after in STOPS
        for call in (range(3) if name == "sweep" else range(1))
    ],
)
def test_a_load_that_is_cut_off_is_repaired_by_loading_the_file_again(  # noqa: PLR0913, PLR0917
    lake: Lake,
    catalog: Catalog,
    monkeypatch: pytest.MonkeyPatch,
    where: Any,
    name: str,
    after: bool,
    call: int,
) -> None:
    load_all(catalog, lake)
    records = [deletion(5), activity("1", 6)]
    with monkeypatch.context() as broken:
        stop_at(broken, where, name, after=after, call=call)
        with pytest.raises(OSError, match="failpoint"):
            load(catalog, lake, ACTIVITIES, records)
    # Whatever was done, a load in between does not bring back what was swept.
    swept = {table.name for table in WITH_LEADS if keys(lake, table) == LEFT[table.name]}
    load_all(catalog, lake)
    for table in swept:
        assert all_keys(lake)[table] == LEFT[table]
    again = load(catalog, lake, ACTIVITIES, records)
    assert again.added + again.unchanged == 2
    assert all_keys(lake) == LEFT
    assert known(lake) == {5: MOMENT}
    assert sorted(keys(lake, ACTIVITIES)) == [("1",), ("delete-5",)]


# Loads at the same time


def both(*tasks: Callable[[], object]) -> None:
    """Run tasks beside each other, to their end."""
    errors: list[BaseException] = []

    def run(task: Callable[[], object]) -> None:
        try:
            task()
        except BaseException as error:  # noqa: BLE001 - it is raised below
            errors.append(error)

    threads = [threading.Thread(target=run, args=(task,), daemon=True) for task in tasks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
        assert not thread.is_alive()
    if errors:
        raise errors[0]


@pytest.mark.parametrize("table", WITH_LEADS, ids=lambda table: table.name)
def test_what_a_load_brings_that_has_not_heard_of_the_deletion_is_swept(
    lake: Lake, catalog: Catalog, monkeypatch: pytest.MonkeyPatch, table: Table
) -> None:
    asked, recorded = threading.Event(), threading.Event()
    ask, record = deletions.deleted_leads, deletions.record

    def ask_early(lake: Lake) -> pl.Series:
        # Where others could write to the table meanwhile, one could sweep it too early.
        path = lake.folder / f".{table.name}.lock"
        with path.open("w") as lock, pytest.raises(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        found = ask(lake)
        asked.set()
        assert recorded.wait(PATIENCE)
        return found

    def record_late(lake: Lake, found: pl.DataFrame) -> None:
        assert asked.wait(PATIENCE)
        record(lake, found)
        recorded.set()

    monkeypatch.setattr(merge, "deleted_leads", ask_early)
    monkeypatch.setattr(deletions, "record", record_late)
    bringing = write(lake.folder.parent, RECORDS[table.name])
    deleting = write(lake.folder.parent, [deletion(5)])
    merged: list[Merged] = []
    both(
        lambda: merged.append(load_file(catalog, lake, table, bringing)),
        lambda: load_file(catalog, lake, ACTIVITIES, deleting),
    )
    assert merged[0].deleted == 0
    assert keys(lake, table) == LEFT[table.name]


@pytest.mark.parametrize("table", WITH_LEADS, ids=lambda table: table.name)
def test_a_load_that_comes_after_the_sweep_has_heard_of_the_deletion(
    lake: Lake, catalog: Catalog, monkeypatch: pytest.MonkeyPatch, table: Table
) -> None:
    begun, swept = threading.Event(), threading.Event()
    run_merge, sweep = merge.merge, deletions.sweep

    def merge_late(lake: Lake, into: Table, *arguments: Any) -> Merged:
        if into is table:
            begun.set()
            assert swept.wait(PATIENCE)
        return run_merge(lake, into, *arguments)

    def sweep_between(lake: Lake, of: Table, *arguments: Any) -> None:
        assert begun.wait(PATIENCE)
        sweep(lake, of, *arguments)
        if of is table:
            swept.set()

    monkeypatch.setattr(loads, "merge", merge_late)
    monkeypatch.setattr(deletions, "sweep", sweep_between)
    bringing = write(lake.folder.parent, RECORDS[table.name])
    deleting = write(lake.folder.parent, [deletion(5)])
    merged: list[Merged] = []
    both(
        lambda: merged.append(load_file(catalog, lake, table, bringing)),
        lambda: load_file(catalog, lake, ACTIVITIES, deleting),
    )
    assert merged[0].deleted == len(RECORDS[table.name]) - len(LEFT[table.name])
    assert keys(lake, table) == LEFT[table.name]
