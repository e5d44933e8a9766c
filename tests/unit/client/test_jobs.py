"""Jobs are read leniently: what cannot be read is missing, and never ends a run."""

import math
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outhaul.client import Job
from outhaul.protocol.states import State, UnknownState

MOMENT = datetime(2026, 1, 31, 23, 59, 59, tzinfo=UTC)
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(), inner, max_size=2),
    max_leaves=4,
)
MEMBERS = (
    *("format", "createdAt", "queuedAt", "startedAt", "finishedAt", "numberOfRecords"),
    *("fileSize", "fileChecksum", "errorMsg", "somethingNew"),
)


def read(**members: object) -> Job:
    return Job.from_answer({"exportId": "x", "status": "Completed", **members})


@pytest.mark.parametrize(
    "text",
    [
        "2026-01-31T23:59:59Z",
        "2026-01-31T23:59:59.123Z",
        "2026-01-31T23:59:59.123456789Z",
        "2026-01-31T23:59:59Z+0000",
        "2026-01-31T23:59:59+0000",
        "2026-01-31T23:59:59+00:00",
        "2026-01-31T23:59:59.5+0000",
        "2026-01-31T23:59:59",
        " 2026-01-31T23:59:59Z ",
        "2026-01-31T17:59:59-06:00",
        "2026-01-31T17:59:59-0600",
    ],
)
def test_moments_in_many_notations(text: str) -> None:
    assert read(createdAt=text).created_at == MOMENT


@pytest.mark.parametrize(
    "value",
    [
        None,
        "",
        "yesterday",
        "2026-02-30T00:00:00Z",
        "0000-00-00T00:00:00Z",
        1769903999,
        {},
        [],
        1.5,
    ],
)
def test_moments_that_cannot_be_read_are_missing(value: object) -> None:
    job = read(createdAt=value, queuedAt=value, startedAt=value, finishedAt=value)
    assert job == read()


@pytest.mark.parametrize("value", [20000, "20000", 20000.0, " 20000 "])
def test_numbers_in_many_notations(value: object) -> None:
    job = read(numberOfRecords=value, fileSize=value)
    assert (job.records, job.file_size) == (20000, 20000)


@pytest.mark.parametrize(
    "value",
    [
        -1,
        "-1",
        "",
        "many",
        2.5,
        2**63,
        1e300,
        math.inf,
        math.nan,
        True,
        False,
        None,
        [],
        {},
        "9" * 99,
    ],
)
def test_numbers_that_cannot_be_are_missing(value: object) -> None:
    job = read(numberOfRecords=value, fileSize=value)
    assert (job.records, job.file_size) == (None, None)


@pytest.mark.parametrize(("given_id", "export_id"), [("a-b", "a-b"), (17, "17")])
def test_ids(given_id: object, export_id: str) -> None:
    assert Job.from_answer({"exportId": given_id, "status": "Queued"}).export_id == export_id


@pytest.mark.parametrize(
    ("text", "state"),
    [("completed", State.COMPLETED), (" Canceled ", State.CANCELLED), ("QUEUED", State.QUEUED)],
)
def test_states_in_many_notations(text: str, state: State) -> None:
    assert read(status=text).status is state


@given(st.none() | st.text())
def test_a_state_that_is_not_known_has_not_ended(text: str | None) -> None:
    status = read(status=text).status
    assert isinstance(status, State) or not status.ended
    assert status.isprintable()
    if isinstance(status, UnknownState) and text and text.isprintable() and len(text) < 80:
        assert status.split() == text.split()


@given(st.dictionaries(st.sampled_from(MEMBERS), JSON_VALUES))
def test_no_member_ends_a_run(members: dict[str, Any]) -> None:
    job = read(**members)
    assert job.status is State.COMPLETED
    for count in (job.records, job.file_size):
        assert count is None or 0 <= count < 2**63
    assert job.created_at is None or job.created_at.tzinfo is UTC
