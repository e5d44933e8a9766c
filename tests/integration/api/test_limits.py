"""The limits of the design's table, but for those on calls: windows, queue, quota, keeping."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from tests.support.instance import (
    KINDS,
    WINDOW,
    Instance,
    Serve,
    only,
    refusal,
    result,
)

from outhaul.database.schema import export_job, subscription

QUEUE_FULL = ("1029", "Too many jobs in queue")
ONE_MEGABYTE = ("1029", "Export daily quota 1MB exceeded")


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def days(count: int, *, seconds: int = 0) -> dict[str, str]:
    """Return a window of so many days."""
    start = utc("2026-01-01T00:00:00")
    end = start + timedelta(days=count, seconds=seconds)
    return {"startAt": f"{start:%FT%TZ}", "endAt": f"{end:%FT%TZ}"}


def use_up(instance: Instance, megabytes: int, *, kind: str = "activities") -> None:
    """Finish a job, with a file that is said to be of this size."""
    job = instance.completed(kind)
    with instance.database.write() as connection:
        connection.execute(
            export_job.update()
            .where(export_job.c.id == job["exportId"])
            .values(file_size=megabytes * 1_000_000)
        )


# The window of a filter, and the number of values


@pytest.mark.parametrize(
    ("kind", "name"), [("leads", "createdAt"), ("leads", "updatedAt"), ("activities", "createdAt")]
)
class TestDateRange:
    def test_may_be_31_days(self, shared: Instance, kind: str, name: str) -> None:
        assert shared.created(kind, filter={name: days(31)})
        assert shared.created(kind, filter={name: days(0)})

    def test_may_not_be_a_second_longer(self, shared: Instance, kind: str, name: str) -> None:
        code, message = refusal(shared.create(kind, filter={name: days(31, seconds=1)}))
        assert code == "1003"
        assert f"filter.{name}" in message
        assert "2026-01-01T00:00:00Z to 2026-02-01T00:00:01Z" in message
        assert "31 days" in message

    def test_is_a_setting(self, serve: Serve, kind: str, name: str) -> None:
        instance = serve(date_range_days=2)
        assert instance.created(kind, filter={name: days(2)})
        code, message = refusal(instance.create(kind, filter={name: days(3)}))
        assert code == "1003"
        assert "2 days" in message


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("primaryAttributeValueIds", list(range(51))),
        ("primaryAttributeValues", [f"name {n}" for n in range(51)]),
    ],
)
def test_50_primary_attribute_values(shared: Instance, name: str, values: list[Any]) -> None:
    wanted = {"createdAt": WINDOW, "activityTypeIds": [13]}
    assert shared.created("activities", filter={**wanted, name: values[:50]})
    code, message = refusal(shared.create("activities", filter={**wanted, name: values}))
    assert code == "1003"
    assert f"filter.{name}" in message
    assert "51" in message
    assert "50" in message


# The queue


class TestQueue:
    def test_holds_10_jobs_of_all_kinds_and_users(self, instance: Instance) -> None:
        for _ in range(4):
            instance.queued("leads")
            instance.queued("activities", user="writer")
        instance.queued("leads", user="leads")
        first = instance.queued("activities")
        last = instance.created("leads")
        assert refusal(instance.enqueue(last)) == QUEUE_FULL
        assert only(instance.status(last))["status"] == "Created"
        instance.cancel(first, "activities")
        assert only(instance.enqueue(last))["status"] == "Queued"

    def test_counts_jobs_in_processing(self, serve: Serve) -> None:
        instance = serve(queued_jobs=1)
        first = instance.queued()
        assert instance.claim() == first
        assert refusal(instance.enqueue(instance.created())) == QUEUE_FULL

    def test_does_not_keep_anyone_from_creating(self, serve: Serve) -> None:
        instance = serve(queued_jobs=0)
        assert refusal(instance.enqueue(instance.created())) == QUEUE_FULL

    def test_goes_on_when_a_job_is_done(self, serve: Serve) -> None:
        instance = serve(queued_jobs=1)
        instance.completed()
        assert only(instance.enqueue(instance.created()))["status"] == "Queued"

    @pytest.mark.parametrize("state", ["Queued", "Processing", "Completed"])
    def test_takes_a_job_once(self, instance: Instance, state: str) -> None:
        if state == "Completed":
            export_id = str(instance.completed()["exportId"])
        else:
            export_id = instance.queued()
            assert state == "Queued" or instance.claim() == export_id
        assert only(instance.status(export_id))["status"] == state
        assert refusal(instance.enqueue(export_id)) == ("1029", "Job already queued")

    def test_does_not_take_a_cancelled_job(self, instance: Instance) -> None:
        export_id = instance.created()
        instance.cancel(export_id)
        code, message = refusal(instance.enqueue(export_id))
        assert code == "1003"
        assert export_id in message
        assert "Cancelled" in message

    def test_lets_2_jobs_be_processed(self, instance: Instance) -> None:
        ids = [instance.queued(kind) for kind in (*KINDS, *KINDS)]
        taken = [instance.claim() for _ in ids]
        assert set(taken[:2]) < set(ids)
        assert taken[2:] == [None, None]
        states = [instance.status(n, kind) for n, kind in zip(ids, (*KINDS, *KINDS), strict=True)]
        assert sorted(only(state)["status"] for state in states) == [
            *("Processing", "Processing"),
            *("Queued", "Queued"),
        ]
        first = next(kind for n, kind in zip(ids, (*KINDS, *KINDS), strict=True) if n == taken[0])
        instance.cancel(str(taken[0]), first)
        assert instance.claim() in ids


# The quota of a day


class TestDailyQuota:
    def test_is_500_megabytes(self, instance: Instance) -> None:
        waiting = instance.created()
        use_up(instance, 499)
        assert instance.created()
        use_up(instance, 1)
        full = ("1029", "Export daily quota 500MB exceeded")
        assert refusal(instance.create()) == full
        assert refusal(instance.create("activities", user="writer")) == full
        assert refusal(instance.enqueue(waiting)) == full
        assert only(instance.status(waiting))["status"] == "Created"

    def test_is_of_what_was_really_exported(self, serve: Serve) -> None:
        instance = serve(daily_export_mb=1)
        waiting = instance.created()
        size = 0
        while size < 1_000_000:
            size += instance.completed("activities")["fileSize"]
        assert refusal(instance.create()) == ONE_MEGABYTE
        assert refusal(instance.enqueue(waiting)) == ONE_MEGABYTE

    def test_does_not_stop_what_is_queued(self, serve: Serve) -> None:
        instance = serve(daily_export_mb=1)
        waiting = instance.queued()
        use_up(instance, 1)
        assert refusal(instance.create()) == ONE_MEGABYTE
        instance.work(waiting, "leads")
        assert only(instance.status(waiting))["status"] == "Completed"
        assert instance.file(waiting).status_code == 200

    @pytest.mark.parametrize(
        ("done", "last", "free"),
        [
            pytest.param(
                *("2026-01-20T06:00:00", "2026-01-21T05:59:59.999999", "2026-01-21T06:00:00"),
                id="in winter",
            ),
            pytest.param(
                *("2026-07-20T05:00:00", "2026-07-21T04:59:59.999999", "2026-07-21T05:00:00"),
                id="in summer",
            ),
            pytest.param(
                *("2026-03-08T06:00:00", "2026-03-09T04:59:59.999999", "2026-03-09T05:00:00"),
                id="of 23 hours",
            ),
            pytest.param(
                *("2026-11-01T05:00:00", "2026-11-02T05:59:59.999999", "2026-11-02T06:00:00"),
                id="of 25 hours",
            ),
        ],
    )
    def test_is_of_a_day_in_chicago(self, serve: Serve, done: str, last: str, free: str) -> None:
        instance = serve(daily_export_mb=1)
        instance.clock.moment = utc(done) - timedelta(seconds=1)
        before = instance.created()
        use_up(instance, 1)  # this is of the day before
        instance.clock.moment = utc(done)
        use_up(instance, 1)
        assert refusal(instance.enqueue(before)) == ONE_MEGABYTE
        instance.clock.moment = utc(last)
        assert refusal(instance.create()) == ONE_MEGABYTE
        assert refusal(instance.enqueue(before)) == ONE_MEGABYTE
        instance.clock.moment = utc(free)
        assert instance.created()
        assert only(instance.enqueue(before))["status"] == "Queued"

    def test_can_be_another_for_one_subscription(self, instance: Instance) -> None:
        with instance.database.write() as connection:
            connection.execute(
                sa.update(subscription)
                .where(subscription.c.name == "default")
                .values(limit_overrides={"daily_export_mb": 1})
            )
        use_up(instance, 1)
        assert refusal(instance.create()) == ONE_MEGABYTE


def test_open_limits_have_no_quotas(serve: Serve) -> None:
    instance = serve(limits="open")
    use_up(instance, 10_000)
    ids = [instance.queued() for _ in range(12)]
    assert {instance.claim() for _ in ids} == set(ids)


# How long things are kept


def test_a_file_is_kept_for_7_days(instance: Instance) -> None:
    export_id = instance.completed()["exportId"]
    instance.clock.advance(days=7, seconds=-1)
    assert instance.file(export_id).status_code == 200
    instance.clock.advance(seconds=1)
    gone = instance.file(export_id)
    assert gone.status_code == 404
    assert gone.headers["Content-Type"].startswith("text/plain")
    assert only(instance.status(export_id))["status"] == "Completed"


class TestJobList:
    def test_goes_7_days_back(self, instance: Instance) -> None:
        first = instance.created()
        instance.clock.advance(days=7)
        second = instance.created()
        assert [job["exportId"] for job in result(instance.jobs())] == [first, second]
        instance.clock.advance(seconds=1)
        assert [job["exportId"] for job in result(instance.jobs())] == [second]

    def test_has_300_jobs_a_page(self, instance: Instance) -> None:
        ids = []
        for _ in range(301):
            ids.append(instance.created())
            instance.clock.advance(milliseconds=1)
        for asked in ({}, {"batchSize": "300"}, {"batchSize": "301"}, {"batchSize": "999999999"}):
            page = instance.jobs(params=asked)
            assert [job["exportId"] for job in result(page)] == ids[:300]
            token = page.json()["nextPageToken"]
            last = instance.jobs(params={**asked, "nextPageToken": token})
            assert [job["exportId"] for job in result(last)] == ids[300:]
            assert "nextPageToken" not in last.json()

    def test_of_one_kind_and_one_user(self, instance: Instance) -> None:
        mine = instance.created("leads")
        instance.created("activities")
        instance.created("leads", user="writer")
        assert [job["exportId"] for job in result(instance.jobs("leads"))] == [mine]


class TestStatus:
    @pytest.mark.parametrize("state", ["Completed", "Cancelled"])
    def test_is_kept_for_30_days_after_the_end(self, instance: Instance, state: str) -> None:
        export_id = instance.created()
        instance.clock.advance(days=20)
        if state == "Completed":
            instance.enqueue(export_id)
            instance.work(export_id, "leads")
        else:
            instance.cancel(export_id)
        instance.clock.advance(days=30)
        assert only(instance.status(export_id))["status"] == state
        instance.clock.advance(seconds=1)
        unknown = ("1003", f"Export job '{export_id}' not found")
        assert refusal(instance.status(export_id)) == unknown
        assert refusal(instance.cancel(export_id)) == unknown
        assert refusal(instance.enqueue(export_id)) == unknown
        assert instance.file(export_id).status_code == 404

    def test_of_a_job_that_has_not_ended_is_kept(self, instance: Instance) -> None:
        created, queued = instance.created(), instance.queued()
        instance.clock.advance(days=1000)
        assert only(instance.status(created))["status"] == "Created"
        assert only(instance.status(queued))["status"] == "Queued"

    def test_is_not_listed_longer_than_it_is_kept(self, serve: Serve) -> None:
        instance = serve(status_days=1)
        export_id = instance.created()
        instance.cancel(export_id)
        instance.clock.advance(days=1)
        assert only(instance.jobs())["exportId"] == export_id
        instance.clock.advance(seconds=1)
        assert result(instance.jobs()) == []

    def test_of_a_job_can_be_forgotten_at_once(self, serve: Serve) -> None:
        instance = serve(status_days=0)
        export_id = instance.created()
        assert only(instance.cancel(export_id))["status"] == "Cancelled"
        instance.clock.advance(seconds=1)
        assert refusal(instance.status(export_id))[0] == "1003"
