"""Counting of calls: a call counts as concurrent until its answer is sent, then for the day."""

import asyncio
import functools

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from outhaul.accounts.meter import Meter, Ticket
from outhaul.api.service import ERROR_CODE, TICKET
from outhaul.errors import Error

FLUSH_SECONDS = 1.0
"""Seconds until a count is written to the database."""

_ERRORS = 400

log = structlog.get_logger()


class Counting:
    """ASGI middleware. `Service.caller` registers a call; this ends it once the answer is sent."""

    def __init__(self, app: ASGIApp, meter: Meter) -> None:
        self._app = app
        self._meter = meter
        self._flush_is_due = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one call."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        state = dict(scope.get("state") or {})
        scope = {**scope, "state": state}
        status = 200

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, watched)
        except Exception:
            state.setdefault(ERROR_CODE, Error.SYSTEM_ERROR.code)
            raise
        finally:
            # An error without a row in `Error`, such as a missing file, counts by its status.
            code = state.get(ERROR_CODE) or (str(status) if status >= _ERRORS else None)
            self._leave(state.get(TICKET), code)

    def _leave(self, ticket: Ticket | None, code: str | None) -> None:
        if ticket is not None:
            self._meter.leave(ticket, code)
        if self._flush_is_due or (ticket is None and code is None):
            return
        self._flush_is_due = True
        loop = asyncio.get_running_loop()
        loop.call_later(FLUSH_SECONDS, functools.partial(loop.run_in_executor, None, self._flush))

    def _flush(self) -> None:
        self._flush_is_due = False
        try:
            self._meter.flush()
        except Exception:
            # The counts stay in memory, and the next flush writes them.
            log.exception("calls could not be counted in the database")
