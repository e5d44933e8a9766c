"""What goes wrong during a flight: refusals, jobs that end badly, faults, interrupts."""

from collections.abc import Sequence

import httpx2
import pytest
from tests.support.flights import MB, Notes, fly, tasks
from tests.support.simulated import Simulated, SimulatedJob

from outhaul.client import (
    CallsSpentError,
    ClientError,
    Fate,
    Flight,
    JobFailedError,
    OutOfTimeError,
    Pace,
    QueueFullError,
    Quota,
    QuotaSpentError,
)


def refusal(code: str, message: str = "no") -> httpx2.Response:
    errors = [{"code": code, "message": message}]
    return httpx2.Response(200, json={"requestId": "r", "success": False, "errors": errors})


def faults(endpoint: Simulated, name: str, answer: httpx2.Response, first: int, last: int) -> None:
    """Let the calls of a name with these numbers fail."""
    before = endpoint.fault

    def fault(call: str, nth: int) -> httpx2.Response | None:
        return answer if call == name and first <= nth <= last else before(call, nth)

    endpoint.fault = fault


# What becomes of one task


@pytest.mark.parametrize("ends", ["Failed", "Cancelled"])
def test_a_job_without_a_file_stops_no_other(ends: str) -> None:
    endpoint = Simulated()
    todo = [*tasks(2), *tasks(1, ends=ends, family="other"), *tasks(2)]
    landed = fly(endpoint, todo)
    assert len(landed) == 5
    (bad,) = [each for each in landed if each.error]
    assert isinstance(bad.error, JobFailedError)
    assert (bad.error.state, bad.path) == (ends, "")
    assert bad.task.family == "other"


@pytest.mark.parametrize("code", ["1003", "1035", "603", "1006", "611", "713"])
@pytest.mark.parametrize("call", ["create", "enqueue"])
def test_a_task_that_is_refused_stops_no_other(call: str, code: str) -> None:
    endpoint = Simulated()
    faults(endpoint, call, refusal(code), 2, 5 if code in ("611", "713") else 2)
    notes = Notes()
    landed = fly(endpoint, tasks(5), watch=notes)
    (bad,) = [each for each in landed if each.error]
    assert code in str(bad.error)
    assert sorted(each.task.key for each in landed) == list(range(5))
    assert endpoint.open() == []
    if call == "enqueue":
        assert [ending.fate for ending in notes.endings] == [Fate.CANCELLED]


def test_errors_of_all_tasks_end_the_flight() -> None:
    endpoint = Simulated()
    faults(endpoint, "create", refusal("611"), 2, 10**6)
    with pytest.raises(ClientError, match="611"):
        fly(endpoint, tasks(50))
    assert endpoint.count("create") == 1 + 3 * 4
    assert endpoint.open() == []


def test_a_job_that_vanishes_is_told() -> None:
    endpoint = Simulated()

    def vanish(name: str, nth: int) -> None:
        if (name, nth) == ("enqueue", 3):
            del endpoint.jobs[-1]

    endpoint.after = vanish
    landed = fly(endpoint, tasks(5))
    (bad,) = [each for each in landed if each.error]
    assert "1003" in str(bad.error)
    assert bad.job is not None
    assert len(landed) == 5


def test_a_job_that_others_cancel_is_told() -> None:
    endpoint = Simulated()

    def cancel(name: str, nth: int) -> None:
        if (name, nth) == ("enqueue", 3):
            endpoint.jobs[2].state = "Cancelled"

    endpoint.after = cancel
    landed = fly(endpoint, tasks(5))
    (bad,) = [each for each in landed if each.error]
    assert isinstance(bad.error, JobFailedError)


def test_a_state_that_is_unknown_has_not_ended() -> None:
    endpoint = Simulated()

    def validate(job: SimulatedJob) -> None:
        if len(endpoint.jobs) == 3:
            endpoint.at(endpoint.now(), lambda: setattr(job, "state", "Validating"))
            endpoint.later(300, lambda: setattr(job, "state", "Completed"))

    endpoint.queued = validate
    landed = fly(endpoint, tasks(4))
    assert [each.error for each in landed] == [None] * 4
    assert endpoint.passed >= 300


# The queue


