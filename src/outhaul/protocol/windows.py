"""Windows of time: how a period of any length is cut for an endpoint that takes a month at most.

The protocol counts in whole seconds and includes both ends of a window. So the next window begins
one second after the end of the one before: no second is in two windows, and none is in no window.
"""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Self

from outhaul.protocol.instants import parse_instant, render_instant

EXAMPLE = "2026-01-01T00:00:00Z/2026-01-31T23:59:59Z"
"""An example of a period."""

_SECOND = timedelta(seconds=1)


@dataclass(frozen=True, order=True)
class Window:
    """The seconds from `start` to `end`, both included. Both are in UTC, without a fraction."""

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        for moment in (self.start, self.end):
            if moment.utcoffset() != timedelta() or moment.microsecond:
                raise ValueError(f"{moment} is no whole second in UTC")
        if self.end < self.start:
            raise ValueError(f"{self} ends before it starts")

    def __str__(self) -> str:
        return f"{render_instant(self.start)}/{render_instant(self.end)}"

    @property
    def seconds(self) -> int:
        """How many seconds the window has: 1 if its ends are the same."""
        return round((self.end - self.start).total_seconds()) + 1

    @property
    def start_name(self) -> str:
        """The start as a part of a file's name: `2026-01-01T000000Z`."""
        return _name(self.start)

    @property
    def end_name(self) -> str:
        """The end as a part of a file's name: `2026-01-31T235959Z`."""
        return _name(self.end)

    @property
    def name(self) -> str:
        """Both ends, joined by `--`: ISO 8601 has it for names that must not have a slash."""
        return f"{self.start_name}--{self.end_name}"

    def as_filter(self) -> dict[str, str]:
        """Return the value of a filter in a request."""
        return {"startAt": render_instant(self.start), "endAt": render_instant(self.end)}

    def fits(self, longest: timedelta) -> bool:
        """Return whether an endpoint takes the window if its ends may be `longest` apart."""
        return self.end - self.start <= longest


@dataclass(frozen=True)
class Period:
    """What is asked for: from `start` to `end`, both included; without an end, up to now."""

    start: datetime
    end: datetime | None

    def __str__(self) -> str:
        return (
            f"{render_instant(self.start)}/{'' if self.end is None else render_instant(self.end)}"
        )

    @classmethod
    def of(cls, text: str) -> Self:
        """Return the period that `START/END` or `START/` means. Raises `ValueError`.

        A date alone is its midnight in UTC. A fraction of a second is cut off.
        """
        start, slash, end = text.partition("/")
        try:
            first = parse_instant(start)
            last = parse_instant(end) if end.strip() else None
        except ValueError:
            slash = ""
        if not slash:
            raise ValueError(f"{text!r} is not START/END, such as {EXAMPLE}")
        if last is not None and last < first:
            raise ValueError(f"{text!r} ends before it starts")
        return cls(first, last)

    def fits(self, longest: timedelta) -> bool:
        """Return whether the period has an end, and its ends are at most `longest` apart."""
        return self.end is not None and self.end - self.start <= longest

    def until(self, now: datetime) -> Window:
        """Return the period with its end fixed. Raises `ValueError` if it has not begun.

        An end that is missing or not yet over becomes the last second that is over at `now`: no
        record can be created or changed in that second any more.
        """
        last = now.astimezone(UTC).replace(microsecond=0) - _SECOND
        if last < self.start:
            raise ValueError(f"{self} begins after {render_instant(last)}, the last full second")
        return Window(self.start, last if self.end is None else min(self.end, last))


def split(whole: Window, longest: timedelta, *, newest_first: bool = False) -> list[Window]:
    """Return windows whose ends are at most `longest` apart, and which are `whole` together.

    They are cut from the start on, so that the same start gives the same windows whatever the end.
    A window covers `longest` with both ends included: those of a period that starts at midnight are
    whole days. Only the last one may have its ends just `longest` apart. `newest_first` gives the
    same windows in the opposite order.
    """
    if longest < _SECOND or longest.microseconds:
        raise ValueError(f"{longest} is no number of whole seconds above 0")
    windows = []
    rest = whole
    while not rest.fits(longest):
        cut = rest.start + longest
        windows.append(Window(rest.start, cut - _SECOND))
        rest = replace(rest, start=cut)
    windows.append(rest)
    return windows[::-1] if newest_first else windows


def _name(moment: datetime) -> str:
    # strftime's %Y writes the years before 1000 without leading zeros on some platforms.
    return render_instant(moment).replace(":", "")
