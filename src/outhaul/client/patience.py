"""How long a client waits: pauses between calls, and the moment after which it makes no more."""

import time
from collections.abc import Callable
from typing import Self

from outhaul.client.errors import OutOfTimeError


class Patience:
    """A clock with a limit. All pauses of a client go through it, so that none passes the limit.

    `limit` is in seconds from now, or `None`. `clock` and `sleep` replace the time, for tests.
    """

    def __init__(
        self,
        limit: float | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.limit = limit
        self._clock = clock
        self._sleep = sleep
        self._end = None if limit is None else clock() + limit

    def now(self) -> float:
        """Return the seconds of the clock."""
        return self._clock()

    def within(self, seconds: float) -> Self:
        """Return another patience, with the same clock, that ends in this many seconds."""
        return type(self)(seconds, clock=self._clock, sleep=self._sleep)

    def at_most(self, seconds: float) -> float:
        """Return how long a call may take that would take `seconds` at most.

        Raises `OutOfTimeError` if no time is left.
        """
        left = self._left()
        if left is None:
            return seconds
        if left <= 0:
            raise OutOfTimeError(self.limit or 0)
        return min(seconds, left)

    def check(self) -> None:
        """Raise `OutOfTimeError` if no time is left."""
        self.at_most(0)

    def pause(self, seconds: float) -> None:
        """Wait. If the limit comes first, wait until then and raise `OutOfTimeError`."""
        left = self._left()
        if left is None or seconds < left:
            self._sleep(seconds)
            return
        self._sleep(max(left, 0))
        raise OutOfTimeError(self.limit or 0)

    def _left(self) -> float | None:
        return None if self._end is None else self._end - self._clock()
