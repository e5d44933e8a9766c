"""A running service: the API in this process, and export jobs in a worker process."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from typing import Protocol

import structlog
import uvloop
from starlette.types import ASGIApp

from outhaul.api import create_app
from outhaul.database.engine import Database
from outhaul.server.listener import Listener, listen
from outhaul.settings import Settings

COMMAND = (sys.executable, "-m", "outhaul")
"""The command that starts outhaul in another process."""

LOOK_SECONDS = 0.5
"""Interval at which the server checks that the worker process runs."""

STOP_SECONDS = 5
"""Longest time, when the service stops, for calls to end and for the worker to return its jobs."""

log = structlog.get_logger()


class PortTakenError(OSError):
    """The port is in use."""


class Served(Protocol):
    """What a server runs: an application, and export jobs."""

    app: ASGIApp

    async def run_jobs(self) -> None:
        """Run export jobs until cancelled."""

    def close(self) -> None:
        """Close what the application uses."""


class ApiAndWorker:
    """The API in this process, and export jobs in a worker process."""

    def __init__(self, settings: Settings) -> None:
        api = create_app(settings)
        self.app: ASGIApp = api
        self._settings = settings
        self._close = api.state.service.close

    async def run_jobs(self) -> None:
        await _run_worker(self._settings)

    def close(self) -> None:
        self._close()


def serve(
    settings: Settings,
    on_ready: Callable[[str], None],
    make: Callable[[Settings], Served] = ApiAndWorker,
) -> None:
    """Serve until SIGTERM or SIGINT. `on_ready` is called with the URL once calls are answered.

    Raises `PortTakenError` and `DatabaseUnavailableError`.
    """
    if settings.data is not None:
        settings.data.mkdir(parents=True, exist_ok=True)
    try:
        listening = listen(settings.host, settings.port)
    except OSError as error:
        where = f"{settings.host}:{settings.port}"
        raise PortTakenError(f"cannot listen on {where}: {error.strerror}") from error
    with listening:
        database = Database(settings.database_url)
        try:
            database.migrate()
        finally:
            database.close()
        settings = settings.model_copy(update={"port": listening.getsockname()[1]})
        uvloop.run(_serve(settings, listening, on_ready, make))


async def _serve(
    settings: Settings,
    listening: socket.socket,
    on_ready: Callable[[str], None],
    make: Callable[[Settings], Served],
) -> None:
    service = make(settings)
    listener = Listener(service.app, settings)
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    worker = asyncio.create_task(service.run_jobs())
    await asyncio.sleep(0)  # it starts before clients are told that they can call
    try:
        await listener.start(listening)
        host = f"[{settings.host}]" if ":" in settings.host else settings.host
        on_ready(f"http://{host}:{settings.port}")
        await stopping.wait()
    finally:
        worker.cancel()
        await listener.stop(STOP_SECONDS)
        await asyncio.wait({worker})
        await asyncio.to_thread(service.close)


async def _run_worker(settings: Settings) -> None:
    """Run a worker process until cancelled. Start another one if it ends."""
    if settings.workers == 0:
        return
    process = _start(settings)
    try:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            if process.poll() is not None:
                log.error("the worker ended; starting another", status=process.returncode)
                process = _start(settings)
    finally:
        process.terminate()
        try:
            await asyncio.to_thread(process.wait, STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _start(settings: Settings) -> subprocess.Popen[bytes]:
    """Start a worker process. It ends when this process ends, because its input is closed then."""
    return subprocess.Popen(
        [*COMMAND, "worker", "--with-parent"],
        # Not as arguments: settings may contain passwords, and other users can read arguments.
        env=settings.environment(os.environ),
        stdin=subprocess.PIPE,
        # Ctrl-C in a terminal reaches this process only, which then stops the worker.
        process_group=0,
    )
