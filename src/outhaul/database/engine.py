"""The engine: opening and migrating a database, and its transactions.

The statements of the stores are the same for SQLite and for PostgreSQL, but transactions differ.
SQLite runs one writing transaction at a time. On PostgreSQL several run at once, and each statement
sees what others have committed before it. Stores therefore lock the rows that they act on, with
`with_for_update`. SQLite does not need that, and SQLAlchemy leaves it out there.
"""

import sqlite3
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.dialects import sqlite

from outhaul.database.versions import (
    SchemaUnknownError,
    create,
    is_empty,
    newest_version,
    stored_version,
)

if TYPE_CHECKING:
    from sqlalchemy.dialects import postgresql

BUSY_MILLISECONDS = 30_000
"""Longest time that a statement waits for the locks of another transaction."""

# Time limits for a lost machine, so that nobody waits for it or for its locks. They are in seconds,
# except for tcp_user_timeout, which is in milliseconds.
_CONNECT = {
    "connect_timeout": "10",
    "keepalives_idle": "30",
    "keepalives_interval": "10",
    "keepalives_count": "3",
    "tcp_user_timeout": "60000",
}
_IDLE_MILLISECONDS = 60_000

# The error code of PostgreSQL for a write on a read-only server, such as a standby.
_READ_ONLY = "25006"

_MIGRATION_LOCK = "outhaul migration"


class DatabaseUnavailableError(Exception):
    """The database is unavailable, its URL is wrong, or its driver is missing."""


