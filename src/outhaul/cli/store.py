"""Opening a data folder: made and migrated on first use."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from outhaul.cli.console import fail
from outhaul.settings import Settings
from outhaul.state.database import Database


@contextmanager
def open_database(data: Path) -> Iterator[Database]:
    """Open the state of a data folder, at the newest version of its schema."""
    make_folder(data)
    database = Database(Settings(data=data).database_url)
    try:
        database.migrate()
        yield database
    finally:
        database.close()


def make_folder(data: Path) -> None:
    """Make a data folder, or end the command with why it cannot be made."""
    try:
        data.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        fail(f"cannot make the data folder {data}: {error.strerror}")
