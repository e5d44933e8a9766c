"""Leads that were merged into another: gone for good, and what referred to them has the winner."""

from collections.abc import Mapping
from datetime import timedelta
from itertools import count
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.catalogs import with_lists
from tests.support.deletions import MOMENT, Record, activity, deletion, load, write
from tests.support.examples import examples
from tests.support.loads import load_activities, load_custom_objects
from tests.support.merging import merge, merged, rows, with_attributes

from outhaul.catalog.entries import parse_catalog
from outhaul.catalog.store import Catalog
from outhaul.database.engine import Database
from outhaul.kinds.custom_objects import table_of
from outhaul.kinds.program_members import TABLE as PROGRAM_MEMBERS
from outhaul.lake import following
from outhaul.lake.commits import write_file
from outhaul.lake.merges import winners_of
from outhaul.lake.snapshot import Lake
from outhaul.lake.tables import (
    ACTIVITIES,
    DELETED_A_RANGE,
    LEADS,
    LIST_MEMBERS,
    MERGED_LEADS,
    Table,
)
from outhaul.loading.loads import Loaded
from outhaul.loading.merge import Merged

BOATS = table_of("boat_c", lead="owner")
TABLES = (LEADS, ACTIVITIES, LIST_MEMBERS, PROGRAM_MEMBERS, BOATS, MERGED_LEADS)
NUMBERS = count()


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    database = Database(f"sqlite:///{tmp_path_factory.mktemp('catalog') / 'outhaul.db'}")
    database.migrate()
    found = with_lists(database)
    link = {"field": "owner", "relatedTo": {"name": "Lead", "field": "Id"}}
    boat = {"apiName": "boat_c", "relationships": [link], "fields": []}
    found.store(parse_catalog({"customObjects": [boat]}))
    return found


def put(catalog: Catalog, lake: Lake, table: Table, *records: Record) -> Merged:
    lake.folder.mkdir(parents=True, exist_ok=True)
    if table is not BOATS:
        return load(catalog, lake, table, records)
    path = write(lake.folder.parent, records)
    return load_custom_objects(
        lake, catalog, path, MOMENT, lambda _: None, api_name="boat_c"
    ).merged


def told(catalog: Catalog, lake: Lake, *records: Record) -> Loaded:
    lake.folder.mkdir(parents=True, exist_ok=True)
    path = write(lake.folder.parent, records)
    return load_activities(lake, catalog, path, MOMENT, lambda _: None)


def versions(lake: Lake) -> dict[str, int]:
    snapshots = {table.name: lake.snapshot(table) for table in TABLES}
    return {name: found.version for name, found in snapshots.items() if found is not None}


def member(lead: int, status: str = "Member") -> Record:
    return {"programId": 1, "leadId": lead, "statusName": status}


def fill(catalog: Catalog, lake: Lake) -> None:
    """Load records of the leads 5, 6 and 60,000."""
    put(catalog, lake, LEADS, *({"id": n, "firstName": str(n)} for n in (5, 6, 60_000)))
    put(catalog, lake, LIST_MEMBERS, *({"listId": 1, "leadId": n} for n in (5, 6)))
    put(catalog, lake, LIST_MEMBERS, {"listId": 2, "leadId": 5})
    put(catalog, lake, PROGRAM_MEMBERS, member(5, "Loser"), member(6, "Winner"))
    put(catalog, lake, PROGRAM_MEMBERS, {**member(5, "Loser"), "programId": 2})
    put(catalog, lake, ACTIVITIES, activity("1", 5), activity("2", 6), activity("3", 60_000))
    boats: list[Record] = [{"marketoGUID": "a", "owner": 5}, {"marketoGUID": "a2", "owner": None}]
    put(catalog, lake, BOATS, *boats)


AFTER: Mapping[str, list[tuple[Any, ...]]] = {
    "leads": [(6, "6"), (60_000, "60000")],
    "list_members": [(1, 6), (2, 6)],
    "program_members": [(1, 6, "Winner"), (2, 6, "Loser")],
    "activities": [("1", 6), ("2", 6), ("3", 60_000), ("merge-6-[5]", 6)],
    "boats": [("a", 6), ("a2", None)],
}
"""What there is after lead 5 was merged into 6."""


def everything(lake: Lake) -> dict[str, list[tuple[Any, ...]]]:
    return {
        "leads": rows(lake, LEADS, "id", "firstName"),
        "list_members": rows(lake, LIST_MEMBERS, "listId", "leadId"),
        "program_members": rows(lake, PROGRAM_MEMBERS, "programId", "leadId", "statusName"),
        "activities": rows(lake, ACTIVITIES, "marketoGUID", "leadId"),
        "boats": rows(lake, BOATS, "marketoGUID", "owner"),
    }


