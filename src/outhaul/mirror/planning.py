"""Which windows are read next: what perishes first, then the newest.

A stream is read backwards, from the newest missing second. The windows of a stream begin with a
day and grow while nothing is known of their size. Then they are as long as the endpoint allows,
unless a window would take more than its share of the day's quota.
"""

import heapq
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from itertools import pairwise

from outhaul.mirror.coverage import Coverage
from outhaul.mirror.streams import (
    ACTIVITIES,
    ACTIVITY_PATH,
    DELETIONS,
    FREQUENT_ACTIVITIES,
    PERISH,
    Stream,
)
from outhaul.mirror.work import Work
from outhaul.protocol.windows import Window, split

_SECOND = timedelta(seconds=1)
_SOON = timedelta(days=2)
"""Up to this length, all activities of a span are read by one job, whatever perishes first."""

_PERISHING, _LISTS, _RECORDS, _BACKFILL = range(4)
"""The order of what is read. Lists are as they are now, so that they come before old records."""

DAY_SECONDS = 86_400

Rate = Callable[[str], float | None]
"""Returns the bytes a second of a family of works, or `None` if nothing is known of it."""


@dataclass(order=True)
class _Span:
    """A missing span of some streams, of which windows are cut from its end."""

    rank: tuple[int, float, int]
    streams: tuple[str, ...] = field(compare=False)
    kind_path: str = field(compare=False)
    window: Window | None = field(compare=False)
    ids: tuple[int, ...] = field(compare=False, default=())


@dataclass(frozen=True, kw_only=True)
class Missing:
    """What is missing of a stream, and what it is read by."""

    stream: Stream
    windows: Sequence[Window]
    is_backfill: bool = False


@dataclass(frozen=True, kw_only=True)
class Members:
    """The lists or programs whose members are read, in groups that one job can have."""

    stream: str
    kind_path: str
    groups: Sequence[tuple[int, ...]]


class Planner:
    """Cuts works from what is missing, one after the other."""

    def __init__(  # noqa: PLR0913 - what is missing, and how it is cut
        self,
        missing: Iterable[Missing],
        members: Iterable[Members],
        activities: Mapping[str, Coverage],
        whole: Window | None,
        *,
        longest_days: int,
        most_bytes: float | None,
        rate: Rate,
    ) -> None:
        """Plan what is missing. `whole` is the window of all activities, `None` for none of them.

        `most_bytes` is the share of the day's quota that a window may take.
        """
        self._longest = longest_days * DAY_SECONDS
        self._most_bytes = most_bytes
        self._rate = rate
        self._begun: dict[str, int] = {}
        self._spans: list[_Span] = []
        for each in missing:
            rank = _BACKFILL if each.is_backfill else _RECORDS
            for window in each.windows:
                self._add(rank, (each.stream.name,), each.stream.kind_path, window)
        if whole is not None:
            self._add_activities(activities, whole)
        for group in members:
            for ids in group.groups:
                order = (_LISTS, 0.0, len(self._spans))
                span = _Span(order, (group.stream,), group.kind_path, None, ids)
                heapq.heappush(self._spans, span)

    def __iter__(self) -> Iterator[Work]:
        while self._spans:
            yield self._next()

    def left(self) -> Iterator[Work]:
        """Yield works that are as long as the endpoint allows, of what is left. None is taken."""
        for span in sorted(self._spans):
            if span.window is None:
                yield _work(span, None)
                continue
            longest = timedelta(seconds=self._longest - 1)
            for window in split(span.window, longest, newest_first=True):
                yield _work(span, window)

    def _next(self) -> Work:
        span = heapq.heappop(self._spans)
        if span.window is None:
            return _work(span, None)
        work = _work(span, span.window)
        cut = self._cut(span.window, family_of(work))
        if span.window.start < cut.start:
            rest = Window(span.window.start, cut.start - _SECOND)
            self._add(span.rank[0], span.streams, span.kind_path, rest)
        return _work(span, cut)

    def _cut(self, window: Window, family: str) -> Window:
        """Return the end of a window, as long as one job should have it."""
        begun = self._begun[family] = self._begun.get(family, -1) + 1
        rate = self._rate(family)
        if rate is None:
            length = DAY_SECONDS << min(begun, 16)
        elif rate > 0 and self._most_bytes is not None:
            length = max(int(self._most_bytes / rate), 3600)
        else:
            length = self._longest
        length = min(length, self._longest)
        if window.seconds <= length:
            return window
        start = window.end - timedelta(seconds=length - 1)
        if length >= DAY_SECONDS:
            # A window begins with a day, so that a day is complete at once.
            start = _next_midnight(start)
        return Window(min(start, window.end), window.end)

    def _add_activities(self, covered: Mapping[str, Coverage], whole: Window) -> None:
        spans: dict[str, Coverage] = {}
        for stream in ACTIVITIES:
            coverage = covered.get(stream, Coverage())
            age = PERISH[stream]
            if stream in (DELETIONS, FREQUENT_ACTIVITIES):
                recent = Window(max(whole.start, whole.end - age), whole.end)
                perishing = Coverage(tuple(coverage.missing(recent)))
                if perishing.seconds > _SOON.total_seconds():
                    for window in perishing.windows:
                        self._add(_PERISHING, (stream,), ACTIVITY_PATH, window)
                        coverage = coverage.with_(window)
            spans[stream] = coverage
        for streams, window in _together(spans, whole):
            self._add(_RECORDS, streams, ACTIVITY_PATH, window)

    def _add(self, rank: int, streams: tuple[str, ...], kind_path: str, window: Window) -> None:
        # The stream that perishes first comes first among those that perish, else the newest end.
        order = (
            (rank, float(ACTIVITIES.index(streams[0])), -int(window.end.timestamp()))
            if rank == _PERISHING
            else (rank, -window.end.timestamp(), len(self._spans))
        )
        heapq.heappush(self._spans, _Span(order, streams, kind_path, window))


def family_of(work: Work) -> str:
    """Return the family of a work: the works whose sizes tell of each other."""
    return ",".join(work.streams)


def _work(span: _Span, window: Window | None) -> Work:
    return Work(kind_path=span.kind_path, streams=span.streams, window=window, ids=span.ids)


def _together(
    covered: Mapping[str, Coverage], whole: Window
) -> Iterator[tuple[tuple[str, ...], Window]]:
    """Yield the missing spans of a window, each with the streams that it is missing of."""
    missing = {stream: of.missing(whole) for stream, of in covered.items()}
    edges = sorted(
        {window.start for windows in missing.values() for window in windows}
        | {window.end + _SECOND for windows in missing.values() for window in windows}
    )
    for start, after in pairwise(edges):
        window = Window(start, after - _SECOND)
        streams = tuple(
            stream for stream, windows in missing.items() if Coverage(tuple(windows)).covers(window)
        )
        if streams:
            yield streams, window


def _next_midnight(moment: datetime) -> datetime:
    """Return the moment itself if it is a midnight in UTC, otherwise the next midnight."""
    midnight = datetime.combine(moment.date(), time(), UTC)
    return midnight if midnight == moment else midnight + timedelta(days=1)
