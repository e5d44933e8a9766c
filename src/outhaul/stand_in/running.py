"""A stand-in as a service: the API, the control API and the worker in one process."""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from outhaul.server import serve
from outhaul.settings import Settings
from outhaul.stand_in.app import create_stand_in
from outhaul.stand_in.journal import Entry

if TYPE_CHECKING:
    from starlette.types import ASGIApp


class _Service:
    """What `outhaul.server` runs."""

    def __init__(
        self, settings: Settings, control_token: str, watcher: Callable[[Entry], None] | None
    ) -> None:
        self._stand_in = create_stand_in(settings, control_token)
        if watcher is not None:
            self._stand_in.journal.watch(watcher)
        self.app: ASGIApp = self._stand_in.app

    async def run_jobs(self) -> None:
        self._stand_in.start()
        await asyncio.Event().wait()

    def close(self) -> None:
        self._stand_in.close()


def serve_stand_in(
    settings: Settings,
    control_token: str,
    on_ready: Callable[[str], None],
    watcher: Callable[[Entry], None] | None = None,
) -> None:
    """Serve until SIGTERM or SIGINT, as `outhaul.server.serve` does, with the control API.

    `watcher` is called with each call that was answered. It must not wait.
    """
    serve(settings, on_ready, lambda found: _Service(found, control_token, watcher))
