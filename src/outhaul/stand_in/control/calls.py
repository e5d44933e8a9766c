"""Control calls about the journal."""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from outhaul.api.json import JsonResponse
from outhaul.stand_in.control.requests import ControlError, read_query, read_value
from outhaul.stand_in.control.state import State
from outhaul.stand_in.journal import Journal, Selection, Wanted


class _Filter(NamedTuple):
    parse: Callable[[str], Any]
    expected: str = "a text"


def _json(text: str) -> Any:  # noqa: ANN401 - any JSON value
    return json.loads(text)


def _since(text: str) -> int | datetime:
    if text.isdecimal() and len(text) <= 18:  # noqa: PLR2004 - the digits of any number of a call
        return int(text)
    moment = datetime.fromisoformat(text)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _status(text: str) -> int:
    if not text.isdecimal() or len(text) != 3:  # noqa: PLR2004 - HTTP statuses have three digits
        raise ValueError(text)
    return int(text)


_FILTERS: Mapping[str, _Filter] = {
    "call": _Filter(str),
    "kind": _Filter(str),
    "method": _Filter(str.upper),
    "path": _Filter(str),
    "status": _Filter(_status, "an HTTP status"),
    "code": _Filter(str),
    "service": _Filter(str),
    "job": _Filter(str),
    "body": _Filter(_json, "JSON"),
    "since": _Filter(_since, "the number of a call, or an ISO 8601 datetime"),
}


def calls_routes(state: State) -> list[Route]:
    """Return the routes of the journal."""
    routes = _Routes(state)
    of_subscription = "/_outhaul/subscriptions/{name}/calls"
    return [
        Route(of_subscription, routes.show, methods=["GET"]),
        Route(of_subscription, routes.clear, methods=["DELETE"]),
        Route(f"{of_subscription}/count", routes.count, methods=["GET"]),
        Route("/_outhaul/calls", routes.show_others, methods=["GET"]),
        Route("/_outhaul/calls", routes.clear_others, methods=["DELETE"]),
    ]


class _Routes:
    def __init__(self, state: State) -> None:
        self._state = state

    async def show(self, request: Request) -> Response:
        subscription = await self._state.subscription(request)
        return await run_in_threadpool(_show, self._state.journal, subscription.name, request)

    async def count(self, request: Request) -> Response:
        subscription = await self._state.subscription(request)
        found = await run_in_threadpool(_select, self._state.journal, subscription.name, request)
        return JsonResponse({"count": len(found.entries), "dropped": found.dropped})

    async def clear(self, request: Request) -> Response:
        subscription = await self._state.subscription(request)
        read_query(request, ())
        self._state.journal.clear(subscription.name)
        return JsonResponse({})

    async def show_others(self, request: Request) -> Response:
        return await run_in_threadpool(_show, self._state.journal, None, request)

    async def clear_others(self, request: Request) -> Response:
        read_query(request, ())
        self._state.journal.clear(None)
        return JsonResponse({})


def _show(journal: Journal, subscription: str | None, request: Request) -> Response:
    found = _select(journal, subscription, request)
    calls = [entry.to_json() for entry in found.entries]
    return JsonResponse({"calls": calls, "count": len(calls), "dropped": found.dropped})


def _select(journal: Journal, subscription: str | None, request: Request) -> Selection:
    given = read_query(request, _FILTERS)
    values: dict[str, Any] = {
        name: [read_value(name, text, *_FILTERS[name]) for text in texts]
        for name, texts in given.items()
    }
    if "since" in values:
        values["since"] = values["since"][-1]
    try:
        return journal.select(subscription, Wanted(**values))
    except RecursionError:
        raise ControlError(400, "body is nested too deeply", "body") from None
