"""Creating a job although answers get lost: which doubles are cancelled, and which are not."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.in_process import Client
from tests.support.misbehaving import (
    ALWAYS,
    Endpoint,
    Fault,
    Html,
    Http,
    Json,
    Refusal,
    Reset,
    Text,
    WithJob,
    first,
    nth,
)
from tests.support.misbehaving.faults import Answer

from outhaul.client import ClientError, HttpError, ProtocolError
from outhaul.client.doubles import Sight, Span

REQUEST = {"fields": ["id"], "filter": {"staticListId": 1}}
SHOWN = datetime(2026, 1, 31, 10, tzinfo=UTC)

LOST: list[Answer] = [
    Reset(),
    Http(502),
    Http(504),
    Http(500),
    Html(),
    Text(""),
    Json({"requestId": "r", "success": True}),
    Json({"requestId": "r", "success": True, "result": []}),
    Refusal("611"),
    Refusal("713"),
    Refusal("604"),
]


@pytest.mark.parametrize("answer", LOST)
@pytest.mark.parametrize("effect", [False, True])
def test_create_is_tried_again_and_its_double_is_cancelled(answer: Answer, effect: bool) -> None:
    endpoint = Endpoint(faults=[Fault("create", answer, times=first(2), effect=effect)])
    with Client(endpoint) as client:
        job = client.exports.run(REQUEST)
    assert endpoint.states == [*["Cancelled"] * (2 * effect), "Completed"]
    assert job.export_id == endpoint.jobs[-1].id
    assert endpoint.count("create") == 3
    assert not endpoint.unused


@pytest.mark.parametrize("answer", [Refusal("606"), Refusal("615"), Http(429), Http(503)])
def test_nobody_looks_for_a_double_after_a_call_that_did_nothing(answer: Answer) -> None:
    endpoint = Endpoint(faults=[Fault("create", answer)])
    with Client(endpoint) as client:
        client.exports.run(REQUEST)
    assert endpoint.count("list") == 0
    assert endpoint.states == ["Completed"]


@pytest.mark.parametrize(
    "answer", [Refusal("610"), Refusal("1003"), Refusal("607"), Refusal("603"), Http(404)]
)
def test_a_refusal_that_is_definite_is_not_repeated(answer: Answer) -> None:
    endpoint = Endpoint(faults=[Fault("create", answer, times=ALWAYS)])
    with Client(endpoint) as client, pytest.raises((ProtocolError, HttpError)):
        client.exports.run(REQUEST)
    assert endpoint.count("create") == 1
    assert endpoint.states == []


def test_token_that_fails_before_create_leaves_no_doubt() -> None:
    faults = [Fault("token", Http(503), times=first(3))]
    endpoint = Endpoint(faults=faults)
    with Client(endpoint) as client:
        client.exports.run(REQUEST)
    assert (endpoint.count("token"), endpoint.count("create")) == (4, 1)
    assert endpoint.count("list") == 0


def test_token_that_never_comes_uses_up_no_attempts_of_create() -> None:
    endpoint = Endpoint(faults=[Fault("token", Http(503), times=ALWAYS)])
    with Client(endpoint) as client, pytest.raises(HttpError):
        client.exports.run(REQUEST)
    assert (endpoint.count("token"), endpoint.count("create")) == (4, 0)


def test_jobs_of_others_are_left_alone() -> None:
    """They are of another format, in the queue, or created at another time."""
    endpoint = Endpoint(faults=[Fault("create", Reset())])
    other_format = endpoint.add_job(request={"format": "TSV"})
    queued = endpoint.add_job("Processing")
    with Client(endpoint) as client:
        client.exports.run(REQUEST)
    assert (other_format.state, queued.state) == ("Created", "Processing")

    early = WithJob(createdAt="2026-01-31T08:00:00Z")
    endpoint = Endpoint(
        faults=[Fault("create", Reset(), effect=True), Fault("list", early, times=ALWAYS)]
    )
    with Client(endpoint) as client:
        client.exports.run(REQUEST)
    assert endpoint.states == ["Created", "Completed"]


def test_if_it_cannot_be_told_which_job_is_the_double_none_is_cancelled() -> None:
    endpoint = Endpoint(faults=[Fault("create", Reset(), effect=True)])
    endpoint.add_job()
    with Client(endpoint) as client:
        client.exports.run(REQUEST)
    assert endpoint.states == ["Created", "Created", "Completed"]
    assert "2 jobs in Created could be doubles" in client.notices[-1]
    assert endpoint.jobs[1].id in client.notices[-1]


def test_a_job_that_is_enqueued_meanwhile_is_of_another_run() -> None:
    def enqueue(endpoint: Endpoint) -> None:
        endpoint.jobs[0].state = "Queued"

    endpoint = Endpoint(
        faults=[
            Fault("create", Reset()),
            # the third look comes after the pause that lets others enqueue their jobs
            Fault("list", WithJob(), times=nth(3), meanwhile=enqueue),
        ]
    )
    endpoint.add_job()
    with Client(endpoint) as client:
        client.exports.run(REQUEST)
    assert endpoint.states == ["Queued", "Completed"]
    assert endpoint.count("cancel") == 0


def test_when_the_queue_was_full_others_may_wait_and_none_is_cancelled() -> None:
    faults = [
        Fault("create", Reset(), effect=True),
        Fault("enqueue", Refusal("1029", "Too many jobs in queue")),
    ]
    endpoint = Endpoint(faults=faults)
    with Client(endpoint) as client:
        client.exports.run(REQUEST)
    assert endpoint.states == ["Created", "Completed"]
    assert "none was cancelled" in client.notices[-1]


@pytest.mark.parametrize("answer", [Http(502), Html(), Refusal("1003"), Refusal("607")])
def test_a_list_that_cannot_be_read_does_not_end_the_run(answer: Answer) -> None:
    faults = [Fault("create", Reset(), effect=True), Fault("list", answer, times=ALWAYS)]
    endpoint = Endpoint(faults=faults)
    with Client(endpoint) as client:
        client.exports.run(REQUEST)
    assert endpoint.states == ["Created", "Completed"]
    assert "may be left in Created" in client.notices[-1]


def test_doubles_are_cancelled_too_if_create_fails_to_the_end() -> None:
    faults = [
        Fault("create", Reset(), times=first(3), effect=True),
        Fault("create", Refusal("1003"), times=ALWAYS),
    ]
    now = WithJob(createdAt=datetime.now(UTC).isoformat())
    endpoint = Endpoint(faults=[*faults, Fault("list", now, times=ALWAYS)])
    with Client(endpoint) as client, pytest.raises(ClientError):
        client.exports.run(REQUEST)
    assert endpoint.states == ["Cancelled"] * 3


def test_an_answer_to_create_without_a_state_is_enough() -> None:
    endpoint = Endpoint(faults=[Fault("create", WithJob(status="Created"))])
    gone = Json({"success": True, "result": [{"exportId": "x"}]})
    endpoint.faults = [Fault("create", gone)]
    with Client(endpoint) as client:
        assert client.exports.create(REQUEST).export_id == "x"


def moments(start: float) -> st.SearchStrategy[float]:
    return st.floats(start, start + 10_000, allow_nan=False)


@given(st.data(), st.timedeltas(timedelta(), timedelta(days=1)))
def test_what_a_lost_call_created_is_always_taken_for_its_double(
    data: st.DataObject, difference: timedelta
) -> None:
    """Whatever the clock of the endpoint shows, and however long each call took."""
    begin, created, end = sorted(data.draw(st.tuples(moments(0), moments(0), moments(0))))
    own_begin, own_created, own_end = sorted(
        data.draw(st.tuples(moments(end), moments(end), moments(end)))
    )
    base = SHOWN + difference

    def shown(seconds: float) -> datetime:
        return (base + timedelta(seconds=seconds)).replace(microsecond=0)

    sight = Sight(shown(own_created), Span(own_begin, own_end))
    assert sight.could_be_of(Span(begin, end), shown(created))


@pytest.mark.parametrize(
    ("seconds", "is_double"),
    [(-120, False), (-23, False), (-21, True), (0, True), (40, True), (60, False)],
)
def test_what_was_created_at_another_time_is_not(seconds: float, is_double: bool) -> None:
    sight = Sight(SHOWN, Span(20.0, 20.0))
    created = SHOWN + timedelta(seconds=seconds)
    assert sight.could_be_of(Span(0.0, 10.0), created) is is_double
