"""Counting calls, and the limits on calls in 20 seconds, at a time and in a day.

Calls are counted in memory. The counts are written to the database together, at least once a second
and before they are read, so that no call waits for a transaction that writes.
"""

import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from outhaul.accounts.usage import Totals, UsageStore
from outhaul.errors import Error
from outhaul.limits import Limits
from outhaul.protocol.quota_days import quota_date

RATE_SECONDS = 20
REPORT_DAYS = 7


@dataclass(frozen=True, kw_only=True)
class Ticket:
    """A call in progress. It counts for `calls_at_once` until `Meter.leave`."""

    subscription: str
    user: int
    day: date


@dataclass
class _Tally:
    """The counts of one subscription."""

    day: date
    """The quota day of `calls`."""
    calls: int
    """Calls of the day that succeeded, including those that other processes have written."""
    skipped: float = 0
    """The seconds that the clock of the subscription has skipped. They count as passed."""
    recent: deque[float] = field(default_factory=deque)
    """When each call of the last 20 seconds was admitted: seconds of the timer, plus `skipped`."""
    running: int = 0
    """Calls in progress."""


class Meter:
    """Admits calls within the limits, and counts them. Safe to use from any thread.

    `timer` measures the 20 seconds. It is monotonic, because callers would be refused for too long
    after a clock is set back.
    """

    def __init__(self, store: UsageStore, timer: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._timer = timer
        self._tallies: dict[str, _Tally] = {}
        self._calls: Counter[tuple[str, date, int]] = Counter()
        self._errors: Counter[tuple[str, date, str]] = Counter()
        self._counting = threading.Lock()  # held briefly, and never during a statement
        self._flushing = threading.Lock()  # held while counts are read from the database or written

    def enter(
        self,
        subscription: str,
        user: int,
        limits: Limits,
        moment: datetime,
        *,
        skipped: float = 0,
    ) -> Ticket:
        """Admit a call, which is in progress until `leave`.

        `moment` is by the clock of the subscription, and `skipped` the seconds that this clock has
        skipped. Raises 615, 606 and 607. A refused call counts as an error, and for no limit. Calls
        in progress count for the day as if they had succeeded, so that a day never exceeds its
        limit.
        """
        day = quota_date(moment)
        while True:
            self._open(subscription, day)
            with self._counting:
                tally = self._tallies[subscription]
                if tally.day != day:
                    continue  # a call of another day came between: a clock was set
                self._admit(tally, subscription, limits, skipped)
            return Ticket(subscription=subscription, user=user, day=day)

    def _admit(self, tally: _Tally, subscription: str, limits: Limits, skipped: float) -> None:
        """Count a call as in progress, or refuse it."""
        # A call that began before an advance may come after one that began later.
        tally.skipped = max(tally.skipped, skipped)
        seconds = self._timer() + tally.skipped
        while tally.recent and seconds - tally.recent[0] >= RATE_SECONDS:
            tally.recent.popleft()
        refusal = None
        if _full(tally.running, limits.calls_at_once):
            refusal = Error.TOO_MANY_AT_ONCE()
        elif _full(len(tally.recent), limits.calls_in_20_seconds):
            limit = limits.calls_in_20_seconds
            refusal = Error.RATE_EXCEEDED(limit=limit, seconds=RATE_SECONDS)
        elif _full(tally.calls + tally.running, limits.calls_per_day):
            refusal = Error.CALLS_EXCEEDED()
        if refusal is not None:
            self._errors[subscription, tally.day, refusal.error.code] += 1
            raise refusal
        tally.running += 1
        if limits.calls_in_20_seconds is not None:
            tally.recent.append(seconds)

    def leave(self, ticket: Ticket, error_code: str | None) -> None:
        """End a call when its answer is sent. An error does not count for the day."""
        with self._counting:
            tally = self._tallies[ticket.subscription]
            tally.running -= 1
            if error_code is not None:
                self._errors[ticket.subscription, ticket.day, error_code] += 1
                return
            self._calls[ticket.subscription, ticket.day, ticket.user] += 1
            if tally.day == ticket.day:
                tally.calls += 1

    def flush(self) -> None:
        """Write the counts to the database, and read the totals of all processes."""
        with self._flushing:
            with self._counting:
                calls, self._calls = self._calls, Counter()
                errors, self._errors = self._errors, Counter()
            if not calls and not errors:
                return
            try:
                totals = self._store.add(calls, errors)
            except BaseException:
                with self._counting:  # they are written the next time
                    self._calls.update(calls)
                    self._errors.update(errors)
                raise
            with self._counting:
                for (subscription, day), total in totals.items():
                    tally = self._tallies[subscription]
                    if tally.day == day:
                        tally.calls = total + self._pending(subscription, day)

    def forget(self, subscription: str) -> None:
        """Forget all calls and errors of a subscription, but for the calls in progress."""
        with self._flushing:
            self._store.drop(subscription)
            with self._counting:
                for counts in (self._calls, self._errors):
                    for key in [key for key in counts if key[0] == subscription]:
                        del counts[key]
                tally = self._tallies.get(subscription)
                if tally is not None:
                    tally.day, tally.calls = date.min, 0  # the next call begins a day
                    tally.recent.clear()

    def calls(self, subscription: str, moment: datetime, days: int = 1) -> Totals:
        """Return the calls of the last days by the user's e-mail address, latest day first."""
        self.flush()
        return self._store.calls(subscription, _last(days, moment))

    def errors(self, subscription: str, moment: datetime, days: int = 1) -> Totals:
        """Return the errors of the last days by their code, latest day first."""
        self.flush()
        return self._store.errors(subscription, _last(days, moment))

    def _open(self, subscription: str, day: date) -> None:
        """Begin a quota day of a subscription with the calls that the database has for it."""
        known = self._tallies.get(subscription)
        if known is not None and known.day == day:
            return
        with self._flushing:  # so that no counts are being written at this time
            total = self._store.total(subscription, day)
            with self._counting:
                tally = self._tallies.setdefault(subscription, _Tally(day=day, calls=0))
                tally.day = day
                tally.calls = total + self._pending(subscription, day)

    def _pending(self, subscription: str, day: date) -> int:
        """Return the calls of a day that are not in the database yet."""
        return sum(
            count for (of, on, _), count in self._calls.items() if (of, on) == (subscription, day)
        )


def _full(count: int, limit: int | None) -> bool:
    return limit is not None and count >= limit


def _last(days: int, moment: datetime) -> list[date]:
    today = quota_date(moment)
    return [today - timedelta(days=n) for n in range(days)]
