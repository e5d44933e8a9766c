"""Merges of leads whose load is cut off, or that meet other loads."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from tests.support.deletions import (
    LOADS,
    MOMENT,
    RECORDS,
    WITH_LEADS,
    Record,
    activity,
    all_keys,
    keys,
    load,
    load_all,
    write,
)
from tests.support.merging import merge, merged, rows
from tests.support.opportunities import OPPORTUNITIES
from tests.support.opportunities import TABLE as OPPORTUNITIES_TABLE

from outhaul.catalog.store import Catalog
from outhaul.kinds.registry import REGISTRY
from outhaul.lake import following, merges
from outhaul.lake.snapshot import Lake
from outhaul.lake.tables import ACTIVITIES, LEADS, LIST_MEMBERS, MERGED_LEADS
from outhaul.lake.upkeep import compact
from outhaul.loading import merge as merge_module
from outhaul.loading.loads import load_file

STEPS = [
    (merges, "commit"),
    (following, "write_file"),
    (following, "commit"),
    (merge_module, "commit"),
]


class _StoppedError(BaseException):
    """The process ends here."""


def stop_at(point: int) -> Callable[[pytest.MonkeyPatch], None]:
    """Have a load end before one of its steps, the one of this number."""

    def patch(patched: pytest.MonkeyPatch) -> None:
        passed = iter(range(1_000))

        def watched(original: Callable[..., Any]) -> Callable[..., Any]:
            def call(*arguments: Any, **named: Any) -> Any:
                if next(passed) == point:
                    raise _StoppedError
                return original(*arguments, **named)

            return call

        for where, name in STEPS:
            patched.setattr(where, name, watched(getattr(where, name)))

    return patch


@pytest.mark.parametrize("other", [True, False])
def test_a_merge_that_is_cut_off_is_completed_by_the_next(
    catalog: Catalog, tmp_path_factory: pytest.TempPathFactory, other: bool
) -> None:
    """Before each step. The file is loaded again then, or a file with another merge is."""
    records = [merge(6, [5]), activity("1", 5)]
    later = [merge(9, [8], MOMENT + timedelta(hours=1))]
    for point in range(100):
        lake = Lake(tmp_path_factory.mktemp("merges") / "lake")
        for table in (LEADS, LIST_MEMBERS):
            load(catalog, lake, table, RECORDS[table.name])
        load(catalog, lake, ACTIVITIES, [activity("0", 5)])
        with pytest.MonkeyPatch.context() as patched:
            stop_at(point)(patched)
            try:
                load(catalog, lake, ACTIVITIES, records)
            except _StoppedError:
                stopped = True
            else:
                stopped = False
        known = merged(lake)
        load(catalog, lake, ACTIVITIES, later if other else records)
        if known or not other:
            assert keys(lake, LEADS) == [(6,), (60_000,)]
            assert keys(lake, LIST_MEMBERS) == [(1, 6), (2, 6), (3, 6)]
            assert {lead for (lead,) in rows(lake, ACTIVITIES, "leadId")} <= {6, 9}
        if not stopped:
            assert point > len(STEPS)
            return
    raise AssertionError("the load has no end")


def test_a_compaction_does_not_make_tables_follow_again(
    lake: Lake, catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    load_all(catalog, lake)
    load(catalog, lake, ACTIVITIES, [merge(6, [5])])
    for table in (*WITH_LEADS, ACTIVITIES, MERGED_LEADS):
        compact(lake, table)
    monkeypatch.setattr(following, "commit", lambda *_, **__: pytest.fail("it follows again"))
    load(catalog, lake, ACTIVITIES, [merge(6, [5])])


def test_loads_that_meet_a_merge_do_not_restore_the_loser(lake: Lake, catalog: Catalog) -> None:
    """Some loads bring records of losers while others bring the merges."""
    losers = range(1, 13)

    loads_of: list[Callable[[int], tuple[str, Record]]] = [
        lambda lead: ("leads", {"id": lead}),
        lambda lead: ("list_members", {"listId": 1, "leadId": lead}),
        lambda lead: ("activities", activity(f"a{lead}", lead)),
        lambda lead: ("activities", merge(100, [lead])),
    ]
    load_all(catalog, lake)
    folders = {n: lake.folder.parent / f"{n}" for n in range(4)}
    for folder in folders.values():
        folder.mkdir()

    def run(task: int) -> None:
        for lead in losers:
            name, record = loads_of[task](lead)
            path = write(folders[task], [record])
            LOADS[name](Lake(lake.folder), catalog, path, MOMENT, lambda _: None)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(run, range(4)))
    assert merged(lake) == dict.fromkeys(losers, 100)
    assert keys(lake, LEADS) == [(60_000,)]
    assert {key for key in all_keys(lake)["list_members"] if key[0] == 1} == {(1, 100)}
    assert {lead for (lead,) in rows(lake, ACTIVITIES, "leadId")} == {100}


def test_a_record_gets_to_the_partition_of_the_winner(lake: Lake, catalog: Catalog) -> None:
    """Of a table of another package, whose partitions are ranges of leads."""

    def opportunities(*leads: int) -> Any:
        path = lake.folder.parent / "opportunities.jsonl"
        lines = (f'{{"externalOpportunityId":"o{n}","leadId":{n},"name":"x"}}\n' for n in leads)
        path.write_text("".join(lines), "utf-8")
        given = (OPPORTUNITIES.loading, lake, catalog, path, MOMENT, lambda _: None)
        return load_file(*given).merged

    def found() -> list[tuple[Any, ...]]:
        return rows(lake, OPPORTUNITIES_TABLE, "externalOpportunityId", "leadId")

    lake.folder.mkdir(parents=True, exist_ok=True)
    REGISTRY.register(OPPORTUNITIES)
    try:
        opportunities(5, 6, 70_000)
        load(catalog, lake, ACTIVITIES, [merge(70_000, [5]), merge(6, [7])])
        assert found() == [("o5", 70_000), ("o6", 6), ("o70000", 70_000)]
        assert opportunities(5, 6, 70_000).unchanged == 3
        assert opportunities(7, 5).added == 1
        assert found() == [("o5", 70_000), ("o6", 6), ("o7", 6), ("o70000", 70_000)]
    finally:
        REGISTRY.unregister(OPPORTUNITIES.name)
