import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from tests.support.paths import DOCS

from outhaul.export.request import ExportRequest
from outhaul.jobs.job import TRANSITIONS, Job, sources
from outhaul.protocol.states import State

PAGE = DOCS / "jobs.md"
MOMENT = datetime(2026, 1, 31, 12, 0, 0, 999_999, tzinfo=UTC)


@pytest.fixture
def created(export_request: ExportRequest) -> Job:
    return Job(
        id="6e0b8f4e-0f6f-4a3b-9d0c-2f4f0f5a9b11",
        subscription="default",
        user=1,
        kind="leads",
        state=State.CREATED,
        request=export_request,
        created_at=MOMENT,
    )


def test_every_state_has_its_transitions_and_only_ended_ones_have_none() -> None:
    assert set(TRANSITIONS) == set(State)
    assert {state for state in State if not TRANSITIONS[state]} == {s for s in State if s.ended}


@pytest.mark.parametrize("target", list(State))
def test_sources_turn_the_table_around(target: State) -> None:
    assert {s for s in State if target in TRANSITIONS[s]} == set(sources(target))


def test_a_job_is_never_taken_back_to_an_earlier_state() -> None:
    def reach(state: State) -> set[State]:
        return set(TRANSITIONS[state]).union(*(reach(after) for after in TRANSITIONS[state]))

    assert all(state not in reach(state) for state in State)
    assert {State.CREATED} | reach(State.CREATED) == set(State)


def test_the_diagram_has_just_the_transitions_of_the_code() -> None:
    (diagram,) = re.findall(r"```mermaid\nstateDiagram-v2\n(.*?)```", PAGE.read_text(), re.DOTALL)
    arrows = [re.match(r"\s*(\S+) --> ([^\s:]+)", line) for line in diagram.strip().splitlines()]
    drawn = [match.groups() for match in arrows if match]
    assert len(drawn) == len(arrows)
    assert sorted(drawn) == sorted(
        [
            ("[*]", "Created"),
            *(
                (source.value, to.value)
                for source, targets in TRANSITIONS.items()
                for to in targets
            ),
            *((state.value, "[*]") for state in State if state.ended),
        ]
    )


def test_the_page_says_what_each_state_means() -> None:
    rows = re.findall(r"^\| (\w+) \| \w.+\| .+ \|$", PAGE.read_text(), re.MULTILINE)
    assert rows == ["state", "Created", "Queued", "Processing", "Completed", "Failed", "Cancelled"]


def test_a_created_job_shows_what_it_is_and_when_it_was_made(created: Job) -> None:
    assert created.to_answer().to_wire() == {
        "exportId": created.id,
        "format": "TSV",
        "status": "Created",
        "createdAt": "2026-01-31T12:00:00Z",
    }


def test_answers_leave_out_what_is_not_reached(created: Job) -> None:
    queued = replace(created, state=State.QUEUED, queued_at=MOMENT + timedelta(seconds=1))
    running = replace(queued, state=State.PROCESSING, started_at=MOMENT + timedelta(seconds=2))
    ended = replace(running, finished_at=MOMENT + timedelta(seconds=3))
    done = replace(ended, state=State.COMPLETED, records=0, file_size=9, checksum="abc")
    failed = replace(ended, state=State.FAILED, error_message="Gave up")
    cancelled = replace(ended, state=State.CANCELLED)

    made = created.to_answer().to_wire()

    def beyond(job: Job) -> dict[str, object]:
        return {k: v for k, v in job.to_answer().to_wire().items() if k not in made}

    times = {
        "queuedAt": "2026-01-31T12:00:01Z",
        "startedAt": "2026-01-31T12:00:02Z",
        "finishedAt": "2026-01-31T12:00:03Z",
    }
    assert list(beyond(queued)) == ["queuedAt"]
    assert list(beyond(running)) == ["queuedAt", "startedAt"]
    assert beyond(cancelled) == times
    assert beyond(failed) == times | {"errorMsg": "Gave up"}
    assert beyond(done) == times | {
        "numberOfRecords": 0,
        "fileSize": 9,
        "fileChecksum": "sha256:abc",
    }
    assert [job.to_answer().status for job in (queued, running, done, failed, cancelled)] == [
        "Queued",
        "Processing",
        "Completed",
        "Failed",
        "Cancelled",
    ]


def test_a_job_that_was_cancelled_before_it_began_has_no_start(created: Job) -> None:
    cancelled = replace(created, state=State.CANCELLED, finished_at=MOMENT)
    assert {"queuedAt", "startedAt", "errorMsg"}.isdisjoint(cancelled.to_answer().to_wire())
