"""How workers learn at once that there may be a job: by LISTEN and NOTIFY, where there is one.

A notification is sent with the transaction that it is about, and only if that is committed. One
may be lost, as when the connection breaks: workers look for themselves as well, less often.
"""

import selectors
import socket
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
import structlog

from outhaul.database.engine import Database, reason

if TYPE_CHECKING:
    import psycopg

CHANNEL = "outhaul_jobs"
RETRY_SECONDS = 1.0
"""How long the listener waits before it tries to connect again."""

log = structlog.get_logger()


def wake_workers(connection: sa.Connection) -> None:
    """Tell all workers, once the transaction is committed, that there may be a job to claim.

    SQLite tells nobody; there workers look often.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(sa.select(sa.func.pg_notify(CHANNEL, "")))


class Wakeups:
    """What the threads of one worker wait on. Safe to use from any thread."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._changed = threading.Condition()
        self._count = 0
        self._closed = False
        self._end: socket.socket | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to listen, where the database can tell."""
        if self._database.is_postgresql:
            # A byte on the one ends the listener's wait on the other.
            self._end, ending = socket.socketpair()
            self._thread = threading.Thread(
                target=self._listen, args=(ending,), name="wakeups", daemon=True
            )
            self._thread.start()

    @property
    def count(self) -> int:
        """How often there was something new: read it before looking for a job."""
        return self._count

    def wait(self, seen: int, seconds: float) -> None:
        """Return when something is new since `count` was `seen`, at the latest after `seconds`."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._count != seen, seconds)

    def end(self) -> None:
        """Let nobody wait any more; safe to call from a signal handler."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        if self._end is not None:
            with suppress(OSError):
                self._end.send(b"\0")

    def close(self) -> None:
        """End the listener; one that is amid connecting is left to the end of the process."""
        self.end()
        if self._thread is not None and self._end is not None:
            self._thread.join(RETRY_SECONDS)
            self._end.close()

    def _wake(self) -> None:
        with self._changed:
            self._count += 1
            self._changed.notify_all()

    def _listen(self, ending: socket.socket) -> None:
        """Listen until closed, on one connection after the other when they break."""
        import psycopg  # noqa: PLC0415 - an extra: only there where PostgreSQL is used

        away = False
        with ending:
            while not self._closed:
                try:
                    with self._connect(psycopg.connect) as connection:
                        connection.execute(f"LISTEN {CHANNEL}")
                        if away:
                            log.info("told of new jobs again")
                            away = False
                        self._wake()  # nobody told us what happened before
                        self._pass_on(connection, ending)
                except (psycopg.Error, OSError) as error:
                    if not away:
                        log.warning("not told of new jobs; trying again", error=reason(error))
                        away = True
                    with self._changed:
                        self._changed.wait_for(lambda: self._closed, RETRY_SECONDS)

    def _connect(self, connect: Any) -> "psycopg.Connection[Any]":  # noqa: ANN401 - psycopg.connect
        # As the engine connects: the URL's query is of the driver's words.
        dialect = self._database.url.get_dialect()()
        positional, named = dialect.create_connect_args(self._database.url)
        arguments = {**self._database.connect_arguments(), **named, "autocommit": True}
        connection: psycopg.Connection[Any] = connect(*positional, **arguments)
        return connection

    def _pass_on(self, connection: "psycopg.Connection[Any]", ending: socket.socket) -> None:
        """Wake who waits with each notification, until closed or the connection breaks."""
        with selectors.DefaultSelector() as ready:
            ready.register(connection.fileno(), selectors.EVENT_READ)
            ready.register(ending, selectors.EVENT_READ)
            while True:
                ready.select()
                if self._closed:
                    return
                connection.pgconn.consume_input()
                while connection.pgconn.notifies() is not None:
                    self._wake()