def test_the_jobs_of_others_take_room_in_the_queue() -> None:
    endpoint = Simulated(queue_limit=4, lanes=4)
    for _ in range(3):
        endpoint.add("Queued", seconds=1_000)
    assert len(fly(endpoint, tasks(6), at_once=4)) == 6
    assert "1029" not in endpoint.codes()


def test_a_queue_that_unseen_jobs_fill_is_waited_for() -> None:
    endpoint = Simulated(queue_limit=3, lanes=3)
    for _ in range(3):
        endpoint.add("Queued", user="another", seconds=1_000)
    landed = fly(endpoint, tasks(6), at_once=3)
    assert len(landed) == 6
    assert len(endpoint.jobs) == 9  # none was created twice
    assert endpoint.codes() == {"ok", "1029"}


@pytest.mark.parametrize("user", ["me", "another"])
def test_a_queue_that_stays_full_is_given_up(user: str) -> None:
    endpoint = Simulated(queue_limit=2)
    for _ in range(2):
        endpoint.add("Queued", user=user, seconds=10**7)
    with pytest.raises(QueueFullError):
        fly(endpoint, tasks(3), at_once=2, pace=Pace(queue_wait=600))
    assert 600 <= endpoint.passed < 700
    assert [job.state for job in endpoint.jobs[2:]] == ["Cancelled"]


# The quota


def test_a_quota_of_nothing_is_not_waited_for() -> None:
    endpoint = Simulated(quota_mb=0)
    with pytest.raises(QuotaSpentError, match="3 jobs left"):
        fly(endpoint, tasks(3), wait=True)
    assert endpoint.count("create") == 0


@pytest.mark.parametrize("assumed", [500 * MB, None, 20 * MB])
def test_the_endpoint_knows_its_quota_better(assumed: int | None) -> None:
    endpoint = Simulated(quota_mb=50)
    endpoint.add("Completed", user="another", size=50 * MB)
    landed = fly(endpoint, tasks(5), daily_bytes=assumed, wait=True)
    assert len(landed) == 5
    # It is refused once, and waits for the next day.
    assert sum(code == "1029" for _, _, code in endpoint.journal) == 1


def test_others_spend_the_quota_meanwhile() -> None:
    endpoint = Simulated(quota_mb=100)

    def spend(name: str, nth: int) -> None:
        if (name, nth) == ("create", 3):
            endpoint.add("Completed", user="another", size=100 * MB)

    endpoint.after = spend
    landed = fly(endpoint, tasks(5), wait=True)
    assert sorted(each.task.key for each in landed) == list(range(5))
    # The job that was in Created is put in the queue on the next day.
    assert len(endpoint.jobs) == 6
    assert sum(code == "1029" for _, _, code in endpoint.journal) == 1


def test_a_refusal_just_after_midnight_is_not_of_the_whole_day() -> None:
    endpoint = Simulated(quota_mb=50)
    midnight = 12 * 3600.0
    refused = refusal("1029", "Export daily quota 50MB exceeded")

    def late(name: str, _nth: int) -> httpx2.Response | None:
        """The day of the endpoint begins 20 minutes later than its clock says."""
        is_late = midnight <= endpoint.passed < midnight + 1200
        return refused if name == "create" and is_late else None

    endpoint.fault = late
    assert len(fly(endpoint, tasks(6), wait=True)) == 6
    assert endpoint.passed < midnight + 7200


def test_tasks_larger_than_the_quota_have_days_of_their_own() -> None:
    endpoint = Simulated(quota_mb=50)
    todo = [*tasks(4, size=70 * MB, family="large"), *tasks(4, size=10 * MB, family="small")]
    landed = fly(endpoint, todo, wait=True)
    assert len(landed) == 8
    assert endpoint.codes() == {"ok"}
    days = [
        job.finished_at.date() for job in endpoint.jobs if job.size > 50 * MB and job.finished_at
    ]
    assert len(set(days)) == 4


def test_a_program_that_spends_a_share_of_every_day_cannot_starve_a_task() -> None:
    endpoint = Simulated(quota_mb=100)
    for day in range(30):
        endpoint.later(
            12 * 3600 + day * 86_400 + 1, lambda: endpoint.add("Completed", size=20 * MB)
        )
    todo = [*tasks(2, size=95 * MB, family="large"), *tasks(30, size=30 * MB, family="small")]
    landed = fly(endpoint, todo, wait=True)
    assert len(landed) == 32
    assert endpoint.passed < 20 * 86_400


