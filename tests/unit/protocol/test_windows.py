"""Periods become windows: no second is lost, none is asked for twice, and none is too long."""

from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outhaul.protocol.body import read_window
from outhaul.protocol.windows import Period, Window, split

SECOND = timedelta(seconds=1)
MONTH = timedelta(days=31)
START = datetime(2023, 1, 1, tzinfo=UTC)

instants = st.integers(-60_000_000_000, 250_000_000_000).map(
    lambda seconds: datetime(1970, 1, 1, tzinfo=UTC) + seconds * SECOND
)


@st.composite
def wholes(draw: st.DrawFn) -> tuple[Window, timedelta]:
    """Return a period and the longest window, of which the period has up to fifty."""
    start = draw(instants)
    longest = timedelta(seconds=draw(st.integers(1, 400 * 86_400)))
    near = draw(st.integers(0, 50)) * longest + draw(st.integers(-2, 2)) * SECOND
    anywhere = draw(st.integers(0, 50 * round(longest.total_seconds()))) * SECOND
    length = max(draw(st.sampled_from([near, anywhere])), timedelta())
    return Window(start, min(start + length, datetime(9999, 12, 31, tzinfo=UTC))), longest


@given(wholes())
def test_windows_have_every_second_once_and_each_is_one_that_the_endpoint_takes(
    case: tuple[Window, timedelta],
) -> None:
    whole, longest = case
    windows = split(whole, longest)
    assert windows[0].start == whole.start
    assert windows[-1].end == whole.end
    for before, after in pairwise(windows):
        assert after.start == before.end + SECOND
    assert sum(window.seconds for window in windows) == whole.seconds
    assert all(window.end - window.start <= longest for window in windows)
    # Not more windows than needed.
    assert len(windows) <= whole.seconds / longest.total_seconds() + 1
    assert split(whole, longest, newest_first=True) == windows[::-1]


@given(wholes(), st.integers(1, 10_000_000))
def test_a_later_end_leaves_the_windows_before_the_last_as_they_were(
    case: tuple[Window, timedelta], later: int
) -> None:
    whole, longest = case
    longer = Window(whole.start, min(whole.end + later * SECOND, whole.end + 60 * longest))
    before, after = split(whole, longest), split(longer, longest)
    assert after[: len(before) - 1] == before[:-1]


def test_three_years_are_months_of_whole_days() -> None:
    windows = split(Window(START, datetime(2026, 1, 1, tzinfo=UTC)), MONTH)
    assert len(windows) == 36
    assert str(windows[0]) == "2023-01-01T00:00:00Z/2023-01-31T23:59:59Z"
    assert str(windows[1]) == "2023-02-01T00:00:00Z/2023-03-03T23:59:59Z"
    assert str(windows[-1]) == "2025-12-21T00:00:00Z/2026-01-01T00:00:00Z"
    assert windows[1].name == "2023-02-01T000000Z--2023-03-03T235959Z"


@pytest.mark.parametrize(
    ("length", "count"),
    [
        (timedelta(), 1),
        (MONTH - SECOND, 1),
        (MONTH, 1),
        (MONTH + SECOND, 2),
        (2 * MONTH - SECOND, 2),
        (2 * MONTH, 2),
        (2 * MONTH + SECOND, 3),
    ],
)
def test_a_period_of_exactly_the_limit_is_one_window(length: timedelta, count: int) -> None:
    windows = split(Window(START, START + length), MONTH)
    assert len(windows) == count
    for window in windows:
        read_window(window.as_filter(), "filter.createdAt", 31)  # as the server checks it


def test_windows_can_be_as_short_as_two_seconds_and_end_as_late_as_the_calendar() -> None:
    assert [window.seconds for window in split(Window(START, START + 4 * SECOND), SECOND)] == [
        *(1, 1, 1, 2)
    ]
    last = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
    assert split(Window(last - 40 * timedelta(days=1), last), MONTH)[-1].end == last


@pytest.mark.parametrize("longest", [timedelta(), -SECOND, timedelta(seconds=1.5)])
def test_a_length_that_is_no_number_of_seconds_is_refused(longest: timedelta) -> None:
    with pytest.raises(ValueError, match="whole seconds"):
        split(Window(START, START), longest)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("2023-01-01/2026-01-01", "2023-01-01T00:00:00Z/2026-01-01T00:00:00Z"),
        ("2023-01-01T00:00:00+02:00/2023-01-01", "2022-12-31T22:00:00Z/2023-01-01T00:00:00Z"),
        (" 2023-01-01T10:00:00.999Z / 2023-01-02 ", "2023-01-01T10:00:00Z/2023-01-02T00:00:00Z"),
        ("2023-01-01/", "2023-01-01T00:00:00Z/"),
        ("2023-01-01/ ", "2023-01-01T00:00:00Z/"),
        # Days on which clocks were changed, and a leap second was inserted: no matter in UTC.
        ("2026-03-29T02:30:00+02:00/2026-03-30", "2026-03-29T00:30:00Z/2026-03-30T00:00:00Z"),
        ("2016-12-31T23:59:59Z/2017-01-01", "2016-12-31T23:59:59Z/2017-01-01T00:00:00Z"),
    ],
)
def test_periods_are_read_in_every_notation_of_the_protocol(text: str, shown: str) -> None:
    assert str(Period.of(text)) == shown


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("2023-01-01", "is not START/END"),
        ("", "is not START/END"),
        ("/2023-01-01", "is not START/END"),
        ("2023-01-01/2023-02-30", "is not START/END"),
        ("2023-01-01/2023-01-02/2023-01-03", "is not START/END"),
        ("2016-12-31T23:59:60Z/2017-01-02", "is not START/END"),
        ("2023-01-01T00:00:01Z/2023-01-01", "ends before it starts"),
    ],
)
def test_other_texts_are_refused(text: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        Period.of(text)


NOW = datetime(2026, 1, 20, 12, 0, 5, 700_000, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "end"),
    [
        ("2026-01-01/", "2026-01-20T12:00:04Z"),
        ("2026-01-01/2027-01-01", "2026-01-20T12:00:04Z"),
        ("2026-01-01/2026-01-20T12:00:05Z", "2026-01-20T12:00:04Z"),
        ("2026-01-01/2026-01-20T12:00:04Z", "2026-01-20T12:00:04Z"),
        ("2026-01-01/2026-01-02", "2026-01-02T00:00:00Z"),
        ("2026-01-20T12:00:04Z/", "2026-01-20T12:00:04Z"),
    ],
)
def test_an_end_that_is_missing_or_not_over_is_the_last_second_that_is_over(
    text: str, end: str
) -> None:
    assert str(Period.of(text).until(NOW)).endswith(f"/{end}")
    assert Period.of(text).until(NOW.astimezone(timezone(timedelta(hours=5)))).end.tzinfo is UTC


@pytest.mark.parametrize("text", ["2026-01-20T12:00:05Z/", "2030-01-01/2031-01-01"])
def test_a_period_that_has_not_begun_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="begins after"):
        Period.of(text).until(NOW)


@pytest.mark.parametrize(
    ("start", "end"),
    [
        (START, START - SECOND),
        (START.replace(microsecond=1), START + SECOND),
        (START, START.astimezone(timezone(timedelta(hours=1))) + SECOND),
    ],
)
def test_a_window_has_whole_seconds_in_utc_in_their_order(start: datetime, end: datetime) -> None:
    with pytest.raises(ValueError, match=r"ends before|no whole second"):
        Window(start, end)
