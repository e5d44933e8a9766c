"""Jobs are stepped by hand."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from tests.support.stand_in import Bench
from tests.support.waiting import wait_for

from outhaul.protocol.states import State


def test_jobs_go_on_by_themselves_unless_told_otherwise(bench: Bench) -> None:
    assert bench.control("GET", "/pace") == {"mode": "at_once"}
    job = bench.queued()
    wait_for(lambda: bench.state(job) is State.COMPLETED)


def test_a_job_is_stepped_through_its_states(bench: Bench) -> None:
    bench.by_hand()
    first, second = bench.queued(), bench.queued()
    assert bench.step(second, "Processing").json()["status"] == "Processing"
    assert (bench.state(first), bench.state(second)) == (State.QUEUED, State.PROCESSING)
    done = bench.step(second, "Completed").json()
    assert (done["status"], done["numberOfRecords"], done["kind"]) == (
        "Completed",
        200,
        "activities",
    )
    file = bench.call("GET", f"/activities/export/{second}/file.json")
    assert len(file.content) == done["fileSize"]
    assert bench.state(first) is State.QUEUED


def test_held_jobs_leave_threads_for_others(bench: Bench) -> None:
    limits = {"processing_jobs": None}
    assert bench.raw("PUT", "", json={"limits": limits}).json()["limits"] == limits
    bench.by_hand()
    held = [bench.queued() for _ in range(5)]
    for job in held:
        assert bench.step(job, "Processing").status_code == 200
    last = bench.queued()
    assert bench.step(last, "Processing").status_code == 200
    assert bench.step(last, "Completed").status_code == 200
    assert {bench.state(job) for job in held} == {State.PROCESSING}


def test_a_job_fails_with_a_message_and_is_cancelled_from_elsewhere(bench: Bench) -> None:
    bench.by_hand()
    failing, cancelled, never_queued = bench.queued(), bench.queued(), bench.created()
    bench.step(failing, "Processing")
    failed = bench.step(failing, "Failed", message="disk full").json()
    assert (failed["status"], failed["errorMsg"]) == ("Failed", "disk full")
    for job in (cancelled, never_queued):
        assert bench.step(job, "Cancelled").json()["status"] == "Cancelled"
        assert bench.state(job) is State.CANCELLED


def test_by_hand_no_more_lets_all_jobs_go_on(bench: Bench) -> None:
    bench.by_hand()
    held, waiting = bench.queued(), bench.queued()
    bench.step(held, "Processing")
    bench.control("PUT", "/pace", {"mode": "at_once"})
    wait_for(lambda: {bench.state(held), bench.state(waiting)} == {State.COMPLETED})


def test_steps_that_cannot_be_are_refused(bench: Bench) -> None:
    bench.by_hand()
    job = bench.queued()
    for to in ("Completed", "Failed"):
        status, message, parameter = bench.refused("POST", f"/jobs/{job}/step", json={"to": to})
        assert (status, parameter) == (409, "to")
        assert message == (
            f"export job {job} is Queued; only a job that is Processing can become {to}"
        )
    assert bench.step(bench.created(), "Processing").status_code == 409
    bench.step(job, "Cancelled")
    assert bench.step(job, "Cancelled").status_code == 409


def test_a_step_beyond_the_limit_is_refused_at_once(bench: Bench) -> None:
    bench.by_hand()
    jobs = [bench.queued() for _ in range(3)]
    assert [bench.step(job, "Processing").status_code for job in jobs] == [200, 200, 409]
    assert "processing_jobs" in bench.step(jobs[2], "Processing").json()["error"]
    bench.step(jobs[0], "Cancelled")
    assert bench.step(jobs[2], "Processing").status_code == 200


@pytest.mark.parametrize(
    ("body", "parameter"),
    [
        ({}, "to"),
        ({"to": "Queued"}, "to"),
        ({"to": 1}, "to"),
        ({"to": ["Processing"]}, "to"),
        ({"to": "Completed", "message": "x"}, "message"),
        ({"to": "Failed", "message": ""}, "message"),
        ({"to": "Failed", "state": "Failed"}, "state"),
        ({"to": "Completed", "wait_seconds": 0}, "wait_seconds"),
        ({"to": "Completed", "wait_seconds": 1e9}, "wait_seconds"),
    ],
)
def test_a_wrong_step_is_400_and_names_the_parameter(
    bench: Bench, body: dict[str, object], parameter: str
) -> None:
    status, _, named = bench.refused("POST", f"/jobs/{bench.created()}/step", json=body)
    assert (status, named) == (400, parameter)


def test_steps_that_race_end_in_one_state(bench: Bench) -> None:
    bench.by_hand()
    for _ in range(5):
        job = bench.queued()
        bench.step(job, "Processing")
        ends = ["Completed", "Failed", "Cancelled"]
        with ThreadPoolExecutor(3) as pool:
            answers = list(pool.map(lambda to: bench.step(job, to), ends))  # noqa: B023 - used within
        assert [answer.status_code for answer in answers].count(200) == 1
        assert {answer.status_code for answer in answers} == {200, 409}
        (done,) = [answer for answer in answers if answer.status_code == 200]
        assert bench.state(job) == done.json()["status"]


def test_jobs_of_other_subscriptions_are_not_stepped(bench: Bench) -> None:
    job = bench.queued()
    bench.at("PUT", "/_outhaul/subscriptions/other")
    bench.subscription = "other"
    assert bench.step(job, "Cancelled").status_code == 404
    assert bench.control("GET", "/jobs") == {"jobs": []}
