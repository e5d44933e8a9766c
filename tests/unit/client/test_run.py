"""What ends a run, and what then becomes of its job."""

from typing import Any

import pytest
from tests.support.in_process import Client
from tests.support.misbehaving import (
    ALWAYS,
    GONE,
    Endpoint,
    Fault,
    Html,
    Http,
    Json,
    Refusal,
    Reset,
    Right,
    Script,
    Text,
    WithJob,
    WithMembers,
    first,
    from_on,
)
from tests.support.misbehaving.faults import Answer, Times

from outhaul.client import (
    CallsSpentError,
    ClientError,
    Ending,
    Fate,
    Job,
    JobFailedError,
    OutOfTimeError,
)

REQUEST = {"fields": ["id"], "filter": {"staticListId": 1}}
LONG = Script(course=("Processing",) * 30 + ("Completed",))


class Stopped(BaseException):
    """What a handler of signals raises."""


def ending_of(endpoint: Endpoint, problem: type[BaseException], **more: Any) -> Ending:
    """Run a job that breaks off, and return what became of it."""
    endings: list[Ending] = []
    timeout = more.pop("timeout", None)
    with Client(endpoint, timeout=timeout) as client, pytest.raises(problem) as caught:
        client.exports.run(REQUEST, on_end=endings.append, **more)
    (ending,) = endings
    assert caught.value.__notes__ == [ending.text]
    assert ending.export_id == endpoint.jobs[0].id
    assert ending.export_id in ending.text
    return ending


PASSING: list[Answer] = [
    Http(403),
    Http(404),
    Http(302),
    Http(429),
    Http(500),
    Http(503),
    Html(),
    Reset(),
    Text(""),
    Text('{"requestId": "r", "succ'),
    Json([]),
    Json({"requestId": "r", "success": True}),
    Json({"success": True, "result": None}),
    Json({"success": True, "result": []}),
    Json({"success": True, "result": {}}),
    Json({"success": True, "result": [None]}),
    Json({"success": True, "result": 7}),
    Json({"success": True, "result": [{"exportId": "another", "status": "Completed"}]}),
    Json({"success": True, "result": [{"exportId": "another"}, {"exportId": "one"}]}),
    WithJob(status=GONE),
    WithJob(status=7),
    WithJob(exportId=GONE),
    WithMembers(success=GONE),
    WithMembers(success=None),
    Refusal("606"),
    Refusal("615"),
    Refusal(608),
    Refusal("611", GONE),
    Json({"success": False}),
    Json({"success": False, "errors": []}),
    Json({"success": False, "errors": {"code": "606"}}),
    Json({"success": False, "errors": ["606"]}),
    Refusal("601"),
    Refusal("602"),
]


@pytest.mark.parametrize("answer", PASSING)
@pytest.mark.parametrize("call", ["status", "enqueue"])
def test_an_odd_answer_about_a_job_is_waited_out(call: str, answer: Answer) -> None:
    endpoint = Endpoint(faults=[Fault(call, answer, times=first(2))])
    with Client(endpoint) as client:
        assert client.exports.run(REQUEST).records == 1000
    assert endpoint.states == ["Completed"]
    assert not endpoint.unused
    assert all(len(line) < 300 and line.isprintable() for line in client.notices)
    assert not any("<" in line for line in client.notices)


@pytest.mark.parametrize("state", ["Validating", "", None, "Queued", "Created", "Paused\x1b[2J"])
def test_a_state_that_is_unknown_or_goes_back_has_not_ended(state: str | None) -> None:
    seen: list[str] = []
    odd = Fault("status", WithJob(status=state), times=Times(2, 14))
    endpoint = Endpoint(script=LONG, faults=[odd])
    with Client(endpoint) as client:
        client.exports.run(REQUEST, lambda job: seen.append(str(job.status)))
    assert endpoint.states == ["Completed"]
    assert all(each.isprintable() for each in seen)
    assert endpoint.count("status") == 31


@pytest.mark.parametrize("problem", [KeyboardInterrupt, Stopped, MemoryError, OSError, ValueError])
@pytest.mark.parametrize("state", ["Created", "Queued", "Processing"])
def test_whatever_breaks_off_a_run_cancels_its_job(
    problem: type[BaseException], state: str
) -> None:
    def raise_at(job: Job) -> None:
        if job.status == state:
            raise problem

    endpoint = Endpoint(script=LONG)
    ending = ending_of(endpoint, problem, on_status=raise_at)
    assert ending.fate is Fate.CANCELLED
    assert endpoint.states == ["Cancelled"]


@pytest.mark.parametrize(
    "answer", [Http(502), Html(), Reset(), Refusal("1003"), Refusal("603"), Refusal("601")]
)
def test_an_error_that_lasts_cancels_the_job(answer: Answer) -> None:
    endpoint = Endpoint(script=LONG, faults=[Fault("status", answer, times=from_on(2))])
    ending = ending_of(endpoint, ClientError)
    assert ending.fate is Fate.CANCELLED
    assert endpoint.states == ["Cancelled"]


@pytest.mark.parametrize("answer", [Http(502), Reset(), Refusal("603"), Html(), Refusal("607")])
def test_a_job_that_cannot_be_cancelled_is_named_with_the_reason(answer: Answer) -> None:
    faults = [Fault("status", Refusal("1003")), Fault("cancel", answer, times=ALWAYS)]
    endpoint = Endpoint(script=LONG, faults=faults)
    ending = ending_of(endpoint, ClientError)
    assert ending.fate is Fate.LEFT
    assert "could not be cancelled: " in ending.text
    assert "still in the endpoint's queue" in ending.text
    assert len(endpoint.running) == 1


