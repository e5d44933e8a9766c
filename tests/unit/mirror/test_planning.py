"""Works cover what is missing, once: what perishes first, then the newest."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from outhaul.mirror.coverage import Coverage
from outhaul.mirror.planning import Members, Missing, Planner
from outhaul.mirror.streams import (
    ACTIVITIES,
    ACTIVITY_PATH,
    DELETIONS,
    FREQUENT_ACTIVITIES,
    OTHER_ACTIVITIES,
    PERISH,
    STATIC_LISTS,
    lead_stream,
)
from outhaul.mirror.work import Work
from outhaul.protocol.windows import Window

NOW = datetime(2026, 11, 29, 11, 59, 59, tzinfo=UTC)
DAY = timedelta(days=1)
WHOLE = Window(NOW - 800 * DAY, NOW)

spans = st.tuples(st.integers(0, 800 * 86_400), st.integers(0, 800 * 86_400)).map(
    lambda ends: Window(NOW - timedelta(seconds=max(ends)), NOW - timedelta(seconds=min(ends)))
)
coverages = st.lists(spans, max_size=4).map(Coverage.of)
rates = st.sampled_from([None, 0.0, 10.0, 1e6])


def planned(
    covered: dict[str, Coverage],
    leads: Coverage,
    rate: float | None = None,
    most_bytes: float | None = 125e6,
) -> list[Work]:
    stream = lead_stream(by_updates=True)
    members = Members(stream=STATIC_LISTS, kind_path="leads", groups=[(1001,), (1002,)])
    plan = Planner(
        [Missing(stream=stream, windows=leads.missing(WHOLE))],
        [members],
        covered,
        WHOLE,
        longest_days=31,
        most_bytes=most_bytes,
        rate=lambda _: rate,
    )
    return list(plan)


@given(st.tuples(coverages, coverages, coverages), coverages, rates)
def test_each_missing_second_is_in_one_work(
    of: tuple[Coverage, ...], leads: Coverage, rate: float | None
) -> None:
    covered = dict(zip(ACTIVITIES, of, strict=True))
    works = planned(covered, leads, rate)
    for stream, coverage in {**covered, "leads": leads}.items():
        found = [each.window for each in works if stream in each.streams and each.window]
        missing = coverage.missing(WHOLE)
        assert sum(each.seconds for each in found) == sum(each.seconds for each in missing)
        assert Coverage.of(found) == Coverage.of(missing)
    assert [each.ids for each in works if each.ids] == [(1001,), (1002,)]


@given(coverages, rates)
def test_no_window_is_longer_than_the_endpoint_allows(
    coverage: Coverage, rate: float | None
) -> None:
    for work in planned({}, coverage, rate):
        assert work.window is None or work.window.fits(31 * DAY)


def test_what_perishes_first_comes_first_then_lists_then_the_newest() -> None:
    works = planned({}, Coverage(), rate=0.0)
    order = [each.streams for each in works]
    frequent = order.index((FREQUENT_ACTIVITIES,))
    assert {*order[:frequent]} == {(DELETIONS,)}
    lists = order.index((STATIC_LISTS,))
    assert {*order[frequent:lists]} == {(FREQUENT_ACTIVITIES,)}
    assert set(order[:lists]) == {(DELETIONS,), (FREQUENT_ACTIVITIES,)}
    ends = [each.window.end for each in works[lists:] if each.window]
    assert ends == sorted(ends, reverse=True)
    oldest = min(each.window.start for each in works[:frequent] if each.window)
    assert oldest == NOW - PERISH[DELETIONS]


def test_the_activities_of_a_night_are_one_job() -> None:
    night = Coverage((Window(WHOLE.start, NOW - DAY),))
    works = planned(dict.fromkeys(ACTIVITIES, night), Coverage((WHOLE,)))
    assert [each.streams for each in works if each.kind_path == ACTIVITY_PATH] == [ACTIVITIES]


def test_windows_grow_while_nothing_is_known_of_their_size() -> None:
    works = planned(dict.fromkeys(ACTIVITIES, Coverage((WHOLE,))), Coverage())
    days = [each.window.seconds / 86_400 for each in works if each.window]
    assert days[0] < 1  # to the midnight before
    assert [round(each) for each in days[1:6]] == [2, 4, 8, 16, 31]


def test_a_window_takes_no_more_than_its_share_of_the_quota() -> None:
    rate = 125e6 / (3 * 86_400)
    works = planned(dict.fromkeys(ACTIVITIES, Coverage((WHOLE,))), Coverage(), rate)
    assert max(each.window.seconds for each in works if each.window) == 3 * 86_400
    assert {each.streams for each in works} == {("leads",), (STATIC_LISTS,)}
    assert OTHER_ACTIVITIES not in {name for each in works for name in each.streams}