# What a merge does


def test_what_referred_to_the_loser_refers_to_the_winner(lake: Lake, catalog: Catalog) -> None:
    fill(catalog, lake)
    put(catalog, lake, ACTIVITIES, merge(6, [5]))
    assert everything(lake) == AFTER
    assert merged(lake) == {5: 6}
    assert rows(lake, MERGED_LEADS, "mergedAt") == [(MOMENT,)]


def test_later_loads_of_losers_change_nothing(lake: Lake, catalog: Catalog) -> None:
    fill(catalog, lake)
    put(catalog, lake, ACTIVITIES, merge(6, [5]))
    before = versions(lake)
    fill(catalog, lake)
    put(catalog, lake, ACTIVITIES, merge(6, [5]))
    assert everything(lake) == AFTER
    assert versions(lake) == before
    found = put(catalog, lake, LEADS, {"id": 5}, {"id": 6})
    assert found == Merged(unchanged=1, merged=1)
    found = put(catalog, lake, PROGRAM_MEMBERS, member(5, "Late"), member(6, "Winner"))
    assert found == Merged(unchanged=1, merged=1)
    assert put(catalog, lake, PROGRAM_MEMBERS, member(5, "Late")) == Merged(merged=1)
    found = put(catalog, lake, LIST_MEMBERS, {"listId": 3, "leadId": 5})
    assert (found.added, found.merged) == (1, 0)


def test_a_merge_before_everything_else_gives_the_same(lake: Lake, catalog: Catalog) -> None:
    put(catalog, lake, ACTIVITIES, merge(6, [5]))
    fill(catalog, lake)
    assert everything(lake) == AFTER


def test_a_moved_member_was_changed_now(lake: Lake, catalog: Catalog) -> None:
    early = "2020-01-01T00:00:00Z"
    dates = {"createdAt": early, "updatedAt": early}
    put(catalog, lake, PROGRAM_MEMBERS, {**member(5), **dates}, {**member(7), **dates})
    put(catalog, lake, ACTIVITIES, merge(6, [5]))
    changed = dict(rows(lake, PROGRAM_MEMBERS, "leadId", "outhaul_changed_at"))
    assert changed[6] == MOMENT
    assert changed[7] < MOMENT


def test_chains_end_at_the_last_winner(lake: Lake, catalog: Catalog) -> None:
    fill(catalog, lake)
    put(catalog, lake, ACTIVITIES, merge(6, [5]))
    put(catalog, lake, ACTIVITIES, merge(60_000, [6], MOMENT + timedelta(hours=1)))
    assert merged(lake) == {5: 60_000, 6: 60_000}
    assert {lead for _, lead in rows(lake, ACTIVITIES, "marketoGUID", "leadId")} == {60_000}
    assert rows(lake, LIST_MEMBERS, "listId", "leadId") == [(1, 60_000), (2, 60_000)]
    put(catalog, lake, ACTIVITIES, activity("late", 5))
    assert ("late", 60_000) in rows(lake, ACTIVITIES, "marketoGUID", "leadId")


@pytest.mark.parametrize("together", [True, False])
def test_a_merge_that_would_make_a_cycle_is_left_out_and_told(
    lake: Lake, catalog: Catalog, together: bool
) -> None:
    later = merge(5, [6], MOMENT + timedelta(hours=1))
    if together:
        notes = told(catalog, lake, later, merge(6, [5])).notes
    else:
        told(catalog, lake, merge(6, [5]))
        notes = told(catalog, lake, later).notes
    assert merged(lake) == {5: 6}
    assert notes == ["lead 6 was not merged into 5, because 5 was merged into 6 before"]


def test_a_lead_that_loses_twice_has_the_first_winner(lake: Lake, catalog: Catalog) -> None:
    notes = told(catalog, lake, merge(7, [5], MOMENT + timedelta(hours=1)), merge(6, [5])).notes
    assert merged(lake) == {5: 6}
    assert notes == ["lead 5 was not merged into 7, because it was merged into 6 before"]
    # Unless the winners are one.
    assert not told(catalog, lake, merge(7, [6], MOMENT + timedelta(hours=2))).notes
    assert not told(catalog, lake, merge(7, [5], MOMENT + timedelta(hours=1))).notes
    assert merged(lake) == {5: 7, 6: 7}


def test_a_lead_is_not_merged_into_itself(lake: Lake, catalog: Catalog) -> None:
    assert not told(catalog, lake, merge(6, [6, 5])).notes
    assert merged(lake) == {5: 6}


