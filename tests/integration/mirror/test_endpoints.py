"""Endpoints that refuse or forget something: what can be had is here all the same."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.support.instance import NOW, Clock
from tests.support.mirroring import (
    Endpoint,
    Side,
    activity,
    again,
    assert_same,
    copied,
    mirror,
    records,
)
from tests.support.template import Template

from outhaul.lake.tables import ACTIVITIES, LEADS, MERGED_LEADS
from outhaul.mirror.report import DayState, report
from outhaul.mirror.state import State
from outhaul.mirror.watch import Summary


def only_objects_are_missing(summary: Summary) -> None:
    """Assert that all but custom objects are there: the filter is the only one that they have."""
    assert [error.split()[0] for error in summary.errors] == ["custom-objects/boat_c"]
    assert "1035" in summary.errors[0]


def served(template: Template, folder: Path, clock: Clock, **limits: Any) -> Side:
    return copied(template, folder / "limited", clock, **limits)


def test_leads_come_by_their_creation_where_updates_cannot_be_filtered(
    template: Template, tmp_path: Path, clock: Clock, copy: Side
) -> None:
    original = served(template, tmp_path, clock, updated_at_filter=False)
    with original.served() as endpoint:
        only_objects_are_missing(mirror(endpoint, copy))
        assert records(copy, LEADS).height == records(original, LEADS).height
        clock.advance(days=1)
        original.load("leads", [{"id": 1007, "firstName": "Edited"}])
        change = {"New Value": "Edited", "Old Value": "Before"}
        original.load(
            "activities",
            [
                activity(
                    "changed",
                    1007,
                    13,
                    days=-1,
                    primaryAttributeValue="First Name",
                    attributes=change,
                )
            ],
        )
        only_objects_are_missing(again(endpoint, copy))
        found = records(copy, LEADS).filter(id=1007)
        assert found["firstName"].to_list() == ["Edited"]
        endpoint.close()
    original.database.close()


def test_deletions_are_looked_up_where_they_are_not_exported(
    template: Template, tmp_path: Path, clock: Clock, copy: Side
) -> None:
    original = served(template, tmp_path, clock, delete_lead_type=False)
    with original.served() as endpoint:
        mirror(endpoint, copy)
        clock.advance(days=1)
        original.load("activities", [activity("gone", 1012, 37, days=-0.5)])
        summary = again(endpoint, copy)
        assert (summary.outcome, summary.errors) == ("complete", [])
        assert 1012 not in records(copy, LEADS)["id"]
        assert "gone" in records(copy, ACTIVITIES)["marketoGUID"]
        endpoint.close()
    original.database.close()


def test_what_perishes_is_caught_in_time(
    template: Template, tmp_path: Path, clock: Clock, copy: Side
) -> None:
    limits = {"delete_lead_days": 14, "frequent_activity_days": 90, "activity_months": 25}
    original = served(template, tmp_path, clock, **limits)
    wanted = {"gone": 37, "visit": 1, "old": 46}
    original.load(
        "activities",
        [
            activity("gone", 1012, 37, days=13.5),
            activity("visit", 1013, 1, days=89.5),
            activity("old", 1014, 46, days=24 * 30),
            activity("too late", 1013, 1, days=91),
        ],
    )
    with original.served() as endpoint:
        assert mirror(endpoint, copy).outcome == "complete"
        clock.advance(days=100)
        assert mirror(endpoint, copy).outcome == "complete"
        endpoint.close()
    found = records(copy, ACTIVITIES)
    assert {**wanted} == {
        guid: of
        for guid, of in found.select("marketoGUID", "activityTypeId").iter_rows()
        if guid in {*wanted, "too late"}
    }
    original.database.close()


def test_days_that_perished_before_they_were_read_are_told(endpoint: Endpoint, copy: Side) -> None:
    mirror(endpoint, copy, since=NOW - timedelta(days=5))
    State(copy.database, "default").uncover("deletions", _first_days(copy))
    told = report(State(copy.database, "default"), copy.lake, copy.catalog, _late(endpoint))
    (deletions,) = (each for each in told.streams if each.name == "deletions")
    assert deletions.perished > 0
    assert not told.is_complete
    states = {
        deletions.day(_late(endpoint).date() - timedelta(days=n), _late(endpoint), told.since)
        for n in range(60)
    }
    assert {DayState.PERISHED, DayState.COMPLETE} <= states


def _late(endpoint: Endpoint) -> Any:
    return endpoint.clock().replace(microsecond=0) + timedelta(days=40)


def _first_days(side: Side) -> Any:
    coverage = State(side.database, "default").coverage()["deletions"]
    first = coverage.windows[0]
    return type(first)(first.start, first.start + timedelta(days=2))


def test_merged_leads_point_to_their_winner(endpoint: Endpoint, original: Side, copy: Side) -> None:
    mirror(endpoint, copy)
    endpoint.clock.advance(days=1)
    original.load(
        "activities",
        [activity("merge", 1009, 32, days=-0.5, attributes={"Merge IDs": [1007, 1008]})],
    )
    assert again(endpoint, copy).outcome == "complete"
    pairs = records(copy, MERGED_LEADS).select("leadId", "winnerId").rows()
    assert sorted(pairs) == [(1007, 1009), (1008, 1009)]
    assert {1007, 1008}.isdisjoint(records(copy, LEADS)["id"])
    assert {1007, 1008}.isdisjoint(records(copy, ACTIVITIES)["leadId"])
    assert_same(endpoint, copy)


@pytest.mark.parametrize("missing", ["Activity", "Custom Object", "Lead"])
def test_what_may_not_be_read_is_told_and_the_rest_is_here(
    endpoint: Endpoint, copy: Side, missing: str
) -> None:
    summary = mirror(endpoint, copy, user=f"without {missing}")
    assert summary.outcome in ("errors", "complete")
    if missing != "Lead":
        assert records(copy, LEADS).height > 0
    if missing != "Activity":
        assert records(copy, ACTIVITIES).height > 0