class Database:
    """The database, with short transactions for reading and for writing.

    Raises `DatabaseUnavailableError` if the URL is wrong or the driver is missing.
    """

    def __init__(self, url: str) -> None:
        self._url = _parse(url)
        self.name = _name(self._url)
        """The name for messages, without a password."""
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
            # Set explicitly, because a server may have another default.
            self._writer = self._engine.execution_options(isolation_level="READ COMMITTED")
        else:
            sa.event.listen(self._engine, "connect", _prepare_sqlite)
            sa.event.listen(self._engine, "begin", _begin_sqlite)
            self._writer = self._engine.execution_options(writes=True)

    def connect_arguments(self) -> Mapping[str, str]:
        """Return the connection arguments for PostgreSQL that the URL does not set."""
        return {name: value for name, value in _CONNECT.items() if name not in self._url.query}

    @property
    def url(self) -> sa.URL:
        """The URL of the database, including its password."""
        return self._url

    @contextmanager
    def read(self) -> Iterator[sa.Connection]:
        """Open a transaction that only reads. All of its statements see the same state."""
        with self._reader.connect() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[sa.Connection]:
        """Open a transaction that writes. It is committed at the end, and rolled back on errors.

        On SQLite no other transaction can write until it ends, so rows that it has read do not
        change. On PostgreSQL this is true only for rows that it has locked. There, each statement
        sees what is committed when the statement begins.
        """
        with self._writer.begin() as connection:
            yield connection

    @contextmanager
    def hold(self, name: str) -> Iterator[None]:
        """Hold a lock by name, exclusive across machines. PostgreSQL only.

        The lock is for work that takes longer than a transaction may. It also ends when the
        connection is lost, so the work must be safe even if another machine then gets the lock.
        """
        with self._session_lock(sa.func.pg_advisory_lock, name):
            yield

    @contextmanager
    def hold_if_free(self, name: str) -> Iterator[bool]:
        """Hold a lock as `hold` does, but do not wait for it. Yield whether it is held."""
        with self._session_lock(sa.func.pg_try_advisory_lock, name) as held:
            yield bool(held)

    @contextmanager
    def _session_lock(self, take: Any, name: str) -> Iterator[Any]:  # noqa: ANN401 - a function of SQL
        engine = self._engine.execution_options(isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(sa.text("SET lock_timeout = 0"))
            found = connection.execute(sa.select(take(sa.func.hashtextextended(name, 0))))
            try:
                yield found.scalar()
            finally:
                # Closed instead of returned to the pool, with the lock and the changed setting.
                connection.invalidate()

    def migrate(self) -> None:
        """Migrate the schema to the newest version, if it is older.

        Raises `DatabaseUnavailableError`, also for a schema that is newer than this program.
        """
        try:
            self._migrate()
        except sa.exc.DBAPIError as error:
            raise DatabaseUnavailableError(
                f"cannot open the database {self.name}, see --database-url: {reason(error)}"
            ) from error
        except SchemaUnknownError as error:
            raise DatabaseUnavailableError(
                f"cannot migrate the database {self.name}, see --database-url: {error}"
            ) from error

    def _migrate(self) -> None:
        with self.read() as connection:
            if stored_version(connection) == newest_version():
                return
        # Several processes may get here at once. One migrates, and the others then find it done.
        with self.write() as connection:
            if self.is_postgresql:
                connection.execute(sa.text("SET LOCAL lock_timeout = 0"))
                lock(connection, _MIGRATION_LOCK)
            elif is_empty(connection):
                create(connection)
            if stored_version(connection) == newest_version():
                return
            # Alembic takes a tenth of a server's start to import, and is seldom needed.
            from outhaul.database.upgrade import upgrade  # noqa: PLC0415

            upgrade(connection)

    def check(self) -> None:
        """Check that the database answers. Raises `sqlalchemy.exc.SQLAlchemyError` otherwise."""
        with self.read() as connection:
            connection.execute(sa.select(1))

    def close(self) -> None:
        """Close all connections. Connections in use are closed when their transaction ends."""
        self._closed = True
        self._engine.dispose()

    def _returned(self, _connection: object, record: sa.pool.ConnectionPoolEntry) -> None:
        # The pool would store a returned connection even after `dispose`.
        if self._closed:
            record.close()


def is_unavailable(error: BaseException) -> bool:
    """Return whether an error means that the database is unavailable, and trying again may help.

    It cannot be reached, is shutting down, is locked for too long, is full, or is read-only.
    """
    if isinstance(error, sa.exc.OperationalError | sa.exc.TimeoutError):
        return True
    if not isinstance(error, sa.exc.DBAPIError):
        return False
    return error.connection_invalidated or getattr(error.orig, "sqlstate", None) == _READ_ONLY


def reason(error: BaseException) -> str:
    """Return the database's own message of an error: on one line, without the statement."""
    original = getattr(error, "orig", None) or error
    return " ".join(str(original).split())


def insert(connection: sa.Connection, table: sa.Table) -> "sqlite.Insert | postgresql.Insert":
    """Return an INSERT that can have an ON CONFLICT clause, for the database of the connection."""
    if connection.dialect.name == "postgresql":
        # The module imports all drivers, and a server with SQLite needs none of them.
        from sqlalchemy.dialects import postgresql  # noqa: PLC0415

        return postgresql.insert(table)
    return sqlite.insert(table)


def lock(connection: sa.Connection, name: str) -> None:
    """Take a lock by name until the transaction ends. Wait for other transactions that hold it.

    The lock protects data that no single row represents. On SQLite, a transaction that writes
    needs no such lock, because no other can write.
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
        # Their messages contain pieces of the URL, which may belong to a password.
        raise DatabaseUnavailableError(
            "the URL of the database is not valid, see --database-url: it should be like "
            "postgresql://user:password@host:5432/name, with special characters as %40"
        ) from None
    if parsed.drivername not in {"postgresql+psycopg", "sqlite", "sqlite+pysqlite"}:
        raise DatabaseUnavailableError(
            f"cannot open a database of {parsed.drivername}, see --database-url: "
            "only PostgreSQL, with psycopg, and SQLite are supported"
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
    # All statements touch few rows: compiling one takes longer than running it.
    connection.execute("SET jit = off")
    connection.autocommit = False


def _prepare_sqlite(connection: Any, _record: object) -> None:  # noqa: ANN401 - a DBAPI connection
    # The driver would begin a transaction only before the first write. `_begin_sqlite` does it.
    connection.isolation_level = None
    connection.execute(f"PRAGMA busy_timeout={BUSY_MILLISECONDS}")
    _use_write_ahead_log(connection)
    for pragma in ("foreign_keys=ON", "synchronous=NORMAL"):
        connection.execute(f"PRAGMA {pragma}")


def _use_write_ahead_log(connection: Any) -> None:  # noqa: ANN401 - a DBAPI connection
    # If several connections open a new database at once, SQLite refuses the change to WAL without
    # waiting for the busy timeout.
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
