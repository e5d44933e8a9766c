"""A limit on the calls of a session in any 20 seconds, so that the endpoint refuses none (606)."""

import threading
from collections import deque

from outhaul.client.patience import Patience

_SECONDS = 20.0
# Calls do not arrive at the intervals at which they were sent.
_SLACK = 0.5


class Pacing:
    """The times of the latest calls. Threads may share it.

    A tenth of the calls is left for those that tidy up at the end, which do not wait.
    """

    def __init__(self, calls: int | None) -> None:
        self._times: deque[float] = deque()
        self._lock = threading.Lock()
        self.limit(calls)

    def limit(self, calls: int | None) -> None:
        """Set how many calls there may be in any 20 seconds."""
        self._most = None if calls is None else max(1, calls - calls // 10)

    def admit(self, patience: Patience, *, waits: bool = True) -> None:
        """Wait until one more call may be made, and count it. Raises `OutOfTimeError`."""
        while (pause := self._count(patience.now(), waits=waits)) > 0:
            patience.pause(pause)

    def _count(self, now: float, *, waits: bool) -> float:
        """Count a call and return 0, or return how long it has to wait, in seconds."""
        with self._lock:
            while self._times and now - self._times[0] >= _SECONDS + _SLACK:
                self._times.popleft()
            if waits and self._most is not None and len(self._times) >= self._most:
                return max(self._times[0] + _SECONDS + _SLACK - now, 0.001)
            self._times.append(now)
            return 0.0
