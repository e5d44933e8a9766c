"""The application of a stand-in: the API, within what records its calls, and the control API."""

import threading
import time
from collections.abc import Callable
from datetime import datetime

from starlette.types import Receive, Scope, Send

from outhaul.api import create_app
from outhaul.api.app import Api
from outhaul.api.service import Service
from outhaul.clock import now
from outhaul.settings import Settings
from outhaul.stand_in.control.app import ROOT, control_app
from outhaul.stand_in.control.state import State
from outhaul.stand_in.journal import Entry, Journal
from outhaul.stand_in.orders import Orders
from outhaul.stand_in.recording import Recording
from outhaul.worker import Worker


class StandIn:
    """The API, the control API and a worker, in this process. `app` is the ASGI application."""

    def __init__(
        self,
        settings: Settings,
        control_token: str,
        clock: Callable[[], datetime],
        timer: Callable[[], float],
    ) -> None:
        api = create_app(settings, clock, timer)
        self.service = _service_of(api)
        self.journal = Journal()
        self.orders = Orders()
        self._worker = Worker(settings, clock=clock, pace=self.orders)
        self._thread = threading.Thread(target=self._worker.run, name="worker")
        self._recording = Recording(api, self.service.database, self.journal, clock)
        state = State(
            service=self.service,
            journal=self.journal,
            orders=self.orders,
            wake=self._worker.wake,
        )
        self._control = control_app(state, control_token)
        self.journal.watch(self._wake_worker)

    async def app(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one call."""
        path = scope.get("path", "")
        is_control = path == ROOT or path.startswith(f"{ROOT}/")
        await (self._control if is_control else self._recording)(scope, receive, send)

    def start(self) -> None:
        """Run export jobs, in threads of this process, until `close`."""
        self._thread.start()

    def close(self) -> None:
        """Stop the worker, whose jobs go back to the queue, and close the database."""
        if self._thread.ident is None:
            self._worker.close()
        else:
            self._worker.stop()
            self._thread.join()
        self.service.close()

    def _wake_worker(self, entry: Entry) -> None:
        if entry.call.name == "enqueue":
            self._worker.wake()


def _service_of(api: Api) -> Service:
    service: Service = api.state.service
    return service


def create_stand_in(
    settings: Settings,
    control_token: str,
    clock: Callable[[], datetime] = now,
    timer: Callable[[], float] = time.monotonic,
) -> StandIn:
    """Return a stand-in for the database, lake and files that `settings` name.

    The schema of the database must be migrated. Control calls need the `control_token`. `clock`
    returns the current time. `timer` returns seconds of a monotonic clock.
    """
    return StandIn(settings, control_token, clock, timer)
