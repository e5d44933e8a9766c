"""The journal is bounded, in calls and in bytes, whatever arrives."""

from datetime import UTC, datetime
from typing import Any

import pytest

from outhaul.stand_in.calls import Call
from outhaul.stand_in.journal import MOST_BYTES, MOST_CALLS, Entry, Journal, Wanted
from outhaul.stand_in.matching import is_subset
from outhaul.stand_in.who import Who


def entry(journal: Journal, *, subscription: str = "a", body_bytes: int = 0) -> Entry:
    call = Call(
        name="create",
        kind="leads",
        job=None,
        method="POST",
        path="/bulk/v1/leads/export/create.json",
        query={},
        body={} if body_bytes else None,
        body_bytes=body_bytes,
        range=None,
        who=Who(subscription=subscription, client_id="1", service="test", email="a@example.com"),
        at=datetime(2026, 1, 31, tzinfo=UTC),
    )
    number = journal.next_number()
    return Entry(number=number, call=call, job=None, status=200, code=None, milliseconds=1)


def test_the_latest_calls_remain() -> None:
    journal = Journal()
    journal.add(entry(journal, subscription="b"))
    for _ in range(MOST_CALLS + 5):
        journal.add(entry(journal))
    found = journal.select("a", Wanted())
    assert (len(found.entries), found.dropped) == (MOST_CALLS, 5)
    assert found.entries[0].number == 7
    assert len(journal.select("b", Wanted()).entries) == 1


def test_large_bodies_leave_room_for_fewer_calls() -> None:
    journal = Journal()
    for _ in range(10):
        journal.add(entry(journal, body_bytes=MOST_BYTES // 4))
    found = journal.select("a", Wanted())
    assert (len(found.entries), found.dropped) == (4, 6)


@pytest.mark.parametrize(
    ("wanted", "found", "matches"),
    [
        ({}, {"a": 1}, True),
        ({"a": 1}, {"a": 1, "b": 2}, True),
        ({"a": 1}, {"b": 2}, False),
        ({"a": None}, {}, False),
        ({"a": {"b": [1]}}, {"a": {"b": [2, 1]}}, True),
        ([1, 2], [2, 1], True),
        ([1, 3], [2, 1], False),
        ([{"a": 1}], [{"b": 1}, {"a": 1, "c": 2}], True),
        ([], {}, False),
        ({}, [], False),
        (1, 1.0, True),
        (1, True, False),
        (False, 0, False),
        ("1", 1, False),
        (None, None, True),
    ],
)
def test_a_json_value_matches_what_has_all_of_it(wanted: Any, found: Any, matches: bool) -> None:
    assert is_subset(wanted, found) is matches
