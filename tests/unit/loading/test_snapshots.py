"""Snapshots: files that have all members of a static list, or of a program."""

import json
from collections.abc import Collection, Mapping
from itertools import count
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.deletions import MOMENT, current, deletion, keys, load
from tests.support.examples import examples
from tests.support.merging import merge

from outhaul.catalog.store import Catalog
from outhaul.kinds.kind import Kind, PlainRecords
from outhaul.kinds.leads import LEADS
from outhaul.kinds.list_members import LIST_MEMBERS
from outhaul.kinds.program_members import PROGRAM_MEMBERS
from outhaul.lake.commits import Cursor
from outhaul.lake.snapshot import Lake, Snapshot
from outhaul.lake.tables import ACTIVITIES
from outhaul.loading.loads import load_snapshot
from outhaul.loading.merge import Merged
from outhaul.records.readers import FileError

NUMBERS = count()
LISTS, PROGRAMS = LIST_MEMBERS.table, PROGRAM_MEMBERS.table


def snapshot(
    lake: Lake,
    catalog: Catalog,
    of: int | Collection[int],
    *records: Mapping[str, Any],
    kind: PlainRecords | Kind = LIST_MEMBERS,
    cursor: Cursor | None = None,
) -> Merged:
    lake.folder.mkdir(parents=True, exist_ok=True)
    path = lake.folder.parent / f"snapshot-{next(NUMBERS)}.jsonl"
    path.write_text("".join(json.dumps(record) + "\n" for record in records), "utf-8")
    return load_snapshot(
        kind.loading,
        lake,
        catalog,
        path,
        MOMENT,
        lambda _: None,
        of=[of] if isinstance(of, int) else of,
        cursor=cursor,
    ).merged


def emptied(lake: Lake, catalog: Catalog, of: int, **named: Any) -> Merged:
    loading = LIST_MEMBERS.loading
    return load_snapshot(
        loading, lake, catalog, None, MOMENT, lambda _: None, of=[of], **named
    ).merged


def leads(*ids: int) -> list[dict[str, int]]:
    return [{"leadId": number} for number in ids]


def test_one_file_can_have_all_members_of_several_lists(lake: Lake, catalog: Catalog) -> None:
    before = [{"listId": of, "leadId": n} for of in (1, 2, 3) for n in (5, 6)]
    load(catalog, lake, LISTS, before)
    done = snapshot(lake, catalog, [1, 2], {"listId": 1, "leadId": 6}, {"listId": 1, "leadId": 7})
    assert (done.added, done.unchanged, done.removed) == (1, 1, 3)
    assert sorted(keys(lake, LISTS)) == [(1, 6), (1, 7), (3, 5), (3, 6)]
    with pytest.raises(FileError, match="listId: 3 is not 1, 2, of which"):
        snapshot(lake, catalog, [1, 2], {"listId": 3, "leadId": 7})
    with pytest.raises(FileError, match="listId"):
        snapshot(lake, catalog, [1, 2], {"leadId": 7})


def test_members_that_are_not_in_the_file_are_removed(lake: Lake, catalog: Catalog) -> None:
    others = [{"listId": 2, "leadId": n} for n in (1, 7)]
    load(catalog, lake, LISTS, [*({"listId": 1, "leadId": n} for n in (1, 2, 3)), *others])
    before = current(lake, LISTS)
    merged = snapshot(lake, catalog, 1, *leads(3, 4), cursor=Cursor("list 1", 5))
    assert merged == Merged(added=1, unchanged=1, removed=2, version=before.version + 1)
    assert keys(lake, LISTS) == [(1, 3), (1, 4), (2, 1), (2, 7)]
    assert current(lake, LISTS).files[-1] == before.files[-1], "other lists are not written again"
    assert lake.cursor(LISTS, "list 1") == 5


def test_a_snapshot_that_changes_nothing_makes_a_version_only_for_its_cursor(
    lake: Lake, catalog: Catalog
) -> None:
    snapshot(lake, catalog, 1, *leads(1, 2))
    before = current(lake, LISTS)
    assert snapshot(lake, catalog, 1, *leads(2, 1)) == Merged(unchanged=2)
    assert current(lake, LISTS) == before
    assert snapshot(lake, catalog, 1, *leads(2, 1), cursor=Cursor("a", 1)).version is not None
    assert current(lake, LISTS).files == before.files


@pytest.mark.parametrize("without_file", [True, False])
def test_an_empty_snapshot_empties_the_list(
    lake: Lake, catalog: Catalog, without_file: bool
) -> None:
    load(catalog, lake, LISTS, [{"listId": n, "leadId": m} for n in (1, 2) for m in (5, 6)])
    run = emptied if without_file else snapshot
    merged = run(lake, catalog, 1, cursor=Cursor("a", 1))
    assert merged == Merged(removed=2, version=current(lake, LISTS).version)
    assert keys(lake, LISTS) == [(2, 5), (2, 6)]
    assert lake.cursor(LISTS, "a") == 1
    assert run(lake, catalog, 1, cursor=Cursor("a", 2)).removed == 0
    assert lake.cursor(LISTS, "a") == 2


