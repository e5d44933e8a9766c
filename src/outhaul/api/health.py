"""What load balancers and supervisors ask: whether the server is alive, and can do its work."""

from typing import Literal

import structlog
from fastapi import APIRouter
from pydantic import BaseModel
from starlette.responses import JSONResponse, Response

from outhaul.api.service import Service

ALIVE = "/healthz"
READY = "/readyz"

UNAVAILABLE = 503
OTHERS = ("POST", "PUT", "PATCH", "DELETE", "OPTIONS")

log = structlog.get_logger()


class Alive(BaseModel):
    """The process answers."""

    status: Literal["alive"] = "alive"


class Ready(BaseModel):
    """Whether all can be reached that answers are made of, and what cannot."""

    ready: bool
    unreachable: list[Literal["database", "files", "lake"]]


def health_router(service: Service) -> APIRouter:
    """Return the routes; they need no token, are not counted, and say nothing of addresses.

    What asks looks at the HTTP status alone, and so these say with it what they have to say.
    """
    router = APIRouter(tags=["health"])

    @router.head(ALIVE, include_in_schema=False)
    @router.get(ALIVE)
    async def alive() -> Alive:
        """Tell that the server is alive: if this is not answered, start another."""
        return Alive()

    @router.head(READY, include_in_schema=False)
    @router.get(READY, response_model=Ready, responses={UNAVAILABLE: {"model": Ready}})
    async def ready() -> Response:
        """Tell whether database, files and lake can be reached: if not, send calls elsewhere."""
        failures = await service.checks.failures()
        if failures:
            log.warning("not ready", **failures)
        answer = {"ready": not failures, "unreachable": list(failures)}
        return JSONResponse(answer, status_code=UNAVAILABLE if failures else 200)

    @router.api_route(ALIVE, methods=[*OTHERS], include_in_schema=False)
    @router.api_route(READY, methods=[*OTHERS], include_in_schema=False)
    async def refused() -> Response:
        """Refuse other methods by the status, and not as calls are refused, which is with 200."""
        return Response(status_code=405, headers={"Allow": "GET, HEAD"})

    return router
