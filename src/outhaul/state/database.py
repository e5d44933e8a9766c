"""The engine: one database, opened, migrated, read and written."""

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

BUSY_MILLISECONDS = 30_000

# Alembic keeps what it is at work on in module globals: one migration at a time in a process.
_MIGRATING = threading.Lock()


class Database:
    """The state's database: short transactions for reading and for writing."""

    def __init__(self, url: str) -> None:
        self._engine = sa.create_engine(url)
        if self._engine.dialect.name == "sqlite":
            sa.event.listen(self._engine, "connect", _prepare_sqlite)
            sa.event.listen(self._engine, "begin", _begin_sqlite)
        self._writer = self._engine.execution_options(writes=True)

    @contextmanager
    def read(self) -> Iterator[sa.Connection]:
        """Open a transaction that only reads: what it sees does not change while it lasts."""
        with self._engine.connect() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[sa.Connection]:
        """Open a transaction that writes; it is committed at the end, or not at all.

        On SQLite there is one writer at a time, from the first statement on: what such a
        transaction has read is still so when it writes.
        """
        with self._writer.begin() as connection:
            yield connection

    def migrate(self) -> None:
        """Bring the schema to the newest version. Does nothing where it is there already."""
        config = Config()
        config.set_main_option("script_location", "outhaul.state:migrations")
        newest = ScriptDirectory.from_config(config).get_current_head()
        with self.read() as connection:
            if MigrationContext.configure(connection).get_current_revision() == newest:
                return
        # Several processes may come here at once: the others wait, and then find it done.
        with _MIGRATING, self.write() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")

    def close(self) -> None:
        """Close the connections that are open."""
        self._engine.dispose()


def _prepare_sqlite(connection: Any, _record: object) -> None:  # noqa: ANN401 - a DBAPI connection
    # The driver would begin transactions by itself, and too late: we say when (below).
    connection.isolation_level = None
    connection.execute(f"PRAGMA busy_timeout={BUSY_MILLISECONDS}")
    _keep_log(connection)
    for pragma in ("foreign_keys=ON", "synchronous=NORMAL"):
        connection.execute(f"PRAGMA {pragma}")


def _keep_log(connection: Any) -> None:  # noqa: ANN401 - a DBAPI connection
    # Where several connections open a new database at once, SQLite refuses the change to WAL at
    # once, whatever the busy timeout says.
    last = time.monotonic() + BUSY_MILLISECONDS / 1000
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > last:
                raise
            time.sleep(0.005)
        else:
            return


def _begin_sqlite(connection: sa.Connection) -> None:
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
