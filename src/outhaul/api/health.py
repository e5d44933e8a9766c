"""Health checks for load balancers and supervisors: whether a server is alive, and ready."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Literal

import structlog
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from outhaul.api.calls import Call, Reply
from outhaul.api.service import Service

ALIVE = "/healthz"
READY = "/readyz"

UNAVAILABLE = 503
METHODS: tuple[Literal["GET", "HEAD"], ...] = ("GET", "HEAD")
OTHERS = ("POST", "PUT", "PATCH", "DELETE", "OPTIONS")

log = structlog.get_logger()


class Alive(BaseModel):
    """The server process is running."""

    status: Literal["alive"] = "alive"


class Ready(BaseModel):
    """Whether database, files and lake can be reached, and which of them cannot."""

    ready: bool
    unreachable: list[Literal["database", "files", "lake"]]


_UNREACHED = Reply(description="At least one cannot be reached.", models=(Ready,))
_REPLIES = {
    ALIVE: {200: Reply(description="The server is alive.", models=(Alive,))},
    READY: {
        200: Reply(description="All three can be reached.", models=(Ready,)),
        UNAVAILABLE: _UNREACHED,
    },
}


def health_calls(service: Service) -> list[Call]:
    """Return the health calls. They need no token and are not counted.

    Their HTTP status says everything, because load balancers read nothing else. Answers contain
    no addresses, because anybody can call.
    """

    async def alive(_: Request) -> Response:
        """Tell that the server is alive. If there is no answer, restart the server."""
        return JSONResponse(Alive().model_dump())

    async def ready(_: Request) -> Response:
        """Tell whether database, files and lake can be reached. If not, use another server."""
        failures = await service.checks.failures()
        if failures:
            log.warning("not ready", **failures)
        answer = {"ready": not failures, "unreachable": list(failures)}
        return JSONResponse(answer, status_code=UNAVAILABLE if failures else 200)

    return [
        Call(
            method=method,
            path=path,
            endpoint=endpoint,
            operation_id=f"{endpoint.__name__}_{method.lower()}",
            tag="health",
            summary=endpoint.__doc__ or "",
            replies=_replies(path, method),
            needs_token=False,
        )
        for path, endpoint in ((ALIVE, alive), (READY, ready))
        for method in METHODS
    ]


def _replies(path: str, method: str) -> Mapping[int, Reply]:
    if method == "GET":
        return _REPLIES[path]
    return {status: replace(reply, models=()) for status, reply in _REPLIES[path].items()}


async def refuse(_: Request) -> Response:
    """Refuse other methods with status 405, unlike other calls, which answer 200 with an error."""
    return Response(status_code=405, headers={"Allow": "GET, HEAD"})
