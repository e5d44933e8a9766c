from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outhaul.protocol.quota_days import QUOTA_ZONE, quota_day

MOMENTS = st.datetimes(
    datetime(1970, 1, 2),  # noqa: DTZ001 - hypothesis adds the zone
    datetime(2100, 1, 1),  # noqa: DTZ001 - same
    timezones=st.sampled_from([UTC, QUOTA_ZONE, timezone(timedelta(hours=5, minutes=45))]),
)


def utc(*numbers: int) -> datetime:
    return datetime(*numbers, tzinfo=UTC)  # type: ignore[misc,arg-type]


@pytest.mark.parametrize(
    ("day", "hours"),
    [
        (date(2026, 1, 15), 24),
        (date(2026, 3, 7), 24),
        (date(2026, 3, 8), 23),
        (date(2026, 3, 9), 24),
        (date(2026, 11, 1), 25),
        (date(2026, 11, 2), 24),
    ],
)
def test_a_day_has_23_or_25_hours_when_daylight_saving_begins_or_ends(
    day: date, hours: int
) -> None:
    start, end = quota_day(datetime(day.year, day.month, day.day, 12, tzinfo=QUOTA_ZONE))
    assert end - start == timedelta(hours=hours)
    assert start.astimezone(QUOTA_ZONE).date() == day


@pytest.mark.parametrize(
    ("moment", "start", "end"),
    [
        # winter: midnight is 06:00 UTC
        (utc(2026, 1, 15, 5, 59, 59, 999_999), utc(2026, 1, 14, 6), utc(2026, 1, 15, 6)),
        (utc(2026, 1, 15, 6), utc(2026, 1, 15, 6), utc(2026, 1, 16, 6)),
        # summer: midnight is 05:00 UTC
        (utc(2026, 7, 15, 4, 59, 59, 999_999), utc(2026, 7, 14, 5), utc(2026, 7, 15, 5)),
        (utc(2026, 7, 15, 5), utc(2026, 7, 15, 5), utc(2026, 7, 16, 5)),
        # the last and the first moment of the short day
        (utc(2026, 3, 8, 6), utc(2026, 3, 8, 6), utc(2026, 3, 9, 5)),
        (utc(2026, 3, 9, 4, 59, 59, 999_999), utc(2026, 3, 8, 6), utc(2026, 3, 9, 5)),
        # 01:30 comes twice on the long day: both times it is the same day
        (utc(2026, 11, 1, 6, 30), utc(2026, 11, 1, 5), utc(2026, 11, 2, 6)),
        (utc(2026, 11, 1, 7, 30), utc(2026, 11, 1, 5), utc(2026, 11, 2, 6)),
        (utc(2026, 11, 2, 5, 59, 59, 999_999), utc(2026, 11, 1, 5), utc(2026, 11, 2, 6)),
        (utc(2026, 11, 2, 6), utc(2026, 11, 2, 6), utc(2026, 11, 3, 6)),
    ],
)
def test_the_border_belongs_to_the_day_that_begins(
    moment: datetime, start: datetime, end: datetime
) -> None:
    assert quota_day(moment) == (start, end)


@given(MOMENTS)
def test_every_moment_lies_in_its_day(moment: datetime) -> None:
    start, end = quota_day(moment)
    assert start <= moment.astimezone(UTC) < end
    assert start.tzinfo is end.tzinfo is UTC
    assert end - start in (timedelta(hours=23), timedelta(hours=24), timedelta(hours=25))


@given(MOMENTS)
def test_days_join_without_a_gap(moment: datetime) -> None:
    start, end = quota_day(moment)
    assert quota_day(start) == (start, end)
    assert quota_day(end)[0] == end
    assert quota_day(start - timedelta(microseconds=1))[1] == start


@given(MOMENTS)
def test_the_day_does_not_depend_on_how_the_moment_is_written(moment: datetime) -> None:
    assert quota_day(moment) == quota_day(moment.astimezone(UTC))
