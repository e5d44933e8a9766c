"""Later runs bring what has changed: more records, edits, deletions, members that left, fields."""

import json
from pathlib import Path

from tests.support.mirroring import (
    Endpoint,
    Side,
    activity,
    again,
    assert_same,
    mirror,
    records,
)

from outhaul.kinds.custom_objects import CUSTOM_OBJECTS
from outhaul.kinds.list_members import LIST_MEMBERS
from outhaul.lake.tables import ACTIVITIES, LEADS, Table
from outhaul.loading.loads import load_snapshot


def test_a_second_run_reads_the_overlap_only(endpoint: Endpoint, copy: Side) -> None:
    mirror(endpoint, copy)
    version = copy.lake.snapshot(LEADS)
    endpoint.clock.advance(hours=1)
    summary = mirror(endpoint, copy)
    assert summary.outcome == "complete"
    assert {
        name: each.added + each.changed for name, each in summary.loads.items()
    } == dict.fromkeys(summary.loads, 0)
    assert version is not None
    assert copy.lake.snapshot(LEADS).files == version.files  # type: ignore[union-attr]


def test_what_was_loaded_edited_and_deleted_since_is_the_same(
    endpoint: Endpoint, original: Side, copy: Side
) -> None:
    mirror(endpoint, copy)
    endpoint.clock.advance(days=1)
    original.load("leads", [{"id": 1007, "firstName": "Edited"}, {"id": 9001, "email": "n@x.org"}])
    original.load(
        "activities",
        [
            activity("new-1", 9001),
            activity("new-2", 1007, 13, days=20),
            activity("gone-12", 1012, 37),
            activity("gone-13", 1013, 37, days=0.5),
        ],
    )
    original.load("program-members", [{"programId": 1004, "leadId": 9001, "statusName": "Member"}])
    boat = records(original, _boats(original)).row(0, named=True)
    edited = {name: boat[name] for name in ("marketoGUID", "hullNumber")}
    original.load("custom-objects", [{**edited, "boatName": "Renamed", "leadId": 1007}], "boat_c")
    summary = again(endpoint, copy)
    assert summary.outcome == "complete", summary.errors
    assert {1012, 1013}.isdisjoint(records(copy, LEADS)["id"])
    assert 9001 in records(copy, LEADS)["id"]
    assert {"new-1", "new-2"} <= {*records(copy, ACTIVITIES)["marketoGUID"]}
    assert_same(endpoint, copy)


def test_members_of_a_list_that_left_leave(
    endpoint: Endpoint, original: Side, copy: Side, tmp_path: Path
) -> None:
    mirror(endpoint, copy)
    path = tmp_path / "members.jsonl"
    path.write_text(json.dumps({"listId": 1001, "leadId": 1007}), "utf-8")
    load_snapshot(
        LIST_MEMBERS.loading,
        original.lake,
        original.catalog,
        path,
        endpoint.clock(),
        lambda _: None,
        of=[1001],
    )
    assert again(endpoint, copy).outcome == "complete"
    assert_same(endpoint, copy)


def test_a_new_field_and_its_past_are_the_same(
    endpoint: Endpoint, original: Side, copy: Side
) -> None:
    mirror(endpoint, copy)
    endpoint.clock.advance(days=1)
    original.load("leads", [{"id": n, "shoeSize": n} for n in range(1001, 1040)])
    assert again(endpoint, copy).outcome == "complete"
    assert_same(endpoint, copy)


def test_a_field_whose_type_became_wider_is_the_same(
    endpoint: Endpoint, original: Side, copy: Side
) -> None:
    original.load("leads", [{"id": n, "shoeSize": n} for n in range(1001, 1040)])
    mirror(endpoint, copy)
    endpoint.clock.advance(days=1)
    original.load("leads", [{"id": 1005, "shoeSize": "12 EU"}])
    summary = again(endpoint, copy)
    assert summary.outcome == "complete", summary.errors
    assert_same(endpoint, copy)


def _boats(side: Side) -> Table:
    return CUSTOM_OBJECTS.loading_of(side.catalog, "boat_c").table
