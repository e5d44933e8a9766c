"""Coverage: the seconds of a stream of which all records are here."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import reduce
from typing import Self

from outhaul.protocol.windows import Window

_SECOND = timedelta(seconds=1)
_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Coverage:
    """Windows that neither overlap nor touch, in the order of time."""

    windows: tuple[Window, ...] = ()

    @classmethod
    def of(cls, windows: Iterable[Window]) -> Self:
        """Return the coverage of windows, which may overlap."""
        return reduce(lambda found, window: found.with_(window), windows, cls())

    def with_(self, window: Window) -> Self:
        """Return the coverage with one more window. Windows that touch become one."""
        start, end = window.start, window.end
        apart = []
        for other in self.windows:
            if other.end + _SECOND < start or end + _SECOND < other.start:
                apart.append(other)
            else:
                start, end = min(start, other.start), max(end, other.end)
        return type(self)(tuple(sorted([*apart, Window(start, end)], key=_start)))

    def without(self, window: Window) -> Self:
        """Return the coverage without the seconds of a window."""
        return type(self)(tuple(self._rest(window)))

    def missing(self, window: Window) -> list[Window]:
        """Return the seconds of a window that are not covered, in the order of time."""
        found = type(self)((window,))
        for other in self.windows:
            found = found.without(other)
        return [*found.windows]

    def covers(self, window: Window) -> bool:
        """Return whether all seconds of a window are covered."""
        return any(
            other.start <= window.start and window.end <= other.end for other in self.windows
        )

    def within(self, window: Window) -> Self:
        """Return the coverage of the seconds of a window alone."""
        cut = (
            Window(max(each.start, window.start), min(each.end, window.end))
            for each in self.windows
            if each.start <= window.end and window.start <= each.end
        )
        return type(self)(tuple(cut))

    def both(self, other: "Coverage") -> Self:
        """Return the seconds that both cover."""
        return type(self)(
            tuple(part for window in other.windows for part in self.within(window).windows)
        )

    @property
    def seconds(self) -> int:
        """The number of covered seconds."""
        return sum(window.seconds for window in self.windows)

    @property
    def end(self) -> datetime | None:
        """The latest covered second, or `None`."""
        return self.windows[-1].end if self.windows else None

    def _rest(self, window: Window) -> Iterator[Window]:
        for other in self.windows:
            if other.end < window.start or window.end < other.start:
                yield other
                continue
            if other.start < window.start:
                yield Window(other.start, window.start - _SECOND)
            if window.end < other.end:
                yield Window(window.end + _SECOND, other.end)


def _start(window: Window) -> datetime:
    return window.start


def day_window(day: date) -> Window:
    """Return the window of a day in UTC."""
    start = datetime.combine(day, time(), UTC)
    return Window(start, start + _DAY - _SECOND)


def days(window: Window) -> Iterator[date]:
    """Yield the days in UTC that a window has seconds of."""
    day = window.start.date()
    while day <= window.end.date():
        yield day
        day += _DAY
