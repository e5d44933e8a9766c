"""The ASGI application."""

import time
from collections.abc import Callable, Iterator
from datetime import datetime
from functools import cache, partial

from fastapi import FastAPI

from outhaul import __version__
from outhaul.api.bulk import bulk_calls
from outhaul.api.calls import Call
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


def create_app(
    settings: Settings,
    clock: Callable[[], datetime] = now,
    timer: Callable[[], float] = time.monotonic,
) -> FastAPI:
    """Return the application for the database, lake and files that `settings` name.

    The schema of the database must be migrated. `clock` returns the current time. `timer` returns
    seconds of a monotonic clock, which rate limits use.
    """
    service = Service(settings, clock, timer)
    calls = list(_calls(service))
    app = FastAPI(
        title="outhaul", version=__version__, docs_url=None, redoc_url=None, redirect_slashes=False
    )
    app.state.service = service
    for call in calls:
        app.add_api_route(call.path, call.endpoint, methods=[call.method], response_model=None)
    for path in (ALIVE, READY):
        app.add_api_route(path, refuse, methods=[*OTHERS], response_model=None)
    # FastAPI would derive a description from the endpoints, which do not show what they read.
    app.openapi = cache(partial(describe, calls))  # type: ignore[method-assign]
    app.add_api_route(DOCS, docs_page(app.openapi), methods=["GET"], response_model=None)
    install_error_handlers(app)
    app.add_middleware(Compression, limits=lambda: settings.limits_of({}, clock()))
    app.add_middleware(Counting, meter=service.meter)
    app.add_middleware(Gate, limits=settings.limits_of({}, clock()))
    return app


def _calls(service: Service) -> Iterator[Call]:
    yield from health_calls(service)
    yield from identity_calls(service)
    for kind in KINDS.values():
        yield from bulk_calls(service, kind)
    yield from all_lookups(service)
    yield from stats_calls(service)