def test_the_days_calls_are_waited_for() -> None:
    endpoint = Simulated()
    faults(endpoint, "enqueue", refusal("607", "Daily quota reached"), 3, 3)
    faults(endpoint, "list", refusal("607", "Daily quota reached"), 5, 6)
    notes = Notes()
    landed = fly(endpoint, tasks(5), wait=True, watch=notes)
    assert [each.error for each in landed] == [None] * 5
    assert len(endpoint.jobs) == 5
    assert [why for _, why in notes.waits] == ["the day's calls are spent"]


def test_without_waiting_spent_calls_leave_the_jobs() -> None:
    endpoint = Simulated()
    faults(endpoint, "enqueue", refusal("607", "Daily quota reached"), 4, 4)
    notes = Notes()
    with pytest.raises(CallsSpentError) as caught:
        fly(endpoint, tasks(5), watch=notes)
    assert endpoint.count("cancel") == 0
    assert {ending.fate for ending in notes.endings} == {Fate.LEFT}
    assert sorted(ending.export_id for ending in notes.endings) == sorted(
        job.id for job in endpoint.open()
    )
    assert caught.value.__notes__ == [ending.text for ending in notes.endings]


# The endpoint as a whole


@pytest.mark.parametrize("status", [502, 503, 404, 403])
def test_a_list_that_fails_for_a_while_is_waited_for(status: int) -> None:
    endpoint = Simulated()
    faults(endpoint, "list", httpx2.Response(status), 4, 6)
    assert [each.error for each in fly(endpoint, tasks(5))] == [None] * 5


def test_a_list_that_fails_for_good_ends_the_flight_and_its_jobs() -> None:
    endpoint = Simulated()
    faults(endpoint, "list", httpx2.Response(502), 4, 10**6)
    notes = Notes()
    with pytest.raises(ClientError, match="502") as caught:
        fly(endpoint, tasks(5), watch=notes)
    assert endpoint.open() == []
    assert {ending.fate for ending in notes.endings} == {Fate.CANCELLED}
    assert caught.value.__notes__ == [ending.text for ending in notes.endings]


def test_a_list_that_is_refused_is_done_without() -> None:
    endpoint = Simulated()
    faults(endpoint, "list", refusal("603", "Access denied"), 1, 10**6)
    assert [each.error for each in fly(endpoint, tasks(5))] == [None] * 5
    assert endpoint.count("list") == 1


def test_the_end_of_the_time_cancels_the_jobs() -> None:
    endpoint = Simulated()
    with pytest.raises(OutOfTimeError):
        fly(endpoint, tasks(30), limit=200)
    assert endpoint.open() == []


def test_a_flight_that_is_left_early_cancels_its_jobs() -> None:
    endpoint = Simulated()
    with (
        endpoint.session() as session,
        Flight(session, quota=Quota(session, ["leads"], None)) as flight,
    ):
        next(flight.landed(tasks(20)))
        assert endpoint.open()
    assert endpoint.open() == []


# Jobs of earlier runs


@pytest.mark.parametrize("state", ["Created", "Queued", "Completed"])
def test_a_job_of_an_earlier_run_is_taken_up(state: str) -> None:
    endpoint = Simulated()
    found = endpoint.add(state, size=MB)
    todo = [*tasks(2), *tasks(1, export_id=found.id, family="old")]
    landed = fly(endpoint, todo)
    assert [each.error for each in landed] == [None] * 3
    assert endpoint.count("create") == 2
    assert found.state == "Completed"


def test_a_job_to_be_taken_up_that_is_gone_is_told() -> None:
    endpoint = Simulated()
    landed = fly(endpoint, [*tasks(1, export_id="gone", family="old"), *tasks(2)])
    (bad,) = [each for each in landed if each.error]
    assert (bad.task.family, bad.job) == ("old", None)


def test_a_job_that_was_taken_up_is_left() -> None:
    endpoint = Simulated()
    found = endpoint.add("Queued", seconds=10**6)
    with pytest.raises(OutOfTimeError):
        fly(endpoint, tasks(1, export_id=found.id), limit=100)
    assert endpoint.open() == [found]


