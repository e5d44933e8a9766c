"""Everything follows the clock of a subscription: the app and a worker, on both databases."""

import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from tests.support.instance import NOW, Instance, Serve, only, refusal, result
from tests.support.waiting import wait_for

from outhaul.accounts.clocks import REAL, advance_clock, clock_of, reset_clock, set_clock
from outhaul.accounts.services import create_service
from outhaul.accounts.subscriptions import create_subscription
from outhaul.database.schema import export_job, export_part, token, usage
from outhaul.janitor import Janitor
from outhaul.jobs.queue import Queue
from outhaul.protocol.instants import parse_instant, render_instant
from outhaul.storage.opening import open_files

DAY = timedelta(days=1)
SECOND = timedelta(seconds=1)
FUTURE = datetime(2044, 2, 29, 12, tzinfo=UTC)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


def advance(instance: Instance, by: timedelta, name: str = "default") -> None:
    """Advance the clock of a subscription; the access tokens that the test has may expire."""
    advance_clock(instance.database, name, by, real=instance.clock())
    instance._tokens.clear()


def set_to(instance: Instance, moment: datetime, *, frozen: bool, name: str = "default") -> None:
    set_clock(instance.database, name, moment, frozen=frozen, real=instance.clock())
    instance._tokens.clear()


def clean_up(instance: Instance) -> set[str]:
    """Have the janitor do a round; return the jobs of which there are files."""
    files = open_files(instance.settings)
    Janitor(instance.settings, instance.database, files, instance.clock).round()
    left = {stored.key.partition("/")[0] for stored in files.list()}
    files.close()
    return left


def statuses(instance: Instance) -> list[str]:
    return [job["exportId"] for job in result(instance.jobs())]


def test_four_weeks_pass_at_once(instance: Instance) -> None:
    job = instance.completed()["exportId"]
    assert statuses(instance) == [job]
    text = instance.token("etl")
    bearer = {"Authorization": f"Bearer {text}"}
    advance(instance, timedelta(hours=1) - SECOND)
    assert result(instance.jobs(user=None, headers=bearer))
    advance(instance, SECOND)
    assert refusal(instance.jobs(user=None, headers=bearer)) == ("602", "Access token expired")
    advance(instance, 7 * DAY - timedelta(hours=1) - SECOND)
    assert instance.file(job).status_code == 200
    assert clean_up(instance) == {job}
    assert statuses(instance) == [job]
    advance(instance, SECOND)
    assert instance.file(job).status_code == 404
    assert clean_up(instance) == set()
    assert statuses(instance) == [job], "the seven days of the list end later"
    advance(instance, SECOND)
    assert statuses(instance) == []
    advance(instance, 21 * DAY)
    assert only(instance.status(job))["status"] == "Completed"
    another = only(instance.create())
    assert another["createdAt"] == render_instant(NOW + 28 * DAY + SECOND)
    advance(instance, 2 * DAY)
    assert refusal(instance.status(job))[0] == "1003"
    clean_up(instance)
    with instance.database.read() as connection:
        assert connection.execute(sa.select(export_job.c.id)).scalars().all() == [
            another["exportId"]
        ]
        assert connection.execute(sa.select(export_part)).all() == []
        assert all(row.expires_at > NOW + 28 * DAY for row in connection.execute(sa.select(token)))
        days = set(connection.execute(sa.select(usage.c.day)).scalars())
    assert all(day >= (NOW + 21 * DAY).date() for day in days)


@pytest.mark.parametrize(
    ("begin", "hours"), [("2026-03-08T06:00:00Z", 23), ("2026-11-01T05:00:00Z", 25)]
)
def test_the_quota_day_has_its_daylight_saving(serve: Serve, begin: str, hours: int) -> None:
    instance = serve(calls_per_day=None)
    set_to(instance, parse_instant(begin), frozen=True)
    job = instance.completed()["exportId"]
    with instance.database.write() as connection:
        connection.execute(
            export_job.update().where(export_job.c.id == job).values(file_size=500_000_000)
        )
    assert refusal(instance.create())[0] == "1029"
    advance(instance, timedelta(hours=hours) - SECOND)
    assert refusal(instance.create())[0] == "1029"
    (today,) = result(instance.get("/rest/v1/stats/usage.json"))
    assert today["date"] == begin[:10]
    advance(instance, SECOND)
    only(instance.create())
    (today,) = result(instance.get("/rest/v1/stats/usage.json"))
    assert today["date"] == (parse_instant(begin) + DAY).date().isoformat()


def test_calls_of_a_day_and_of_20_seconds(serve: Serve) -> None:
    instance = serve(calls_in_20_seconds=2, calls_per_day=3)
    set_to(instance, FUTURE, frozen=True)
    for _ in range(2):
        instance.jobs()
    assert refusal(instance.jobs())[0] == "606"
    advance(instance, timedelta(seconds=20))
    instance.jobs()
    assert refusal(instance.jobs())[0] == "607"
    advance(instance, DAY)
    assert statuses(instance) == []
    set_to(instance, FUTURE, frozen=True)
    instance.clock.advance(seconds=20)
    assert refusal(instance.jobs())[0] == "607", "the day has its calls still"
    advance(instance, 2 * DAY)
    assert statuses(instance) == []


