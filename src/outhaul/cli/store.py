"""Opening the database and the locations of a command. They are created on first use."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from sqlalchemy.exc import SQLAlchemyError

from outhaul.accounts.services import SubscriptionUnknownError
from outhaul.accounts.subscriptions import subscription_named
from outhaul.cli.console import fail, named_errors
from outhaul.database.engine import Database, DatabaseUnavailableError, is_unavailable, reason
from outhaul.lake.failures import LakeError
from outhaul.lake.snapshot import check_lakes, location_of_lakes
from outhaul.settings import LocationMissingError, Settings
from outhaul.storage.opening import check_files, location_of_files

Subscription = Annotated[
    str,
    typer.Option(
        "--subscription",
        envvar="OUTHAUL_SUBSCRIPTION",
        help="Subscription to use; `outhaul subscription create` makes one.",
    ),
]


@contextmanager
def open_database(settings: Settings, subscription: str | None = None) -> Iterator[Database]:
    """Create the data folder, migrate the database to the newest schema, and yield it.

    Ends the command with a message if the database cannot be opened or becomes unreachable, or if
    a given `subscription` does not exist.
    """
    if settings.data is not None:
        make_folder(settings.data)
    with named_errors(DatabaseUnavailableError):
        database = Database(settings.database_url)
    try:
        with named_errors(DatabaseUnavailableError):
            database.migrate()
        if subscription is not None:
            with named_errors(SubscriptionUnknownError):
                subscription_named(database, subscription)
        yield database
    except SQLAlchemyError as error:
        if not is_unavailable(error):
            raise
        fail(f"the database {database.name} does not answer, see --database-url: {reason(error)}")
    finally:
        database.close()


def prepare_locations(settings: Settings) -> None:
    """Create the data folder, and check that the lake and the export files can be reached.

    Ends the command with a message otherwise. A wrong bucket or key is thus found when a process
    starts, and not by the first call.
    """
    with named_errors(LocationMissingError):
        settings.check_locations()
    prepare_lake(settings, writes=settings.workers > 0)
    try:
        check_files(settings)
    except OSError as error:
        url = location_of_files(settings).url
        option = "--data" if settings.files_url is None else "--files-url"
        fail(f"the location of export files, {url}, cannot be used, see {option}: {error}")


def prepare_lake(settings: Settings, *, writes: bool = True) -> None:
    """Create the data folder, and check that the lake can be reached, and written if `writes`.

    Ends the command with a message otherwise.
    """
    if settings.data is not None:
        make_folder(settings.data)
    try:
        with named_errors(LocationMissingError):
            check_lakes(settings, writes=writes)
    except LakeError as error:
        fail(f"{lake_named(settings)}: {error}")


def lake_named(settings: Settings) -> str:
    """Return the beginning of a message about a lake that cannot be reached."""
    option = "--data" if settings.lake_url is None else "--lake-url"
    return f"the lake, {location_of_lakes(settings).url}, cannot be used, see {option}"


def make_folder(data: Path) -> None:
    """Create a data folder, or end the command with the reason why it cannot be created."""
    try:
        data.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        fail(f"cannot create the data folder {data}: {error.strerror}")
