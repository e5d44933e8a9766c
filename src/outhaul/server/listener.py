"""Accepts connections, as many as the process may have open, and enforces their bounds."""

import asyncio
import logging
import resource
import socket
import time
from contextlib import suppress
from email.utils import formatdate

import structlog
from starlette.types import ASGIApp
from uvicorn.config import Config

from outhaul.server.connection import Connection, OpenConnections
from outhaul.settings import Settings

RESERVED_DESCRIPTORS = 256
"""File descriptors that connections leave to the rest of the process: files, database, buckets."""

LONGEST_QUEUE = 4_096
"""Connections that wait to be accepted. The system may have a lower limit."""

UNSENT_BYTES = 256 * 1024
"""Bytes of an answer that the system holds for a client that does not read yet."""

CHECK_SECONDS = 1.0
"""Longest interval at which the time limits are checked."""

log = structlog.get_logger()


class Listener:
    """Serves an application on a socket, from `start` to `stop`."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        # An application's failures are logged where they are answered.
        for name in ("uvicorn.error", "uvicorn.access"):
            logging.getLogger(name).disabled = True
        self._config = Config(
            app,
            ws="none",
            lifespan="off",
            interface="asgi3",
            log_config=None,
            access_log=False,
            proxy_headers=False,
        )
        self._config.load()
        self._settings = settings
        self._open = OpenConnections()
        self._most = connections_possible()
        self._tasks: list[asyncio.Task[None]] = []
        self._server: asyncio.Server | None = None

    @property
    def open_connections(self) -> int:
        """The number of open connections."""
        return len(self._open.connections)

    async def start(self, listening: socket.socket) -> None:
        """Accept connections."""
        with suppress(AttributeError, OSError):  # not every system has it
            # It does not limit what is under way to the client, so distant clients are no slower.
            listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNSENT_BYTES)
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._accept, sock=listening, backlog=LONGEST_QUEUE)
        self._check(loop.time())
        self._tasks.append(asyncio.create_task(self._check_regularly()))

    async def stop(self, seconds: float) -> None:
        """Accept nothing more, let calls end for some seconds, and reset what is left."""
        if self._server is None:
            return
        self._server.close()
        self._open.all_closed.clear()
        for connection in self._open.all():
            connection.shutdown()
        if self._open.connections:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._open.all_closed.wait(), seconds)
        for task in self._tasks:
            task.cancel()
        for connection in self._open.all():
            connection.abort()

    def _accept(self) -> Connection:
        if len(self._open.connections) >= self._most:
            self._make_room()
        return Connection(self._config, self._open, self._settings)

    def _make_room(self) -> None:
        """Close the connection that has waited longest for a request."""
        longest = next(iter(self._open.waiting), None)
        if longest is not None:
            del self._open.waiting[longest]  # before the next connection looks for one
            longest.abort()

    async def _check_regularly(self) -> None:
        settings = self._settings
        loop = asyncio.get_running_loop()
        shortest = min(
            settings.head_seconds,
            settings.body_seconds,
            settings.answer_seconds,
            settings.idle_seconds,
            settings.discard_seconds,
        )
        while True:
            await asyncio.sleep(min(CHECK_SECONDS, shortest / 4))
            self._check(loop.time())

    def _check(self, now: float) -> None:
        date = formatdate(time.time(), usegmt=True).encode()
        self._open.default_headers = [(b"date", date)]
        for connection in self._open.all():
            connection.check(now)


def connections_possible() -> int:
    """Raise the limit on open files as far as permitted; return the connections it allows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with suppress(ValueError, OSError):  # some systems have a lower limit of their own
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
            soft = hard
    if soft == resource.RLIM_INFINITY:
        return 10**9
    return max(soft - RESERVED_DESCRIPTORS, soft // 2)


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that is bound to an address. Raises `OSError`."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
    except OSError:
        listening.close()
        raise
    return listening
