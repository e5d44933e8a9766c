"""Opening the state and the data folder: made and migrated on first use."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from sqlalchemy.exc import SQLAlchemyError

from outhaul.accounts.services import SubscriptionUnknownError
from outhaul.accounts.subscriptions import subscription_named
from outhaul.cli.console import fail, named_errors
from outhaul.database.engine import Database, DatabaseUnavailableError, is_away, reason
from outhaul.lake.failures import LakeError
from outhaul.lake.snapshot import check_lakes, location_of_lakes
from outhaul.settings import LocationMissingError, Settings
from outhaul.storage.opening import check_files, location_of_files

Subscription = Annotated[
    str,
    typer.Option(
        "--subscription",
        envvar="OUTHAUL_SUBSCRIPTION",
        help="Subscription that it is for; `outhaul subscription create` makes one.",
    ),
]


@contextmanager
def open_database(settings: Settings, subscription: str | None = None) -> Iterator[Database]:
    """Open the state, at the newest version of its schema; make the data folder.

    Ends the command where the database cannot be opened, or goes away meanwhile, and where there
    is no `subscription` of the name, if one is given.
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
        if not is_away(error):
            raise
        fail(f"the database {database.name} does not answer, see --database-url: {reason(error)}")
    finally:
        database.close()


def prepare_locations(settings: Settings) -> None:
    """Make the data folder; end the command where there is no place for lake and export files.

    A slip in the name of a bucket, or in its keys, is told when a process starts, and not by the
    first call.
    """
    with named_errors(LocationMissingError):
        settings.check_locations()
    if settings.data is not None:
        make_folder(settings.data)
    try:
        check_lakes(settings, writes=settings.workers > 0)
    except LakeError as error:
        fail(f"{lake_named(settings)}: {error}")
    try:
        check_files(settings)
    except OSError as error:
        place = location_of_files(settings).url
        option = "--data" if settings.files_url is None else "--files-url"
        fail(f"the place of export files, {place}, cannot be used, see {option}: {error}")


def lake_named(settings: Settings) -> str:
    """Return how a message begins that tells why the lake cannot be reached."""
    option = "--data" if settings.lake_url is None else "--lake-url"
    return f"the lake, {location_of_lakes(settings).url}, cannot be used, see {option}"


def make_folder(data: Path) -> None:
    """Make a data folder, or end the command with why it cannot be made."""
    try:
        data.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        fail(f"cannot make the data folder {data}: {error.strerror}")
