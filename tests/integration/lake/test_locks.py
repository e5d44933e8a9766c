"""Who writes a table holds off the writers of all machines that share the database."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from tests.support import postgres
from tests.support.waiting import wait_for

from outhaul.database.engine import Database
from outhaul.lake.snapshot import open_lake
from outhaul.lake.tables import LEADS
from outhaul.settings import Settings


@pytest.fixture
def database(postgresql: postgres.Server) -> Iterator[Database]:
    url = postgresql.create()
    opened = Database(url)
    yield opened
    opened.close()
    postgresql.drop(url)


def waiting(database: Database) -> bool:
    """Tell whether somebody waits for a lock that another connection holds."""
    statement = sa.text("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
    with database.read() as connection:
        return bool(connection.execute(statement).scalar_one())


def test_a_lake_that_machines_share_is_written_by_one_at_a_time(
    database: Database, tmp_path: Path
) -> None:
    lake = open_lake(Settings(data=tmp_path), "default", database)
    entered = threading.Event()

    def write() -> None:
        with lake.writing(LEADS):
            entered.set()

    writer = threading.Thread(target=write)
    # The lock of the folder is free: it is the database's that another machine has.
    with database.hold(f"{lake.location.url}/{LEADS.name}"):
        writer.start()
        wait_for(lambda: waiting(database) or entered.is_set())
        assert not entered.is_set()
    writer.join(60)
    assert entered.is_set()
