"""The engine: one database, opened, migrated, read and written.

The statements of the stores are the same for SQLite and for PostgreSQL. What they may rely on
differs: on SQLite a transaction that writes is the only one that does, and on PostgreSQL it sees,
with each statement, what others have committed by then. Stores therefore lock the rows that their
rules are about (`with_for_update`, which SQLite has no need of and leaves out).
"""

import sqlite3
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util.exc import CommandError
from sqlalchemy.dialects import postgresql, sqlite

BUSY_MILLISECONDS = 30_000
"""How long a statement waits for what another transaction has locked."""

# A machine that vanished must not be waited for, nor keep its locks: seconds, and milliseconds.
_CONNECT = {
    "connect_timeout": "10",
    "keepalives_idle": "30",
    "keepalives_interval": "10",
    "keepalives_count": "3",
    "tcp_user_timeout": "60000",
}
_IDLE_MILLISECONDS = 60_000

# Of PostgreSQL, such as a standby that took over: "read_only_sql_transaction".
_READ_ONLY = "25006"

_MIGRATION_LOCK = "outhaul migration"

# Alembic keeps what it is at work on in module globals: one migration at a time in a process.
_MIGRATING = threading.Lock()


class DatabaseUnavailableError(Exception):
    """The database cannot be opened: by its URL, for want of its driver, or because it is away."""


class Database:
    """The state's database: short transactions for reading and for writing.

    Raises `DatabaseUnavailableError` where the URL does not say which, or its driver is missing.
    """

    def __init__(self, url: str) -> None:
        self._url = _parse(url)
        self.name = _name(self._url)
        """What it is called in messages: never with a password."""
        self.is_postgresql = self._url.get_backend_name() == "postgresql"
        try:
            self._engine = sa.create_engine(
                self._url,
                connect_args=self.connect_arguments() if self.is_postgresql else {},
                pool_pre_ping=self.is_postgresql,
            )
        except ImportError:
            raise DatabaseUnavailableError(
                f"cannot open the database {self.name}: PostgreSQL needs a driver, which "
                "pip install 'outhaul[postgres]' installs"
            ) from None
        self._closed = False
        sa.event.listen(self._engine, "checkin", self._returned)
        self._reader: sa.Engine = self._engine
        if self.is_postgresql:
            sa.event.listen(self._engine, "connect", _prepare_postgresql)
            self._reader = self._engine.execution_options(
                isolation_level="REPEATABLE READ", postgresql_readonly=True
            )
            # Said, as a server may have another default.
            self._writer = self._engine.execution_options(isolation_level="READ COMMITTED")
        else:
            sa.event.listen(self._engine, "connect", _prepare_sqlite)
            sa.event.listen(self._engine, "begin", _begin_sqlite)
            self._writer = self._engine.execution_options(writes=True)

    def connect_arguments(self) -> Mapping[str, str]:
        """Return what a connection to PostgreSQL is opened with, beside what the URL says."""
        return {name: value for name, value in _CONNECT.items() if name not in self._url.query}

    @property
    def url(self) -> sa.URL:
        """Where the database is, its password included."""
        return self._url

    @contextmanager
    def read(self) -> Iterator[sa.Connection]:
        """Open a transaction that only reads: what it sees does not change while it lasts."""
        with self._reader.connect() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[sa.Connection]:
        """Open a transaction that writes; it is committed at the end, or not at all.

        On SQLite there is one writer at a time, from the first statement on: what such a
        transaction has read is still so when it writes. On PostgreSQL that holds for the rows
        that it has locked; each statement sees what is committed when it begins.
        """
        with self._writer.begin() as connection:
            yield connection

    @contextmanager
    def hold(self, name: str) -> Iterator[None]:
        """Hold the lock of a name, which one holds at a time on all machines; PostgreSQL only.

        It is for what takes longer than a transaction may. It ends with the connection: who holds
        it must be safe where that is lost meanwhile.
        """
        key = sa.func.hashtextextended(name, 0)
        engine = self._engine.execution_options(isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(sa.text("SET lock_timeout = 0"))
            connection.execute(sa.select(sa.func.pg_advisory_lock(key)))
            try:
                yield
            finally:
                # Not to the pool: it would take the lock along, and the changed setting.
                connection.invalidate()

    def migrate(self) -> None:
        """Bring the schema to the newest version. Does nothing where it is there already.

        Raises `DatabaseUnavailableError`.
        """
        try:
            self._migrate()
        except sa.exc.DBAPIError as error:
            raise DatabaseUnavailableError(
                f"cannot open the database {self.name}, see --database-url: {reason(error)}"
            ) from error
        except CommandError as error:  # a schema that only a newer version knows
            raise DatabaseUnavailableError(
                f"cannot migrate the database {self.name}, see --database-url: {error}"
            ) from error

    def _migrate(self) -> None:
        config = Config()
        config.set_main_option("script_location", "outhaul.database:migrations")
        newest = ScriptDirectory.from_config(config).get_current_head()
        with self.read() as connection:
            if MigrationContext.configure(connection).get_current_revision() == newest:
                return
        # Several processes may come here at once: the others wait, and then find it done.
        with _MIGRATING, self.write() as connection:
            if self.is_postgresql:
                connection.execute(sa.text("SET LOCAL lock_timeout = 0"))
                lock(connection, _MIGRATION_LOCK)
            config.attributes["connection"] = connection
            command.upgrade(config, "head")

    def check(self) -> None:
        """Return where the database answers. Raises `sqlalchemy.exc.SQLAlchemyError` otherwise."""
        with self.read() as connection:
            connection.execute(sa.select(1))

    def close(self) -> None:
        """Close the connections: at once, and those in use when their transaction ends."""
        self._closed = True
        self._engine.dispose()

    def _returned(self, _connection: object, record: sa.pool.ConnectionPoolEntry) -> None:
        # The pool keeps what is returned to it, also after it was disposed of.
        if self._closed:
            record.close()


def is_unavailable(error: BaseException) -> bool:
    """Tell whether it is the database that failed, for a while, and not the statement.

    It is not reached, it shuts down, it is locked for too long, it is full, it takes no writes.
    """
    if isinstance(error, sa.exc.OperationalError | sa.exc.TimeoutError):
        return True
    if not isinstance(error, sa.exc.DBAPIError):
        return False
    return error.connection_invalidated or getattr(error.orig, "sqlstate", None) == _READ_ONLY


def reason(error: BaseException) -> str:
    """Return what the database itself says of an error: in a line, without the statement."""
    said = getattr(error, "orig", None) or error
    return " ".join(str(said).split())


def insert(connection: sa.Connection, table: sa.Table) -> sqlite.Insert | postgresql.Insert:
    """Return an INSERT that can say what to do ON CONFLICT, which both databases can."""
    if connection.dialect.name == "postgresql":
        return postgresql.insert(table)
    return sqlite.insert(table)


def lock(connection: sa.Connection, name: str) -> None:
    """Wait until no other transaction holds the lock of a name; hold it until this one ends.

    It is for rules that no single row stands for. On SQLite who writes holds every lock.
    """
    if connection.dialect.name == "postgresql":
        key = sa.func.hashtextextended(name, 0)
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(key)))


