"""A running service: the API in this process, and export jobs in a worker process."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable

import structlog
from granian.constants import Interfaces
from granian.log import LogLevels
from granian.server.embed import Server

from outhaul.api import create_app
from outhaul.database.engine import Database
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


def serve(settings: Settings, on_ready: Callable[[str], None]) -> None:
    """Serve until SIGTERM or SIGINT. `on_ready` is called with the URL once calls are answered.

    Raises `PortTakenError` and `DatabaseUnavailableError`.
    """
    if settings.data is not None:
        settings.data.mkdir(parents=True, exist_ok=True)
    database = Database(settings.database_url)
    try:
        database.migrate()
    finally:
        database.close()
    settings = settings.model_copy(update={"port": free_port(settings.host, settings.port)})
    asyncio.run(_serve(settings, on_ready))


def free_port(host: str, port: int) -> int:
    """Return `port`, or a free port for 0. Raises `PortTakenError` if the port is in use."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise PortTakenError(f"cannot listen on {host}:{port}: {error.strerror}") from error
        return int(probe.getsockname()[1])


async def _serve(settings: Settings, on_ready: Callable[[str], None]) -> None:
    app = create_app(settings)
    server = Server(
        app,
        address=settings.host,
        port=settings.port,
        interface=Interfaces.ASGINL,
        log_enabled=False,
        log_level=LogLevels.warning,
        websockets=False,
    )
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    worker = asyncio.create_task(_run_worker(settings))
    serving = asyncio.create_task(server.serve())
    try:
        await _answering(settings, serving)
        if not serving.done():
            host = f"[{settings.host}]" if ":" in settings.host else settings.host
            on_ready(f"http://{host}:{settings.port}")
        ended = asyncio.create_task(stopping.wait())
        await asyncio.wait({serving, ended}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        worker.cancel()
        server.stop()  # type: ignore[no-untyped-call]
        # With a limit, because the server would wait forever for a client that stopped reading.
        await asyncio.wait({serving}, timeout=STOP_SECONDS)
        await asyncio.wait({worker})
        await asyncio.to_thread(app.state.service.close)
    if serving.done():
        serving.result()


async def _answering(settings: Settings, serving: asyncio.Task[None]) -> None:
    """Wait until the server accepts connections, or has ended."""
    while not serving.done():
        try:
            _, writer = await asyncio.open_connection(settings.host, settings.port)
        except OSError:
            await asyncio.sleep(0.01)
        else:
            writer.close()
            return


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