def test_a_merge_has_its_earliest_moment(lake: Lake, catalog: Catalog) -> None:
    for hours in (2, 1, 3):
        put(catalog, lake, ACTIVITIES, merge(6, [5], MOMENT + timedelta(hours=hours), str(hours)))
    assert rows(lake, MERGED_LEADS, "mergedAt") == [(MOMENT + timedelta(hours=1),)]


# Merges and deletions


def test_a_winner_that_is_deleted_takes_its_losers_along(lake: Lake, catalog: Catalog) -> None:
    fill(catalog, lake)
    for record in (merge(6, [5]), deletion(6)):
        put(catalog, lake, ACTIVITIES, record)
    for _ in range(2):
        assert rows(lake, LEADS, "id") == [(60_000,)]
        assert rows(lake, LIST_MEMBERS, "leadId") == []
        assert rows(lake, PROGRAM_MEMBERS, "leadId") == []
        fill(catalog, lake)


def test_a_merge_into_a_lead_that_was_deleted_removes_the_loser(
    lake: Lake, catalog: Catalog
) -> None:
    fill(catalog, lake)
    for record in (deletion(6), merge(6, [5])):
        put(catalog, lake, ACTIVITIES, record)
    assert rows(lake, LEADS, "id") == [(60_000,)]
    assert rows(lake, LIST_MEMBERS, "leadId") == []
    assert rows(lake, PROGRAM_MEMBERS, "leadId") == []
    assert ("1", 6) in rows(lake, ACTIVITIES, "marketoGUID", "leadId")


@pytest.mark.parametrize("together", [True, False])
def test_the_deletion_of_a_loser_does_not_delete_the_winner(
    lake: Lake, catalog: Catalog, together: bool
) -> None:
    fill(catalog, lake)
    records = [deletion(5), merge(6, [5])]
    for file in [records] if together else [[record] for record in reversed(records)]:
        put(catalog, lake, ACTIVITIES, *file)
    found = everything(lake)
    # The activity says of the loser that it was deleted. Clients would delete the winner otherwise.
    found["activities"].remove(("delete-5", 5))
    assert found == AFTER
    fill(catalog, lake)
    put(catalog, lake, ACTIVITIES, *records)
    assert ("delete-5", 5) in rows(lake, ACTIVITIES, "marketoGUID", "leadId")


# Notations, and what is no merge


def test_records_that_name_no_losers_are_loaded_and_told(lake: Lake, catalog: Catalog) -> None:
    records = [
        with_attributes(6, attributes, f"bad-{n}")
        for n, attributes in enumerate((None, "{}", '{"Merge IDs": null}', '{"Merge IDs": "x"}'))
    ]
    found = told(catalog, lake, *records, merge(6, [5]))
    assert found.merged.added == 5
    assert found.notes == [
        "no leads were merged by records whose attributes name none: bad-0, bad-1, bad-2, bad-3"
    ]
    assert merged(lake) == {5: 6}


def test_a_file_without_attributes_merges_nothing(lake: Lake, catalog: Catalog) -> None:
    found = told(catalog, lake, {**activity("1", 6), "activityTypeId": 32})
    assert found.merged.added == 1
    assert len(found.notes) == 1
    assert lake.snapshot(MERGED_LEADS) is None


# The work


