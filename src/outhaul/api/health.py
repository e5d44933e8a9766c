"""What load balancers and supervisors ask: whether the server is alive, and can do its work."""

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
    """The process answers."""

    status: Literal["alive"] = "alive"


class Ready(BaseModel):
    """Whether all can be reached that answers are made of, and what cannot."""

    ready: bool
    unreachable: list[Literal["database", "files", "lake"]]


_UNREACHED = Reply(description="Something cannot be reached.", models=(Ready,))
_REPLIES = {
    ALIVE: {200: Reply(description="The server is alive.", models=(Alive,))},
    READY: {
        200: Reply(description="All can be reached.", models=(Ready,)),
        UNAVAILABLE: _UNREACHED,
    },
}


def health_calls(service: Service) -> list[Call]:
    """Return the calls; they need no token, are not counted, and say nothing of addresses.

    What asks looks at the HTTP status alone, and so these say with it what they have to say.
    """

    async def alive(_: Request) -> Response:
        """Tell that the server is alive: if this is not answered, start another."""
        return JSONResponse(Alive().model_dump())

    async def ready(_: Request) -> Response:
        """Tell whether database, files and lake can be reached: if not, send calls elsewhere."""
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
    """Refuse other methods by the status, and not as calls are refused, which is with 200."""
    return Response(status_code=405, headers={"Allow": "GET, HEAD"})