def test_limits_in_force_follow(instance: Instance) -> None:
    def leads() -> object:
        (limits,) = result(instance.get("/rest/v1/stats/limits.json"))
        return limits["listIdLeads"]

    assert leads() is None
    set_to(instance, datetime(2026, 12, 30, 6, tzinfo=UTC), frozen=False)
    assert leads() == 10_000
    reset_clock(instance.database, "default")
    instance._tokens.clear()
    assert leads() is None


def test_two_subscriptions_do_not_affect_each_other(instance: Instance) -> None:
    create_subscription(instance.database, "emea", NOW)
    made = create_service(
        instance.database,
        "emea",
        email="etl@example.com",
        permissions=["Read-Only Lead"],
        moment=NOW,
        subscription_name="emea",
    )
    instance.credentials = {**instance.credentials, "emea": made}
    set_to(instance, FUTURE, frozen=True, name="emea")
    here, there = only(instance.create()), only(instance.create(user="emea"))
    assert here["createdAt"] == render_instant(NOW)
    assert there["createdAt"] == render_instant(FUTURE)
    instance.clock.advance(days=6)
    advance(instance, 8 * DAY, "emea")
    clean_up(instance)
    assert [job["exportId"] for job in result(instance.jobs())] == [here["exportId"]]
    assert result(instance.jobs(user="emea")) == []
    assert clock_of(instance.database, "default") == REAL


@pytest.mark.parametrize("year", [101, 1582, 1883, 1969, 9899])
def test_centuries_do_no_harm(serve: Serve, year: int) -> None:
    """Every answer is held against the protocol and is no 500; see `Instance`."""
    instance = serve(
        file_days=36_500, status_days=36_500, list_days=36_500, token_seconds=2**31 - 1
    )
    before = instance.queued()
    set_to(instance, datetime(year, 12, 31, tzinfo=UTC), frozen=year % 2 == 0)
    job = instance.completed()["exportId"]
    assert only(instance.status(before))["status"] in {"Queued", "Processing", "Completed"}
    for path in ("usage", "usage/last7days", "errors", "errors/last7days", "limits"):
        assert result(instance.get(f"/rest/v1/stats/{path}.json"))
    instance.completed("activities")
    clean_up(instance)
    reset_clock(instance.database, "default")
    assert instance.client.get("/healthz").status_code == 200
    instance._tokens.clear()
    assert instance.ask_token("etl").json()["expires_in"] <= 2**31 - 1
    for call in (instance.status, instance.file, instance.enqueue, instance.cancel):
        call(job)
    instance.jobs()
    clean_up(instance)


def test_a_status_is_refreshed_once_a_minute(serve: Serve) -> None:
    instance = serve(status_seconds=60)
    set_to(instance, FUTURE, frozen=True)
    job = instance.queued()
    assert instance.claim() == job
    assert only(instance.status(job))["status"] == "Queued"
    advance(instance, timedelta(seconds=59))
    assert "startedAt" not in only(instance.status(job))
    advance(instance, SECOND)
    assert only(instance.status(job))["status"] == "Processing"
    Queue(instance.database, instance.settings, "stuck").fail(job, "why", instance.clock())
    shown = only(instance.status(job))
    assert (shown["status"], shown.get("errorMsg")) == ("Processing", None)
    advance(instance, timedelta(seconds=60))
    assert only(instance.status(job))["errorMsg"] == "why"


def test_jobs_of_a_frozen_clock_are_in_order(instance: Instance) -> None:
    set_to(instance, FUTURE, frozen=True)
    made = [instance.queued() for _ in range(8)]
    assert statuses(instance) == made
    assert [instance.claim(), instance.claim()] == made[:2]


def test_times_of_a_job_do_not_go_back_with_the_clock(instance: Instance) -> None:
    first, second = instance.queued(), instance.created()
    set_to(instance, NOW - 400 * DAY, frozen=True)
    for job in (only(instance.cancel(first)), only(instance.enqueue(second))):
        assert job.get("finishedAt", job["queuedAt"]) == job["createdAt"] == render_instant(NOW)


def test_leases_are_in_real_time(instance: Instance) -> None:
    job = instance.queued()
    set_to(instance, FUTURE, frozen=True)
    assert instance.claim() == job
    advance(instance, 100 * DAY)
    assert instance.claim() is None, "an advance does not end the lease"
    real = instance.clock() + timedelta(seconds=instance.settings.lease_seconds)
    taken = Queue(instance.database, instance.settings, "other").claim(real)
    assert taken is not None
    assert taken.id == job
    assert taken.started_at == FUTURE


def test_a_worker_in_another_process_follows(instance: Instance) -> None:
    set_to(instance, FUTURE, frozen=True)
    job = instance.queued()
    command = [sys.executable, "-m", "outhaul", "worker"]
    command += ["--data", str(instance.settings.data)]
    command += ["--database-url", str(instance.settings.database_url)]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as worker:
        try:
            wait_for(lambda: only(instance.status(job))["status"] == "Completed")
        finally:
            worker.terminate()
    done = only(instance.status(job))
    assert done["startedAt"] == done["finishedAt"] == render_instant(FUTURE)
