"""One running service: the API in this process, export jobs in a worker process beside it."""

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
"""How the worker process is started."""

LOOK_SECONDS = 0.5
"""How often the worker process is looked after."""

STOP_SECONDS = 5
"""What a worker has to hand back its jobs when the service stops, and calls have to be answered."""

log = structlog.get_logger()


class PortTakenError(OSError):
    """The port is in use."""


def serve(settings: Settings, on_ready: Callable[[str], None]) -> None:
    """Serve until SIGTERM or SIGINT; `on_ready` is told the URL once calls are answered.

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
    """Return `port`, or a free one for 0. Raises `PortTakenError` where it is in use."""
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
    keeping = asyncio.create_task(_keep(settings))
    serving = asyncio.create_task(server.serve())
    try:
        await _answering(settings, serving)
        if not serving.done():
            host = f"[{settings.host}]" if ":" in settings.host else settings.host
            on_ready(f"http://{host}:{settings.port}")
        ended = asyncio.create_task(stopping.wait())
        await asyncio.wait({serving, ended}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        keeping.cancel()
        server.stop()  # type: ignore[no-untyped-call]
        # The server would wait without end for a client that does not read on.
        await asyncio.wait({serving}, timeout=STOP_SECONDS)
        await asyncio.wait({keeping})
        await asyncio.to_thread(app.state.service.close)
    if serving.done():
        serving.result()


async def _answering(settings: Settings, serving: asyncio.Task[None]) -> None:
    """Return when the server takes connections."""
    while not serving.done():
        try:
            _, writer = await asyncio.open_connection(settings.host, settings.port)
        except OSError:
            await asyncio.sleep(0.01)
        else:
            writer.close()
            return


async def _keep(settings: Settings) -> None:
    """Keep a worker process running until cancelled, if there is to be one."""
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
    """Start a worker; it ends when this process does, as nobody holds its input any more."""
    return subprocess.Popen(
        [*COMMAND, "worker", "--with-parent"],
        # Others can read the arguments of a process, and settings may have passwords in them.
        env=settings.environment(os.environ),
        stdin=subprocess.PIPE,
        # Ctrl-C in a terminal is for this process, which then stops the worker.
        process_group=0,
    )
