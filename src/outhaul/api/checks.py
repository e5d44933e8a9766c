"""Checks of the services that answers need: database, files, lake."""

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor

from outhaul.database.engine import reason

ANSWER_SECONDS = 5.0
"""Seconds that a check may take. Load balancers do not wait much longer for an answer."""

Check = Callable[[], object]


class Checks:
    """Checks, by the name of the service. A check raises if its service cannot be reached.

    Use it from one event loop only.
    """

    def __init__(self, checks: Mapping[str, Check]) -> None:
        self._checks = checks
        self._pool = ThreadPoolExecutor(len(checks), "check")
        self._running: dict[str, Future[str | None]] = {}

    async def failures(self) -> Mapping[str, str]:
        """Return the services that cannot be reached, with the reasons.

        A call during a running check waits for that check. So a service that never answers
        occupies one thread only, and not one for each call.
        """
        for name, check in self._checks.items():
            if name not in self._running or self._running[name].done():
                self._running[name] = self._pool.submit(_failure, check)
        waiting = {name: asyncio.wrap_future(found) for name, found in self._running.items()}
        await asyncio.wait(waiting.values(), timeout=ANSWER_SECONDS)
        return {
            name: why for name, found in waiting.items() if (why := _outcome(found)) is not None
        }

    def close(self) -> None:
        """Start no more checks."""
        self._pool.shutdown(wait=False, cancel_futures=True)


def _failure(check: Check) -> str | None:
    try:
        check()
    except Exception as error:  # noqa: BLE001 - any failure means that the service does not work
        return reason(error)
    return None


def _outcome(found: asyncio.Future[str | None]) -> str | None:
    return found.result() if found.done() else f"no answer within {ANSWER_SECONDS:g} s"
