"""Which calls get in: rules that need no database."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.metering import FREE, MOMENT, enter, limits, refused

from outhaul.accounts.meter import Meter
from outhaul.accounts.usage import CallCounts, ErrorCounts, UsageStore
from outhaul.errors import ApiError


class NoStore(UsageStore):
    """Keeps nothing."""

    def __init__(self) -> None:
        pass

    def add(self, calls: CallCounts, errors: ErrorCounts) -> dict[tuple[str, date], int]:  # noqa: ARG002
        return {}

    def total(self, subscription: str, day: date) -> int:  # noqa: ARG002
        return 0


@dataclass
class Timer:
    """Seconds that pass when a test says so."""

    seconds: float = 0

    def __call__(self) -> float:
        return self.seconds


def test_so_many_calls_in_20_seconds_whatever_they_are_answered() -> None:
    timer = Timer()
    meter, two = Meter(NoStore(), timer), limits(calls_in_20_seconds=2)
    meter.leave(enter(meter, two), "1003")
    timer.seconds = 5
    enter(meter, two)
    for timer.seconds in (5, 19.999):
        assert refused(meter, two) == "606 Max rate limit '2' exceeded with in '20' secs"
    timer.seconds = 20
    enter(meter, two)  # refused calls do not count: a caller that tries again gets in
    timer.seconds = 24.999
    assert refused(meter, two).startswith("606")
    timer.seconds = 25
    enter(meter, two)


def test_a_clock_that_is_set_back_keeps_no_caller_out() -> None:
    timer = Timer()
    meter, one = Meter(NoStore(), timer), limits(calls_in_20_seconds=1)
    enter(meter, one)
    back = MOMENT - timedelta(hours=1)
    assert refused(meter, one, back).startswith("606")
    timer.seconds = 20
    enter(meter, one, back)


def test_so_many_calls_at_once() -> None:
    meter, two = Meter(NoStore()), limits(calls_at_once=2)
    tickets = [enter(meter, two), enter(meter, two)]
    assert refused(meter, two) == "615 Concurrent access limit reached"
    meter.leave(tickets[0], None)
    enter(meter, two)
    assert refused(meter, two).startswith("615")


def test_so_many_calls_a_day_but_for_errors() -> None:
    meter, two = Meter(NoStore()), limits(calls_per_day=2)
    for _ in range(5):
        meter.leave(enter(meter, two), "1003")
    meter.leave(enter(meter, two), None)
    going_on = enter(meter, two)
    assert refused(meter, two) == "607 Daily quota reached"
    meter.leave(going_on, "404")
    meter.leave(enter(meter, two), None)
    assert refused(meter, two).startswith("607")


def test_the_day_begins_at_midnight_in_chicago() -> None:
    meter, one = Meter(NoStore()), limits(calls_per_day=1)
    midnight = datetime(2026, 1, 21, 6, tzinfo=UTC)
    meter.leave(enter(meter, one, midnight - timedelta(seconds=1)), None)
    assert refused(meter, one, midnight - timedelta(microseconds=1)).startswith("607")
    late = enter(meter, one, midnight)
    meter.leave(late, None)
    assert refused(meter, one, midnight).startswith("607")


def test_subscriptions_are_counted_apart() -> None:
    meter = Meter(NoStore())
    one = limits(calls_in_20_seconds=1, calls_at_once=1, calls_per_day=1)
    enter(meter, one, name="default")
    enter(meter, one, name="emea")
    assert refused(meter, one, name="default").startswith("615")
    assert refused(meter, one, name="emea").startswith("615")


def test_without_limits_all_calls_get_in() -> None:
    meter = Meter(NoStore())
    for _ in range(300):
        enter(meter, FREE)


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("enter"), st.sampled_from(["a", "b"])),
        st.tuples(st.just("leave"), st.booleans()),
        st.tuples(st.just("wait"), st.sampled_from([0.5, 5, 19, 20, 40_000])),
    ),
    max_size=60,
)
LIMIT = st.none() | st.integers(1, 4)


@given(steps=STEPS, rate=LIMIT, at_once=LIMIT, a_day=LIMIT)
def test_who_gets_in_is_what_a_list_of_all_calls_says(
    steps: list[tuple[str, Any]], rate: int | None, at_once: int | None, a_day: int | None
) -> None:
    timer = Timer()
    meter = Meter(NoStore(), timer)
    of = limits(calls_in_20_seconds=rate, calls_at_once=at_once, calls_per_day=a_day)
    moment = MOMENT
    calls: list[dict[str, Any]] = []
    for step, argument in steps:
        going = [each for each in calls if each["open"]]
        if step == "wait":
            moment += timedelta(seconds=argument)
            timer.seconds += argument
        elif step == "leave" and going:
            meter.leave(going[0]["ticket"], "1003" if argument else None)
            going[0].update(open=False, error=argument)
        elif step == "enter":
            ours = [each for each in calls if each["name"] == argument]
            running = sum(each["open"] for each in ours)
            lately = sum(each["at"] > moment - timedelta(seconds=20) for each in ours)
            day = (moment - timedelta(hours=6)).date()  # Chicago, in winter
            today = sum(each["open"] or (each["day"] == day and not each["error"]) for each in ours)
            expected = None
            if at_once is not None and running >= at_once:
                expected = "615"
            elif rate is not None and lately >= rate:
                expected = "606"
            elif a_day is not None and today >= a_day:
                expected = "607"
            if expected is not None:
                assert refused(meter, of, moment, name=argument).startswith(expected)
                continue
            ticket = enter(meter, of, moment, name=argument)
            calls.append(
                {
                    "name": argument,
                    "ticket": ticket,
                    "at": moment,
                    "day": day,
                    "open": True,
                    "error": False,
                }
            )


def test_threads_do_not_get_in_beyond_the_limit() -> None:
    meter, of = Meter(NoStore()), limits(calls_per_day=50)

    def attempt(_: int) -> int:
        try:
            meter.leave(enter(meter, of), None)
        except ApiError:
            return 0
        return 1

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(attempt, range(400))) == 50


def test_time_that_a_clock_skips_counts_as_passed() -> None:
    timer = Timer()
    meter, one = Meter(NoStore(), timer), limits(calls_in_20_seconds=1)
    meter.enter("default", 1, one, MOMENT)
    for skipped in (19.999, 20.0):
        if skipped == 20.0:
            meter.enter("default", 1, one, MOMENT, skipped=skipped)
        with pytest.raises(ApiError, match="606"):
            meter.enter("default", 1, one, MOMENT, skipped=skipped)
    # A call that began before the advance does not bring the seconds back.
    with pytest.raises(ApiError, match="606"):
        meter.enter("default", 1, one, MOMENT, skipped=0)
    timer.seconds = 20
    meter.enter("default", 1, one, MOMENT, skipped=0)


def test_a_day_that_comes_back_has_its_calls() -> None:
    meter, two = Meter(NoStore(), Timer()), limits(calls_per_day=2)
    later = MOMENT + timedelta(days=28)
    for moment in (MOMENT, later):
        meter.leave(enter(meter, two, moment), None)
        meter.leave(enter(meter, two, moment), None)
    for moment in (MOMENT, later):
        assert refused(meter, two, moment).startswith("607")
