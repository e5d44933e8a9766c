"""The day's quota is planned: nothing is refused, and the end is foreseen."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.support.instance import NOW, Clock
from tests.support.mirroring import Endpoint, Side, assert_same, copied, mirror
from tests.support.template import Template

from outhaul.client import Forecast
from outhaul.mirror.watch import MirrorWatch

YEARS = 3
DAYS = 150
"""Days with activities: a table has a file for each."""
MEGABYTE = 1_000_000


def spread(count: int) -> Iterable[dict[str, Any]]:
    """Yield activities of some days of three years."""
    for n in range(count):
        moment = NOW - timedelta(days=n % DAYS * 365 * YEARS / DAYS, seconds=n)
        yield {
            "marketoGUID": f"{n:08}",
            "leadId": 1001 + n % 300,
            "activityDate": moment.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "activityTypeId": (1, 2, 12, 13, 104)[n % 5],
            "attributes": {"Webpage URL": "/a-page-with-a-name-of-some-length" * 4},
        }


class Forecasts(MirrorWatch):
    """The forecasts after the first day, whose records tell of the others."""

    def __init__(self) -> None:
        self.waited = False
        self.known: list[Forecast] = []

    def waiting(self, until: datetime, why: str) -> None:  # noqa: ARG002 - as declared
        self.waited = True

    def planned(self, forecast: Forecast) -> None:
        if self.waited and forecast.done_at is not None:
            self.known.append(forecast)


@pytest.fixture
def original(template: Template, tmp_path: Path, clock: Clock) -> Iterable[Side]:
    side = copied(template, tmp_path / "a", clock, daily_export_mb=1)
    side.load("activities", spread(7_000))
    yield side
    side.database.close()


def test_three_years_come_over_days_without_a_refusal(endpoint: Endpoint, copy: Side) -> None:
    begun = endpoint.clock()
    watch = Forecasts()
    summary = mirror(endpoint, copy, watch, wait=True)
    assert (summary.outcome, summary.errors) == ("complete", [])
    assert [code for _, _, code in endpoint.seen if code] == []
    assert endpoint.clock() - begun > timedelta(days=1)
    done = watch.known[0].done_at
    assert done is not None
    assert abs(done - endpoint.clock()) <= timedelta(days=1)


def test_without_waiting_a_run_ends_with_the_quota_and_the_next_day_goes_on(
    endpoint: Endpoint, copy: Side
) -> None:
    runs = 0
    while (summary := mirror(endpoint, copy)).outcome == "quota":
        runs += 1
        assert runs < 20
        assert summary.until is not None
        endpoint.clock.moment = datetime.fromisoformat(summary.until).astimezone(UTC)
    assert summary.outcome == "complete"
    assert runs > 1
    assert [code for _, _, code in endpoint.seen if code] == []
    endpoint.clock.advance(days=1)
    assert_same(endpoint, copy)


def test_another_quota_can_be_planned_with(endpoint: Endpoint, copy: Side) -> None:
    summary = mirror(endpoint, copy, is_quota_told=False, daily_bytes=MEGABYTE // 4)
    assert summary.outcome == "quota"
    assert sum(each.bytes or 0 for each in summary.loads.values()) <= MEGABYTE // 2
