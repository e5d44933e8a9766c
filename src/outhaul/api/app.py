"""The ASGI application."""

import time
from collections.abc import Callable
from datetime import datetime

from fastapi import FastAPI

from outhaul import __version__
from outhaul.api.bulk import bulk_router
from outhaul.api.counting import Counting
from outhaul.api.errors import install_error_handlers
from outhaul.api.gate import Gate
from outhaul.api.health import health_router
from outhaul.api.identity import identity_router
from outhaul.api.lookups import lookup_routers
from outhaul.api.service import Service
from outhaul.api.stats import stats_router
from outhaul.clock import now
from outhaul.kinds import KINDS
from outhaul.settings import Settings


def create_app(
    settings: Settings,
    clock: Callable[[], datetime] = now,
    timer: Callable[[], float] = time.monotonic,
) -> FastAPI:
    """Return the application over the data that `settings` name. The schema must be migrated.

    `clock` tells the time of day, and `timer` the seconds between two calls.
    """
    service = Service(settings, clock, timer)
    app = FastAPI(
        title="outhaul",
        version=__version__,
        description="Bulk extract of records kept in open tables.",
        redirect_slashes=False,
    )
    app.state.service = service
    app.include_router(health_router(service))
    app.include_router(identity_router(service))
    for kind in KINDS.values():
        app.include_router(bulk_router(service, kind))
    for router in lookup_routers(service):
        app.include_router(router)
    app.include_router(stats_router(service))
    install_error_handlers(app)
    app.add_middleware(Counting, meter=service.meter)
    app.add_middleware(Gate, limits=settings.limits_of({}))
    return app
