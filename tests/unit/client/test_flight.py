"""Many tasks at once: what is begun when, and what becomes of each."""

from collections.abc import Sequence
from typing import Any

import pytest
from tests.support.simulated import Simulated

from outhaul.client import Flight, Landed, Quota, QuotaSpentError, Task

MB = 1_000_000


def tasks(count: int, *, size: int = 10 * MB, family: str = "leads", **more: Any) -> list[Task]:
    return [
        Task(
            kind_path="leads",
            request={"size": size, "number": number, **more},
            name=f"leads {number}",
            family=family,
            key=number,
        )
        for number in range(count)
    ]


def fly(endpoint: Simulated, todo: Sequence[Task], **more: Any) -> list[Landed]:
    """Run tasks and return what became of them."""
    limit = None if endpoint.quota_mb is None else endpoint.quota_mb * MB
    with endpoint.session() as session:
        quota = Quota(session, ["leads"], more.pop("daily_bytes", limit))
        with Flight(session, quota=quota, **more) as flight:
            return list(flight.landed(todo))


def test_all_tasks_land_and_the_queue_is_used() -> None:
    endpoint = Simulated()
    landed = fly(endpoint, tasks(30))
    assert sorted(each.task.key for each in landed) == list(range(30))
    assert all(each.job and each.error is None and each.path for each in landed)
    assert "1029" not in endpoint.codes()
    # The first is alone; then two are always processed at a time.
    assert endpoint.passed < 60 * 17


def test_the_quota_is_not_exceeded_and_the_next_day_is_waited_for() -> None:
    endpoint = Simulated(quota_mb=50)
    landed = fly(endpoint, tasks(20), wait=True)
    assert sorted(each.task.key for each in landed) == list(range(20))
    assert "1029" not in endpoint.codes()
    days = {job.finished_at.date() for job in endpoint.jobs if job.finished_at}
    assert len(days) == 5


def test_without_waiting_the_tasks_that_are_left_are_told() -> None:
    endpoint = Simulated(quota_mb=50)
    with pytest.raises(QuotaSpentError, match="16 jobs left") as caught:
        fly(endpoint, tasks(20))
    assert [task.key for task in caught.value.left] == list(range(4, 20))  # type: ignore[attr-defined]
    assert "1029" not in endpoint.codes()
    assert endpoint.open() == []