# Lost answers and interrupts


@pytest.mark.parametrize("effect", [False, True])
def test_a_lost_answer_to_create_leaves_no_double(effect: bool) -> None:
    endpoint = Simulated()
    lose(endpoint, "create", {2, 5}, effect=effect)
    landed = fly(endpoint, tasks(8))
    assert sorted(each.task.key for each in landed) == list(range(8))
    assert endpoint.open() == []
    assert len(endpoint.jobs) == 8 + 2 * effect


def lose(endpoint: Simulated, name: str, numbers: set[int], *, effect: bool) -> None:
    """Let the connection break at calls of a name, before or after their effect."""

    def broken(call: str, nth: int) -> None:
        if call == name and nth in numbers:
            raise httpx2.ReadError("broken off")

    if effect:
        endpoint.after = broken
    else:
        endpoint.fault = broken


class Stopped(BaseException):
    """What a handler of signals raises."""


@pytest.mark.parametrize("effect", [False, True])
def test_an_interrupt_at_any_call_leaves_nothing(effect: bool) -> None:
    """Each call of a flight is interrupted once, also those of a queue that was full."""
    calls = 0
    while True:
        calls += 1
        endpoint = Simulated(queue_limit=3)
        endpoint.add("Queued", user="another", seconds=100)
        raise_at(endpoint, calls, effect=effect)
        notes = Notes()
        try:
            fly(endpoint, tasks(5, seconds=20), at_once=3, watch=notes)
        except Stopped as stopped:
            told = " ".join(getattr(stopped, "__notes__", []))
        else:
            break
        left = endpoint.open("me")
        # With a full queue, a double may be the job of another run: it is told, not cancelled.
        assert all(job.state == "Created" for job in left), endpoint.journal[-5:]
        assert all(job.id in told + " ".join(notes.notices) for job in left)
        assert len(left) <= 1
    assert calls > 20


def raise_at(endpoint: Simulated, number: int, *, effect: bool) -> None:
    calls = 0

    def stop(_name: str, _nth: int) -> None:
        nonlocal calls
        calls += 1
        if calls == number:
            raise Stopped

    if effect:
        endpoint.after = stop
    else:
        endpoint.fault = stop


METHODS: Sequence[str] = ("created", "seen", "planned")


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("number", [1, 4, 9])
def test_an_exception_of_the_watch_ends_all_jobs(method: str, number: int) -> None:
    endpoint = Simulated()
    count = 0

    class Raising(Notes):
        pass

    def stop(*_arguments: object) -> None:
        nonlocal count
        count += 1
        if count == number:
            raise Stopped

    watch = Raising()
    setattr(watch, method, stop)
    with pytest.raises(Stopped):
        fly(endpoint, tasks(12), watch=watch)
    assert endpoint.open() == []


def test_a_second_interrupt_ends_at_once_and_tells_what_is_left() -> None:
    endpoint = Simulated()

    def stop(name: str, nth: int) -> None:
        if (name, nth) in (("enqueue", 6), ("cancel", 2)):
            raise Stopped

    endpoint.fault = stop
    notes = Notes()
    with pytest.raises(Stopped) as caught:
        fly(endpoint, tasks(12), watch=notes)
    assert endpoint.count("cancel") == 2
    left = {job.id for job in endpoint.open()}
    told = {ending.export_id for ending in notes.endings if ending.fate is Fate.LEFT}
    assert left == told
    assert all("interrupted again" in text for text in caught.value.__notes__[1:])


def test_an_endpoint_that_hangs_at_the_end_does_not_hold_the_program() -> None:
    endpoint = Simulated()

    def hang(name: str, nth: int) -> httpx2.Response | None:
        if name == "cancel":
            endpoint.sleep(60)
            raise httpx2.ReadTimeout("hangs")
        return httpx2.Response(502) if name == "list" and nth > 6 else None

    endpoint.fault = hang
    notes = Notes()
    with pytest.raises(ClientError):
        fly(endpoint, tasks(12), watch=notes)
    assert endpoint.count("cancel") == 1
    assert {ending.export_id for ending in notes.endings} == {job.id for job in endpoint.open()}
