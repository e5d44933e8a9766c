"""The ASGI application."""

import time
from collections.abc import Callable, Iterator
from datetime import datetime
from functools import cached_property
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from outhaul.api.bulk import bulk_calls
from outhaul.api.calls import Call, Endpoint
from outhaul.api.compression import Compression
from outhaul.api.counting import Counting
from outhaul.api.description import describe
from outhaul.api.docs import DOCS, docs_page
from outhaul.api.errors import install_error_handlers
from outhaul.api.gate import Gate
from outhaul.api.health import ALIVE, OTHERS, READY, health_calls, refuse
from outhaul.api.identity import identity_calls
from outhaul.api.lookups import all_lookups
from outhaul.api.service import Service
from outhaul.api.stats import stats_calls
from outhaul.clock import now
from outhaul.kinds import KINDS
from outhaul.settings import Settings

DESCRIPTION = "/openapi.json"


class Api(Starlette):
    """The application. Its `state.service` is what the calls act on."""

    def __init__(self, service: Service) -> None:
        self._calls = list(_calls(service))
        super().__init__(
            routes=[
                *(_route(call.path, call.endpoint, call.method) for call in self._calls),
                *(_route(path, refuse, *OTHERS) for path in (ALIVE, READY)),
                _route(DESCRIPTION, self._show_description, "GET"),
                _route(DOCS, docs_page(self.openapi), "GET"),
            ]
        )
        self.router.redirect_slashes = False
        self.state.service = service

    def openapi(self) -> dict[str, Any]:
        """Return the description of the calls."""
        return self._description

    @cached_property
    def _description(self) -> dict[str, Any]:
        return describe(self._calls)

    def _show_description(self, _: Request) -> Response:
        return JSONResponse(self.openapi())


def create_app(
    settings: Settings,
    clock: Callable[[], datetime] = now,
    timer: Callable[[], float] = time.monotonic,
) -> Api:
    """Return the application for the database, lake and files that `settings` name.

    The schema of the database must be migrated. `clock` returns the current time. `timer` returns
    seconds of a monotonic clock, which rate limits use.
    """
    service = Service(settings, clock, timer)
    app = Api(service)
    install_error_handlers(app)
    app.add_middleware(Compression, limits=lambda: settings.limits_of({}, clock()))
    app.add_middleware(Counting, meter=service.meter)
    app.add_middleware(Gate, limits=settings.limits_of({}, clock()))
    return app


def _route(path: str, endpoint: Endpoint, *methods: str) -> Route:
    route = Route(path, endpoint, methods=methods)
    route.methods = set(methods)  # Starlette adds HEAD to GET, which not every call answers
    return route


def _calls(service: Service) -> Iterator[Call]:
    yield from health_calls(service)
    yield from identity_calls(service)
    for kind in KINDS.values():
        yield from bulk_calls(service, kind)
    yield from all_lookups(service)
    yield from stats_calls(service)