def test_an_empty_snapshot_of_an_empty_lake_stores_its_cursor(lake: Lake, catalog: Catalog) -> None:
    assert emptied(lake, catalog, 1, cursor=Cursor("a", 1)).removed == 0
    assert lake.cursor(LISTS, "a") == 1
    assert keys(lake, LISTS) == []


def test_members_of_a_program_keep_the_fields_that_the_file_does_not_have(
    lake: Lake, catalog: Catalog
) -> None:
    load(
        catalog,
        lake,
        PROGRAMS,
        [
            {"programId": 1, "leadId": n, "statusName": "Invited", "isExhausted": True}
            for n in (1, 2, 3)
        ],
    )
    merged = snapshot(
        lake,
        catalog,
        1,
        {"leadId": 2, "statusName": "Came"},
        {"leadId": 3, "statusName": "Invited"},
        {"leadId": 4, "statusName": "Late"},
        kind=PROGRAM_MEMBERS,
    )
    assert (merged.added, merged.changed, merged.unchanged, merged.removed) == (1, 1, 1, 1)
    found = current(lake, PROGRAMS)
    rows = found.scan(found.files).select("leadId", "statusName", "isExhausted").collect().rows()
    assert sorted(rows) == [(2, "Came", True), (3, "Invited", True), (4, "Late", None)]
    assert {"Came", "Invited", "Late"} <= {*catalog.member_statuses()}


def test_a_file_with_members_of_another_list_is_refused(lake: Lake, catalog: Catalog) -> None:
    load(catalog, lake, LISTS, [{"listId": 1, "leadId": 5}])
    with pytest.raises(FileError, match=r":2: listId: 2 is not 1, of which this file has all"):
        snapshot(lake, catalog, 1, {"listId": 1, "leadId": 6}, {"listId": 2, "leadId": 6})
    assert keys(lake, LISTS) == [(1, 5)]


def test_a_list_that_the_catalog_does_not_have_is_refused(lake: Lake, catalog: Catalog) -> None:
    with pytest.raises(FileError, match=r"listId: '999' is not a static list of the catalog"):
        snapshot(lake, catalog, 999, {"leadId": 6})


def test_tables_without_lists_have_no_snapshots(lake: Lake, catalog: Catalog) -> None:
    with pytest.raises(AssertionError):
        snapshot(lake, catalog, 0, {"id": 1}, kind=LEADS)


def test_a_deleted_lead_is_no_member(lake: Lake, catalog: Catalog) -> None:
    snapshot(lake, catalog, 1, *leads(5, 6))
    load(catalog, lake, ACTIVITIES, [deletion(5)])
    merged = snapshot(lake, catalog, 1, *leads(5, 6))
    assert merged == Merged(unchanged=1, deleted=1)
    assert keys(lake, LISTS) == [(1, 6)]


def test_a_lead_that_lost_in_a_merge_is_the_member_that_its_winner_is(
    lake: Lake, catalog: Catalog
) -> None:
    snapshot(lake, catalog, 1, *leads(5, 7))
    load(catalog, lake, ACTIVITIES, [merge(6, [5])])
    assert keys(lake, LISTS) == [(1, 6), (1, 7)]
    before = current(lake, LISTS)
    # Neither a file that was written before the merge nor a later one changes anything.
    assert snapshot(lake, catalog, 1, *leads(5, 7)) == Merged(unchanged=1, merged=1)
    assert snapshot(lake, catalog, 1, *leads(6, 7)) == Merged(unchanged=2)
    assert current(lake, LISTS) == before
    assert snapshot(lake, catalog, 1, *leads(7)).removed == 1
    assert snapshot(lake, catalog, 1, *leads(5)).added == 1
    assert keys(lake, LISTS) == [(1, 6)]


def test_only_files_of_the_list_are_read(
    lake: Lake, catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in (1, 2, 3):
        snapshot(lake, catalog, number, *leads(1, 2))
    read: set[int] = set()
    scan = Snapshot.scan

    def watched(self: Snapshot, files: Any) -> pl.LazyFrame:
        read.update(file.partition for file in files)
        return scan(self, files)

    monkeypatch.setattr(Snapshot, "scan", watched)
    snapshot(lake, catalog, 2, *leads(2, 3))
    assert read == {2}


SNAPSHOTS = st.lists(
    st.tuples(st.sampled_from([1, 2]), st.sets(st.integers(1, 9)), st.booleans()), max_size=8
)


@examples(15)
@given(found=SNAPSHOTS)
def test_a_list_has_the_members_of_its_last_snapshot_and_those_loaded_since(
    found: list[tuple[int, set[int], bool]],
    shared_catalog: Catalog,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    catalog, lake = shared_catalog, Lake(tmp_path_factory.mktemp("snapshots") / "lake")
    members: dict[int, set[int]] = {1: set(), 2: set()}
    for number, ids, whole in found:
        if whole:
            snapshot(lake, catalog, number, *leads(*ids))
            members[number] = ids
        else:
            load(catalog, lake, LISTS, [{"listId": number, "leadId": n} for n in ids])
            members[number] = members[number] | ids
    if found:
        expected = [(number, n) for number in members for n in members[number]]
        assert sorted(keys(lake, LISTS)) == sorted(expected)
