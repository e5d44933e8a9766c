"""Many tasks at once: what is begun when, and what is told."""

import pytest
from tests.support.flights import fly, tasks
from tests.support.simulated import Simulated

from outhaul.client import QuotaSpentError


def test_all_tasks_land_and_the_queue_is_used() -> None:
    endpoint = Simulated()
    landed = fly(endpoint, tasks(30))
    assert sorted(each.task.key for each in landed) == list(range(30))
    assert all(each.job and each.error is None and each.path for each in landed)
    assert "1029" not in endpoint.codes()
    assert endpoint.count("status") == 0  # the lists tell the states
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
    assert [task.key for task in caught.value.left] == list(range(4, 20))
    assert "1029" not in endpoint.codes()
    assert endpoint.open() == []
