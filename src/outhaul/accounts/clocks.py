"""The clock of a subscription: real time, unless a test has set, frozen or advanced it.

A clock is a column of the row of its subscription, so that servers, workers and janitors in other
processes follow it. Every call reads that row anyway. Leases are in real time: a frozen clock must
not save the job of a dead worker, and an advance must not end the lease of a live one.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from outhaul.accounts.services import SubscriptionUnknownError
from outhaul.clock import now
from outhaul.database.engine import Database
from outhaul.database.schema import subscription
from outhaul.database.wakeups import wake_workers
from outhaul.protocol.instants import render_instant

EARLIEST = datetime(101, 1, 1, tzinfo=UTC)
LATEST = datetime(9899, 12, 31, tzinfo=UTC)
"""The last moment of a clock. Limits and periods may have a century, and must stay in the calendar.
"""

_ZERO = timedelta()
_MICROSECOND = timedelta(microseconds=1)


class ClockError(ValueError):
    """A clock cannot show a moment, or cannot be advanced by a duration."""


@dataclass(frozen=True, kw_only=True)
class SubscriptionClock:
    """The clock of a subscription. The default is real time."""

    stopped_at: datetime | None = None
    """The moment of a frozen clock."""
    ahead: timedelta = _ZERO
    """How far a running clock is ahead of real time. It is negative for a clock in the past."""
    skipped: timedelta = _ZERO
    """All time that was ever skipped by setting the clock forward. The limit on calls in 20 seconds
    counts it as passed. It never decreases, so that this limit never counts a second twice."""

    @property
    def is_real(self) -> bool:
        """Whether the clock shows real time."""
        return self.stopped_at is None and not self.ahead

    @property
    def is_frozen(self) -> bool:
        """Whether the clock stands still until it is set or advanced."""
        return self.stopped_at is not None

    def at(self, real: datetime) -> datetime:
        """Return what the clock shows at a moment of real time."""
        if self.stopped_at is not None:
            return self.stopped_at
        if not self.ahead:
            return real
        # A running clock stops when it reaches its last moment.
        return real + max(EARLIEST - real, min(self.ahead, LATEST - real))

    def set_to(self, moment: datetime, real: datetime, *, frozen: bool) -> "SubscriptionClock":
        """Return the clock that shows `moment` at the real time `real`. Raises `ClockError`."""
        if moment.tzinfo is None:
            raise ClockError(f"{moment.isoformat()} names no moment without a time zone")
        if not EARLIEST <= moment <= LATEST:
            raise ClockError(
                f"a clock cannot show {moment.isoformat()}: its moments are from "
                f"{render_instant(EARLIEST)} to {render_instant(LATEST)}"
            )
        moment = moment.astimezone(UTC)
        return SubscriptionClock(
            stopped_at=moment if frozen else None,
            ahead=_ZERO if frozen else moment - real,
            skipped=self.skipped + max(_ZERO, moment - self.at(real)),
        )

    def advanced(self, by: timedelta, real: datetime) -> "SubscriptionClock":
        """Return the clock set forward. A frozen clock stays frozen. Raises `ClockError`."""
        if by < _ZERO:
            raise ClockError("a clock cannot be advanced by a negative duration; set it instead")
        at = self.at(real)
        if by > LATEST - at:
            raise ClockError(
                f"a clock that shows {render_instant(at)} cannot be advanced by "
                f"{by.total_seconds():.0f} seconds: its last moment is {render_instant(LATEST)}"
            )
        return self.set_to(at + by, real, frozen=self.is_frozen)

    def to_json(self) -> Mapping[str, Any] | None:
        """Return the clock as the database stores it: `None` for real time that skipped nothing."""
        stored: dict[str, Any] = {}
        if self.stopped_at is not None:
            stored["stopped_at"] = self.stopped_at.isoformat()
        if self.ahead:
            stored["ahead"] = self.ahead // _MICROSECOND
        if self.skipped:
            stored["skipped"] = self.skipped // _MICROSECOND
        return stored or None

    @classmethod
    def from_json(cls, stored: Mapping[str, Any] | None) -> "SubscriptionClock":
        """Return a clock that the database has stored."""
        if not stored:
            return REAL
        stopped_at = stored.get("stopped_at")
        return cls(
            stopped_at=None if stopped_at is None else datetime.fromisoformat(stopped_at),
            ahead=timedelta(microseconds=stored.get("ahead", 0)),
            skipped=timedelta(microseconds=stored.get("skipped", 0)),
        )


REAL = SubscriptionClock()
"""Real time."""


def clock_of(database: Database, name: str) -> SubscriptionClock:
    """Return the clock of a subscription. Raises `SubscriptionUnknownError`."""
    with database.read() as connection:
        return _stored(connection, name)


def set_clock(
    database: Database,
    name: str,
    moment: datetime | None = None,
    *,
    frozen: bool = False,
    real: datetime | None = None,
) -> SubscriptionClock:
    """Set the clock of a subscription to a moment: by default, the one that it shows.

    From then on it runs, or stands still if `frozen`. `real` is the current time. Raises
    `ClockError` and `SubscriptionUnknownError`, and then changes nothing.
    """
    at = real or now()
    return _change(
        database,
        name,
        lambda clock: clock.set_to(clock.at(at) if moment is None else moment, at, frozen=frozen),
    )


def advance_clock(
    database: Database, name: str, by: timedelta | float, *, real: datetime | None = None
) -> SubscriptionClock:
    """Set the clock of a subscription forward, by a duration or a number of seconds.

    Raises `ClockError` and `SubscriptionUnknownError`, and then changes nothing.
    """
    at = real or now()
    length = by if isinstance(by, timedelta) else _seconds(by)
    return _change(database, name, lambda clock: clock.advanced(length, at))


def reset_clock(database: Database, name: str) -> SubscriptionClock:
    """Let a subscription have real time again. Raises `SubscriptionUnknownError`."""
    return _change(database, name, lambda clock: SubscriptionClock(skipped=clock.skipped))


def _change(
    database: Database, name: str, change: Callable[[SubscriptionClock], SubscriptionClock]
) -> SubscriptionClock:
    # The clock is read and written under one lock, so that no concurrent advance is lost.
    with database.write() as connection:
        connection.execute(
            sa.select(subscription.c.name)
            .where(subscription.c.name == name)
            .with_for_update(key_share=True)
        )
        clock = change(_stored(connection, name))
        connection.execute(
            subscription.update().where(subscription.c.name == name).values(clock=clock.to_json())
        )
        wake_workers(connection)  # the limits of another day may allow more jobs to run
        return clock


def _stored(connection: sa.Connection, name: str) -> SubscriptionClock:
    row = connection.execute(
        sa.select(subscription.c.clock).where(subscription.c.name == name)
    ).first()
    if row is None:
        raise SubscriptionUnknownError(f"there is no subscription {name!r}")
    return SubscriptionClock.from_json(row.clock)


def _seconds(seconds: float) -> timedelta:
    try:
        return timedelta(seconds=seconds)
    except (ValueError, OverflowError):
        raise ClockError(
            f"a clock cannot be advanced by {seconds} seconds: its last moment is "
            f"{render_instant(LATEST)}"
        ) from None