def _parse(url: str) -> sa.URL:
    scheme, mark, rest = url.partition("://")
    if scheme in {"postgresql", "postgres"}:
        scheme = "postgresql+psycopg"
    try:
        parsed = sa.make_url(f"{scheme}{mark}{rest}")
    except (sa.exc.ArgumentError, ValueError):
        # What they say has parts of the URL in it, which may be those of a password.
        raise DatabaseUnavailableError(
            "cannot make out the URL of the database, see --database-url: it should read "
            "postgresql://user:password@host:5432/name, with marks in a password as %40"
        ) from None
    if parsed.drivername not in {"postgresql+psycopg", "sqlite", "sqlite+pysqlite"}:
        raise DatabaseUnavailableError(
            f"cannot open a database of {parsed.drivername}, see --database-url: "
            "the state is kept in PostgreSQL, by psycopg, or in SQLite"
        )
    return parsed


def _name(url: sa.URL) -> str:
    if url.host is None:
        return url.database or ""
    port = "" if url.port is None else f":{url.port}"
    return f"{url.host}{port}/{url.database or ''}"


def _prepare_postgresql(connection: Any, _record: object) -> None:  # noqa: ANN401 - a DBAPI connection
    connection.autocommit = True
    connection.execute(f"SET lock_timeout = {BUSY_MILLISECONDS}")
    connection.execute(f"SET idle_in_transaction_session_timeout = {_IDLE_MILLISECONDS}")
    # Our statements touch few rows: compiling one takes longer than running it.
    connection.execute("SET jit = off")
    connection.autocommit = False


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