def test_a_cancel_is_not_tried_for_ever() -> None:
    faults = [Fault("status", Refusal("1003")), Fault("cancel", Http(502), times=ALWAYS)]
    with Client(Endpoint(script=LONG, faults=faults), attempts=1000) as client:
        with pytest.raises(ClientError):
            client.exports.run(REQUEST)
        assert client.time.seconds < 1000 + 15


def test_the_day_is_over_and_the_job_goes_on() -> None:
    endpoint = Endpoint(script=LONG, faults=[Fault("status", Refusal("607"), times=from_on(3))])
    ending = ending_of(endpoint, CallsSpentError)
    assert ending.fate is Fate.LEFT
    assert endpoint.states == ["Processing"]
    assert endpoint.count("cancel") == 0


def test_a_job_that_is_completed_meanwhile_is_not_lost() -> None:
    def complete(endpoint: Endpoint) -> None:
        endpoint.jobs[0].state = "Completed"

    faults = [Fault("status", Refusal("1003"), meanwhile=complete)]
    ending = ending_of(Endpoint(script=LONG, faults=faults), ClientError)
    assert ending.fate is Fate.COMPLETED
    assert "is Completed" in ending.text


def test_a_job_that_failed_meanwhile() -> None:
    def fail(endpoint: Endpoint) -> None:
        endpoint.jobs[0].state = "Failed"

    faults = [Fault("status", Refusal("1003"), meanwhile=fail)]
    ending = ending_of(Endpoint(script=LONG, faults=faults), ClientError)
    assert ending.fate is Fate.ENDED
    assert "is Failed" in ending.text


def test_an_error_at_a_completed_job_cancels_nothing() -> None:
    def raise_at(job: Job) -> None:
        if job.status == "Completed":
            raise OSError("no room")

    endpoint = Endpoint()
    assert ending_of(endpoint, OSError, on_status=raise_at).fate is Fate.COMPLETED
    assert endpoint.count("cancel") == 0


def test_a_job_that_ends_without_a_file_needs_no_ending() -> None:
    endpoint = Endpoint(script=Script(course=("Failed",), error="out of luck"))
    endings: list[Ending] = []
    with Client(endpoint) as client, pytest.raises(JobFailedError, match="out of luck"):
        client.exports.run(REQUEST, on_end=endings.append)
    assert (endings, endpoint.count("cancel")) == ([], 0)


def test_an_interrupt_of_the_cancel_ends_at_once() -> None:
    def interrupt(_endpoint: Endpoint) -> None:
        raise Stopped

    faults = [
        Fault("create", Reset()),
        Fault("status", Refusal("1003")),
        Fault("cancel", Http(502), times=ALWAYS, meanwhile=interrupt),
    ]
    endpoint = Endpoint(script=LONG, faults=faults)
    ending = ending_of(endpoint, ClientError)
    assert ending.fate is Fate.LEFT
    assert "interrupted again" in ending.text
    assert endpoint.count("cancel") == 1
    # The list is read after the lost answer, and not once more for doubles.
    assert endpoint.count("list") == 1


@pytest.mark.parametrize("state", ["Created", "Processing"])
def test_a_job_that_was_taken_up_is_left(state: str) -> None:
    endpoint = Endpoint(script=LONG)
    endpoint.add_job(state)

    def raise_at(job: Job) -> None:
        if job.status == "Processing":
            raise Stopped

    endings: list[Ending] = []
    with Client(endpoint) as client, pytest.raises(Stopped):
        client.exports.resume(endpoint.jobs[0].id, raise_at, on_end=endings.append)
    assert [ending.fate for ending in endings] == [Fate.LEFT]
    assert endpoint.states == ["Processing"]
    assert endpoint.count("cancel") == 0


def test_a_job_to_be_taken_up_that_is_none_is_given_up_at_once() -> None:
    endpoint = Endpoint()
    endings: list[Ending] = []
    with Client(endpoint) as client, pytest.raises(ClientError, match="not found"):
        client.exports.resume("none", on_end=endings.append)
    assert (endings, endpoint.count("status")) == ([], 1)


def test_a_run_out_of_time_cancels_its_job() -> None:
    endpoint = Endpoint(script=LONG)
    ending = ending_of(endpoint, OutOfTimeError, timeout=20)
    assert ending.fate is Fate.CANCELLED
    assert endpoint.states == ["Cancelled"]


@pytest.mark.parametrize("call", ["token", "create", "enqueue", "status"])
def test_no_pause_passes_the_limit(call: str) -> None:
    endpoint = Endpoint(faults=[Fault(call, Http(503), times=ALWAYS)])
    with Client(endpoint, attempts=1000, timeout=7) as client:
        with pytest.raises(OutOfTimeError, match=r"7 s; the last problem: .*503"):
            client.exports.run(REQUEST)
        assert client.time.seconds == pytest.approx(1007)


def test_a_new_job_in_a_state_of_its_own_is_enqueued() -> None:
    endpoint = Endpoint(faults=[Fault("create", WithJob(status="Draft"))])
    with Client(endpoint) as client:
        client.exports.run(REQUEST)
    assert endpoint.count("enqueue") == 1


def test_a_job_that_is_queued_already_is_followed() -> None:
    def enqueue(endpoint: Endpoint) -> None:
        endpoint.jobs[0].state = "Queued"

    endpoint = Endpoint(faults=[Fault("enqueue", Right(), meanwhile=enqueue)])
    with Client(endpoint) as client:
        client.exports.run(REQUEST)
    assert (endpoint.count("enqueue"), endpoint.states) == (1, ["Completed"])
