"""What is foreseen: sizes by family, and when everything will be there."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outhaul.client.forecast import Today, forecast
from outhaul.client.foresight import Foresight, Size
from outhaul.client.jobs import Job
from outhaul.client.schedule import Room, fits
from outhaul.client.tasks import Task
from outhaul.protocol.quota_days import quota_date
from outhaul.protocol.states import State

NOON = datetime(2026, 1, 20, 18, tzinfo=UTC)
MIDNIGHT = datetime(2026, 1, 21, 6, tzinfo=UTC)


def task(span: float = 1.0, family: str = "leads") -> Task:
    return Task(kind_path="leads", request={}, name="", family=family, span=span)


def done(size: int | None, records: int | None = 1) -> Job:
    return Job(export_id="1", status=State.COMPLETED, file_size=size, records=records)


def size(number: int) -> Size:
    return Size(number, number // 100, number)


def today(limit: int | None, used: int = 0, seconds: float = 0.0) -> Today:
    return Today(moment=NOON, daily_bytes=limit, used=used, seconds_a_job=seconds)


# Sizes


def test_a_size_is_foreseen_in_proportion_to_the_span() -> None:
    foresight = Foresight()
    foresight.learn(task(10), done(1_000, 50))
    foresight.learn(task(10), done(3_000, 150))
    found = foresight.size(task(5))
    assert found is not None
    assert (found.bytes, found.records) == (1_000, 50)
    assert 1_500 < found.most <= 1_651  # as the larger of the two, and a tenth more


def test_families_foretell_only_themselves_and_only_lately() -> None:
    foresight = Foresight()
    foresight.learn(task(family="activities"), done(1_000))
    assert foresight.size(task()) is None
    foresight.learn(task(), done(10**9))
    for _ in range(8):
        foresight.learn(task(), done(10))
    found = foresight.size(task())
    assert found is not None
    assert found.most <= 12


def test_one_empty_export_tells_nothing_and_three_do() -> None:
    foresight = Foresight()
    for _ in range(2):
        foresight.learn(task(), done(90, 0))
        assert foresight.size(task()) is None
    foresight.learn(task(), done(90, 0))
    assert foresight.size(task()) is not None


def test_a_size_that_is_not_told_is_not_learned() -> None:
    foresight = Foresight()
    foresight.learn(task(), done(None))
    assert foresight.size(task()) is None


@pytest.mark.parametrize("span", [0.0, -1.0, float("inf"), float("nan")])
def test_a_span_that_is_none_counts_as_one(span: float) -> None:
    foresight = Foresight()
    foresight.learn(task(span), done(100))
    found = foresight.size(task(1.0))
    assert found is not None
    assert found.bytes == 100


# What fits


@given(
    sizes=st.lists(st.integers(0, 200), max_size=5),
    used=st.integers(0, 150),
    others=st.integers(0, 150),
    new=st.integers(0, 300),
    days=st.integers(0, 1),
)
def test_nothing_is_begun_that_does_not_fit(
    sizes: list[int], used: int, others: int, new: int, days: int
) -> None:
    room = Room(limit=100, used=used, in_flight=tuple(map(size, sizes)), others=others)
    if fits(size(new), room, days):
        within = used + sum(sizes) + others + new <= 100
        assert within or (new > 100 and not sizes and used == others == 0)


@pytest.mark.parametrize(
    ("room", "days", "expected"),
    [
        (Room(limit=100, used=0), 0, True),
        (Room(limit=100, used=99), 0, True),
        (Room(limit=100, used=100), 0, False),
        (Room(limit=100, used=0, in_flight=(size(1),)), 0, False),
        (Room(limit=100, used=0, in_flight=(None,)), 0, False),
        (Room(limit=100, used=50, others=60), 0, False),
        (Room(limit=100, used=50, others=60), 2, True),
        (Room(limit=0, used=0), 9, False),
    ],
)
def test_a_sample_is_begun_alone(room: Room, days: int, expected: bool) -> None:
    assert fits(None, room, days) is expected


def test_nothing_is_begun_beside_a_sample() -> None:
    assert fits(size(1), Room(limit=100, used=0), 0)
    assert not fits(size(1), Room(limit=100, used=0, in_flight=(None,)), 0)


def test_a_job_larger_than_the_quota_is_the_first_of_a_day() -> None:
    assert fits(size(150), Room(limit=100, used=0), 0)
    assert not fits(size(150), Room(limit=100, used=1), 0)
    assert not fits(size(150), Room(limit=100, used=0, in_flight=(size(1),)), 0)


# Forecasts


def test_nothing_left_is_done_now() -> None:
    found = forecast([], [], today(100))
    assert (found.tasks, found.bytes, found.done_at, found.days) == (0, 0, NOON, 1)


def test_without_any_size_nothing_is_foretold() -> None:
    found = forecast([], [None] * 3, today(100))
    assert (found.tasks, found.unknown) == (3, 3)
    assert (found.bytes, found.records, found.done_at, found.days) == (None,) * 4


def test_a_guess_or_other_families_stand_for_what_is_unknown() -> None:
    guessed = Today(moment=NOON, daily_bytes=100, used=0, guess=size(50))
    found = forecast([], [None] * 4, guessed)
    assert (found.unknown, found.bytes, found.days) == (4, 200, 2)
    found = forecast([], [None, size(10)], guessed)
    assert (found.unknown, found.bytes) == (1, 20)


def test_days_are_filled_with_what_fits() -> None:
    found = forecast([size(40)], [size(40)] * 4, today(100, used=20))
    assert found.days == 3
    assert found.done_at == MIDNIGHT + timedelta(days=1)


def test_a_task_larger_than_a_day_has_a_day_of_its_own() -> None:
    found = forecast([], [size(250), size(60), size(60)], today(100))
    assert found.days == 3


def test_the_speed_counts_from_the_beginning_of_each_day() -> None:
    found = forecast([], [size(50)] * 3, today(100, seconds=600))
    assert found.done_at == MIDNIGHT + timedelta(seconds=600)
    found = forecast([], [size(50)] * 3, today(None, seconds=600))
    assert (found.done_at, found.days) == (NOON + timedelta(seconds=1800), 1)
    found = forecast([], [size(1)] * 300, today(None, seconds=600))
    assert found.days == 3


def test_a_quota_of_nothing_never_ends() -> None:
    found = forecast([], [size(50)], today(0))
    assert (found.bytes, found.done_at, found.days) == (50, None, None)


@given(
    sizes=st.lists(st.integers(0, 300), max_size=60),
    limit=st.integers(1, 200),
    used=st.integers(0, 300),
)
def test_a_forecast_is_neither_too_good_nor_hopeless(
    sizes: list[int], limit: int, used: int
) -> None:
    found = forecast([], [size(each) for each in sizes], today(limit, used))
    assert found.days is not None
    assert found.done_at is not None
    small = [each for each in sizes if each <= limit]
    large = len(sizes) - len(small)
    assert found.days * limit >= sum(small) + large * limit - 1 or not sizes
    # No two days in a row are less than half full together.
    assert found.days <= 2 + large + 2 * (sum(small) // limit + 1)
    assert quota_date(found.done_at) == quota_date(NOON) + timedelta(days=found.days - 1)
