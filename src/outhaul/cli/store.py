"""Opening a data folder: made and migrated on first use."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from outhaul.settings import Settings
from outhaul.state.database import Database


@contextmanager
def open_database(data: Path) -> Iterator[Database]:
    """Open the state of a data folder, at the newest version of its schema."""
    data.mkdir(parents=True, exist_ok=True)
    database = Database(Settings(data=data).database_url)
    try:
        database.migrate()
        yield database
    finally:
        database.close()
