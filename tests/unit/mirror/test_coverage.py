"""Coverage holds exactly the seconds of its windows, whatever was added and removed."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from outhaul.mirror.coverage import Coverage, day_window, days
from outhaul.protocol.windows import Window

ZERO = datetime(2026, 1, 1, tzinfo=UTC)
LAST = 40


def window(begin: int, end: int) -> Window:
    return Window(ZERO + timedelta(seconds=begin), ZERO + timedelta(seconds=end))


windows = st.tuples(st.integers(0, LAST), st.integers(0, LAST)).map(
    lambda ends: window(min(ends), max(ends))
)
steps = st.lists(st.tuples(st.booleans(), windows), max_size=12)


def seconds(*of: Window) -> set[int]:
    return {
        round((each.start - ZERO).total_seconds()) + n for each in of for n in range(each.seconds)
    }


def built(taken: list[tuple[bool, Window]]) -> tuple[Coverage, set[int]]:
    coverage, wanted = Coverage(), set[int]()
    for adds, each in taken:
        coverage = coverage.with_(each) if adds else coverage.without(each)
        wanted = wanted | seconds(each) if adds else wanted - seconds(each)
    return coverage, wanted


@given(steps)
def test_it_has_the_seconds_that_were_added_and_not_removed(
    taken: list[tuple[bool, Window]],
) -> None:
    coverage, wanted = built(taken)
    assert seconds(*coverage.windows) == wanted
    assert coverage.seconds == len(wanted)


@given(steps)
def test_its_windows_are_in_order_and_do_not_touch(taken: list[tuple[bool, Window]]) -> None:
    found = built(taken)[0].windows
    for before, after in pairwise(found):
        assert before.end + timedelta(seconds=1) < after.start


@given(steps, windows)
def test_what_is_missing_of_a_window_is_the_rest_of_it(
    taken: list[tuple[bool, Window]], whole: Window
) -> None:
    coverage, wanted = built(taken)
    missing = coverage.missing(whole)
    assert seconds(*missing) == seconds(whole) - wanted
    assert missing == sorted(missing)
    assert coverage.covers(whole) == (not missing)
    assert seconds(*coverage.within(whole).windows) == seconds(whole) & wanted


def test_a_day_has_all_its_seconds_and_no_more() -> None:
    found = day_window(date(2026, 1, 31))
    assert found.seconds == 86_400
    assert list(days(found)) == [date(2026, 1, 31)]
    assert list(days(Window(found.end, found.end + timedelta(seconds=1)))) == [
        date(2026, 1, 31),
        date(2026, 2, 1),
    ]