def test_only_files_with_losers_are_read_and_written_again(
    lake: Lake, catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(catalog, lake, LEADS, *({"id": n} for n in (5, 60_000, 200_000)))
    for day in range(3):
        moment = MOMENT - timedelta(days=day)
        leads = (5, 9) if day == 1 else (7, 9)
        put(catalog, lake, ACTIVITIES, *(activity(f"{day}-{n}", n, moment) for n in leads))
    put(catalog, lake, ACTIVITIES, merge(9, [1]))
    found: list[Any] = []

    def watched(*given: Any) -> Any:
        found.append(given[1:3])
        return write_file(*given)

    monkeypatch.setattr(following, "write_file", watched)
    put(catalog, lake, ACTIVITIES, merge(9, [5, 60_000], MOMENT + timedelta(hours=1)))
    assert found == [(ACTIVITIES, (MOMENT - timedelta(days=1)).date())]
    assert rows(lake, LEADS, "id") == [(200_000,)]


def test_many_merges_of_a_file_are_one_commit_a_table(lake: Lake, catalog: Catalog) -> None:
    fill(catalog, lake)
    before = versions(lake)
    put(catalog, lake, ACTIVITIES, *(merge(n + 1, [n]) for n in range(5, 50)))
    after = versions(lake)
    assert merged(lake) == dict.fromkeys(range(5, 50), 50)
    assert {name: after[name] - before[name] for name in before} == {
        **dict.fromkeys(before, 1),
        "activities": 2,
    }


def test_winners_are_looked_up_by_id(lake: Lake, catalog: Catalog) -> None:
    assert winners_of(lake, [5]) == {}
    put(catalog, lake, ACTIVITIES, merge(6, [5, DELETED_A_RANGE * 3]))
    assert winners_of(lake, [5, 6, DELETED_A_RANGE * 3, 2**70]) == {5: 6, DELETED_A_RANGE * 3: 6}
    assert winners_of(lake, [7]) == winners_of(lake, []) == {}


# Any order

IDS = (1, 2, 3, 49_999, 50_000, DELETED_A_RANGE)


@st.composite
def histories(draw: st.DrawFn) -> tuple[dict[int, int], set[int], list[Any]]:
    """Draw who lost to whom at which time, which last winners were deleted, and loads."""
    order = draw(st.permutations(IDS))
    lost: dict[int, int] = {}
    # A lead can only win while it has not lost.
    for position, loser in enumerate(order[: draw(st.integers(0, len(IDS) - 1))]):
        lost[loser] = draw(st.sampled_from(order[position + 1 :]))
    deleted = draw(st.sets(st.sampled_from([n for n in IDS if n not in lost]), max_size=2))
    of = st.sets(st.sampled_from(IDS), min_size=1)
    loads = [
        *((LEADS, [{"id": n} for n in draw(of)]) for _ in range(draw(st.integers(0, 1)))),
        (LIST_MEMBERS, [{"listId": 1 + n % 2, "leadId": n} for n in draw(of)]),
        *(
            (PROGRAM_MEMBERS, [member(n, "Own" if n not in lost else "Lost") for n in draw(of)])
            for _ in range(2)
        ),
        (ACTIVITIES, [activity(f"a{n}", n, MOMENT - timedelta(days=n % 3)) for n in draw(of)]),
        (BOATS, [{"marketoGUID": f"{n}", "owner": n} for n in draw(of)]),
        *(
            (ACTIVITIES, [merge(winner, [loser], MOMENT + timedelta(minutes=position))])
            for position, (loser, winner) in enumerate(lost.items())
        ),
        *((ACTIVITIES, [deletion(n)]) for n in deleted),
    ]
    again = draw(st.lists(st.sampled_from(loads), max_size=2))
    return lost, deleted, draw(st.permutations([*loads, *again]))


@examples(24)
@given(history=histories())
def test_loads_in_any_order_give_the_same_tables(
    history: tuple[dict[int, int], set[int], list[tuple[Table, list[Record]]]],
    catalog: Catalog,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    lost, deleted, loads = history
    lake = Lake(tmp_path_factory.mktemp("merges") / "lake")
    for table, records in loads:
        put(catalog, lake, table, *records)

    def last(lead: int) -> int:
        return last(lost[lead]) if lead in lost else lead

    def given_of(table: Table) -> list[Record]:
        return [record for of, records in loads if of is table for record in records]

    assert merged(lake) == {loser: last(loser) for loser in lost}
    leads = {record["id"] for record in given_of(LEADS)} - lost.keys() - deleted
    assert rows(lake, LEADS, "id") == sorted(((n,) for n in leads), key=str)
    members = {(record["listId"], last(record["leadId"])) for record in given_of(LIST_MEMBERS)}
    members = {(list_id, lead) for list_id, lead in members if lead not in deleted}
    assert rows(lake, LIST_MEMBERS, "listId", "leadId") == sorted(members, key=str)
    statuses: dict[int, str] = {}
    for record in given_of(PROGRAM_MEMBERS):
        lead = last(record["leadId"])
        if lead not in deleted:
            own = record["leadId"] == lead
            statuses[lead] = record["statusName"] if own else statuses.get(lead, "Lost")
    assert rows(lake, PROGRAM_MEMBERS, "leadId", "statusName") == sorted(statuses.items(), key=str)
    activities = {
        (r["marketoGUID"], r["leadId"] if r["activityTypeId"] == 37 else last(r["leadId"]))
        for r in given_of(ACTIVITIES)
    }
    assert rows(lake, ACTIVITIES, "marketoGUID", "leadId") == sorted(activities, key=str)
    boats = {(r["marketoGUID"], last(r["owner"])) for r in given_of(BOATS)}
    assert rows(lake, BOATS, "marketoGUID", "owner") == sorted(boats, key=str)
