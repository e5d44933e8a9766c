"""Control calls about the clock of a subscription."""

from collections.abc import Callable
from datetime import datetime
from functools import partial

from pydantic import model_validator
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from outhaul.accounts.clocks import (
    ClockError,
    SubscriptionClock,
    advance_clock,
    clock_of,
    reset_clock,
    set_clock,
)
from outhaul.api.json import JsonResponse
from outhaul.stand_in.control.requests import Body, ControlError, read_body, read_query
from outhaul.stand_in.control.state import State
from outhaul.stand_in.journal import precise


class Setting(Body):
    """What a clock is to show. Without a moment, it goes on from what it shows."""

    moment: str | None = None
    frozen: bool = False

    @model_validator(mode="after")
    def _is_a_moment(self) -> "Setting":
        if self.moment is not None:
            try:
                aware = datetime.fromisoformat(self.moment).tzinfo is not None
            except ValueError:
                aware = False
            if not aware:
                raise ControlError(
                    400,
                    "moment must be an ISO 8601 datetime with a time zone, such as "
                    "2026-01-31T23:59:59Z",
                    "moment",
                )
        return self


class Advance(Body):
    """How far a clock is set forward."""

    advance_seconds: float


def clock_routes(state: State) -> list[Route]:
    """Return the routes of the clock."""
    routes = _Routes(state)
    path = "/_outhaul/subscriptions/{name}/clock"
    return [
        Route(path, routes.show, methods=["GET"]),
        Route(path, routes.set, methods=["PUT"]),
        Route(path, routes.advance, methods=["POST"]),
        Route(path, routes.reset, methods=["DELETE"]),
    ]


class _Routes:
    def __init__(self, state: State) -> None:
        self._state = state
        self._database = state.service.database

    async def show(self, request: Request) -> Response:
        return await self._changed(request, clock_of, "name")

    async def set(self, request: Request) -> Response:
        given = await read_body(request, Setting)
        moment = None if given.moment is None else datetime.fromisoformat(given.moment)
        change = partial(
            set_clock, moment=moment, frozen=given.frozen, real=self._state.service.clock()
        )
        return await self._changed(request, change, "moment")

    async def advance(self, request: Request) -> Response:
        by = (await read_body(request, Advance)).advance_seconds
        change = partial(advance_clock, by=by, real=self._state.service.clock())
        return await self._changed(request, change, "advance_seconds")

    async def reset(self, request: Request) -> Response:
        return await self._changed(request, reset_clock, "name")

    async def _changed(
        self, request: Request, change: Callable[..., SubscriptionClock], parameter: str
    ) -> Response:
        """Return what the clock shows after a change."""
        subscription = await self._state.subscription(request)
        read_query(request, ())
        try:
            clock = await run_in_threadpool(change, self._database, subscription.name)
        except ClockError as error:
            raise ControlError(400, str(error), parameter) from None
        self._state.wake()
        return JsonResponse(
            {
                "moment": precise(clock.at(self._state.service.clock())),
                "frozen": clock.is_frozen,
                "real": clock.is_real,
            }
        )
