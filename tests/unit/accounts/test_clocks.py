"""The clock of a subscription: what it shows, and what it refuses."""

import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outhaul.accounts.clocks import EARLIEST, LATEST, REAL, ClockError, SubscriptionClock

NOW = datetime(2026, 1, 20, 12, tzinfo=UTC)
MOMENTS = st.datetimes(
    EARLIEST.replace(tzinfo=None), LATEST.replace(tzinfo=None), timezones=st.just(UTC)
)
REAL_TIMES = st.datetimes(datetime(2020, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - Hypothesis adds the zone
DURATIONS = st.timedeltas(timedelta(), timedelta(days=40_000))


def test_real_time_is_stored_as_nothing() -> None:
    assert REAL.at(NOW) is NOW
    assert REAL.to_json() is None
    assert SubscriptionClock.from_json(None) is REAL
    assert REAL.is_real
    assert not REAL.is_frozen


@given(MOMENTS, REAL_TIMES, DURATIONS)
def test_a_running_clock_goes_on_and_a_frozen_one_stands(
    moment: datetime, real: datetime, passed: timedelta
) -> None:
    running = REAL.set_to(moment, real, frozen=False)
    assert running.at(real) == moment
    assert running.at(real + passed) == min(moment + passed, LATEST) or running.is_real
    assert running.at(real - passed) >= min(EARLIEST, real - passed)
    frozen = REAL.set_to(moment, real, frozen=True)
    assert frozen.is_frozen
    assert frozen.at(real + passed) == frozen.at(real - passed) == moment


@given(MOMENTS, REAL_TIMES, DURATIONS, st.booleans())
def test_an_advance_adds_up_and_leaves_the_state(
    moment: datetime, real: datetime, by: timedelta, frozen: bool
) -> None:
    clock = REAL.set_to(moment, real, frozen=frozen)
    if moment + by > LATEST:
        with pytest.raises(ClockError, match="its last moment is 9899-12-31T00:00:00Z"):
            clock.advanced(by, real)
        return
    later = clock.advanced(by, real)
    assert later.at(real) == moment + by
    assert later.is_frozen == frozen
    assert later.skipped == clock.skipped + by


@given(MOMENTS, REAL_TIMES, DURATIONS, st.booleans())
def test_a_clock_is_stored(moment: datetime, real: datetime, by: timedelta, frozen: bool) -> None:
    for clock in (
        REAL.set_to(moment, real, frozen=frozen),
        REAL.advanced(by, real),
        SubscriptionClock(skipped=by),
    ):
        stored = json.loads(json.dumps(clock.to_json()))
        assert SubscriptionClock.from_json(stored) == clock


def test_time_that_was_skipped_never_decreases() -> None:
    clock = REAL.set_to(NOW + timedelta(days=1), NOW, frozen=True)
    back = clock.set_to(NOW - timedelta(days=5), NOW, frozen=False)
    again = back.advanced(timedelta(hours=1), NOW)
    assert clock.skipped == back.skipped == timedelta(days=1)
    assert again.skipped == timedelta(days=1, hours=1)


@pytest.mark.parametrize(
    "moment",
    [
        datetime.min.replace(tzinfo=UTC),
        datetime.min.replace(tzinfo=timezone(timedelta(hours=14))),
        EARLIEST - timedelta(microseconds=1),
        LATEST + timedelta(microseconds=1),
        datetime.max.replace(tzinfo=UTC),
        datetime.max.replace(tzinfo=timezone(timedelta(hours=-14))),
    ],
)
def test_a_moment_that_a_clock_cannot_show(moment: datetime) -> None:
    with pytest.raises(ClockError, match="a clock cannot show"):
        REAL.set_to(moment, NOW, frozen=False)


def test_a_moment_needs_a_zone_and_an_advance_a_direction() -> None:
    with pytest.raises(ClockError, match="time zone"):
        REAL.set_to(NOW.replace(tzinfo=None), NOW, frozen=False)
    with pytest.raises(ClockError, match="negative"):
        REAL.advanced(timedelta(seconds=-1), NOW)


def test_a_century_before_and_after_any_clock_is_in_the_calendar() -> None:
    century = timedelta(days=36_500)
    assert EARLIEST - century
    assert LATEST + century
