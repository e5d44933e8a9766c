"""The application of a stand-in: the API, within what records its calls and makes faults."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from starlette.types import ASGIApp

from outhaul.api import create_app
from outhaul.api.service import Service
from outhaul.clock import now
from outhaul.settings import Settings
from outhaul.stand_in.recording import Recording


@dataclass(frozen=True, kw_only=True)
class StandIn:
    """The application of a stand-in, and what its calls act on."""

    app: ASGIApp
    service: Service


def create_stand_in(
    settings: Settings,
    clock: Callable[[], datetime] = now,
    timer: Callable[[], float] = time.monotonic,
) -> StandIn:
    """Return a stand-in for the database, lake and files that `settings` name.

    The schema of the database must be migrated. `clock` returns the current time. `timer` returns
    seconds of a monotonic clock.
    """
    api = create_app(settings, clock, timer)
    service: Service = api.state.service
    faulty: ASGIApp = api  # faults wrap the API here
    return StandIn(app=Recording(faulty, service.database, clock), service=service)
