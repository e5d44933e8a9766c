"""Whether all can be reached that answers are made of."""

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor

from outhaul.database.engine import reason

ANSWER_SECONDS = 5.0
"""What each check has: who asks gives up by then, or soon after."""

Check = Callable[[], object]


class Checks:
    """Checks by the name of what they are about. One returns where that answers, else it raises.

    To be used from one event loop.
    """

    def __init__(self, checks: Mapping[str, Check]) -> None:
        self._checks = checks
        self._pool = ThreadPoolExecutor(len(checks), "check")
        self._running: dict[str, Future[str | None]] = {}

    async def failures(self) -> Mapping[str, str]:
        """Return what cannot be reached, and why.

        Who asks while a check goes on waits for that one: something that swallows requests holds
        one thread, and not one for each time that somebody asks.
        """
        for name, check in self._checks.items():
            if name not in self._running or self._running[name].done():
                self._running[name] = self._pool.submit(_failure, check)
        waiting = {name: asyncio.wrap_future(found) for name, found in self._running.items()}
        await asyncio.wait(waiting.values(), timeout=ANSWER_SECONDS)
        return {name: why for name, found in waiting.items() if (why := _told(found)) is not None}

    def close(self) -> None:
        """Begin no more checks."""
        self._pool.shutdown(wait=False, cancel_futures=True)


def _failure(check: Check) -> str | None:
    try:
        check()
    except Exception as error:  # noqa: BLE001 - whatever it is, it does not answer as it should
        return reason(error)
    return None


def _told(found: asyncio.Future[str | None]) -> str | None:
    return found.result() if found.done() else f"no answer within {ANSWER_SECONDS:g} s"
