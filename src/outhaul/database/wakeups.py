"""Notifying workers of new jobs, with PostgreSQL's LISTEN and NOTIFY.

A notification is sent when the transaction that changed a job is committed. A notification can be
lost, for example when the connection breaks. Workers therefore also look for jobs regularly, less
often.
"""

import threading
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
import structlog

from outhaul.database.engine import Database, reason

if TYPE_CHECKING:
    import psycopg

CHANNEL = "outhaul_jobs"
RETRY_SECONDS = 1.0
"""Time before the listener tries to connect again."""

LISTEN_SECONDS = 0.25
"""Interval at which the listener checks whether it was closed."""

log = structlog.get_logger()


def wake_workers(connection: sa.Connection) -> None:
    """Notify all workers, once the transaction is committed, that there may be a job to claim.

    Does nothing on SQLite, where workers look for jobs often.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(sa.select(sa.func.pg_notify(CHANNEL, "")))


class Wakeups:
    """The notifications that the threads of one worker wait for. Safe to use from any thread."""

    def __init__(self, database: Database) -> None:
        self._database = database
        # Its lock is reentrant: a signal handler may interrupt a thread that holds it.
        self._changed = threading.Condition()
        self._count = 0
        self._closed = False
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to listen, if the database can notify."""
        if self._database.is_postgresql:
            self._thread = threading.Thread(target=self._listen, name="wakeups", daemon=True)
            self._thread.start()

    @property
    def count(self) -> int:
        """The number of notifications up to now. Read it before looking for a job."""
        return self._count

    def wait(self, seen: int, seconds: float) -> None:
        """Return when `count` differs from `seen`, after `end`, or after `seconds`."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._count != seen, seconds)

    def end(self) -> None:
        """End every wait, also later ones. Safe to call from a signal handler."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def close(self) -> None:
        """End every wait, and end the listener, which takes up to `LISTEN_SECONDS`.

        A listener that is connecting may end later, when it has connected.
        """
        self.end()
        if self._thread is not None:
            self._thread.join(RETRY_SECONDS)

    def wake(self) -> None:
        """Count a notification, and end every wait for it."""
        with self._changed:
            self._count += 1
            self._changed.notify_all()

    def _listen(self) -> None:
        """Listen until closed. Connects again when the connection breaks."""
        import psycopg  # noqa: PLC0415 - an extra, installed only for PostgreSQL

        lost = False
        while not self._closed:
            try:
                with self._connect(psycopg.connect) as connection:
                    connection.execute(f"LISTEN {CHANNEL}")
                    if lost:
                        log.info("notifications of new jobs arrive again")
                        lost = False
                    self.wake()  # notifications may have been missed before
                    while not self._closed:
                        for _ in connection.notifies(timeout=LISTEN_SECONDS):
                            self.wake()
            except (psycopg.Error, OSError) as error:
                if not lost:
                    log.warning("no notifications of new jobs; connecting", error=reason(error))
                    lost = True
                with self._changed:
                    self._changed.wait_for(lambda: self._closed, RETRY_SECONDS)

    def _connect(self, connect: Any) -> "psycopg.Connection[Any]":  # noqa: ANN401 - psycopg.connect
        # The same arguments as the engine's: the query of the URL has options of the driver.
        dialect = self._database.url.get_dialect()()
        positional, named = dialect.create_connect_args(self._database.url)
        arguments = {**self._database.connect_arguments(), **named, "autocommit": True}
        connection: psycopg.Connection[Any] = connect(*positional, **arguments)
        return connection
