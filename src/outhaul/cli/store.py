"""Opening a data folder: made and migrated on first use."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from outhaul.cli.console import fail, named_errors
from outhaul.settings import Settings
from outhaul.state.database import Database
from outhaul.subscription.services import SubscriptionUnknownError
from outhaul.subscription.subscriptions import subscription_named

Subscription = Annotated[
    str,
    typer.Option(
        "--subscription",
        envvar="OUTHAUL_SUBSCRIPTION",
        help="Subscription that it is for; `outhaul subscription create` makes one.",
    ),
]


@contextmanager
def open_database(data: Path, subscription: str | None = None) -> Iterator[Database]:
    """Open the state of a data folder, at the newest version of its schema.

    Ends the command where there is no `subscription` of the name, if one is given.
    """
    make_folder(data)
    database = Database(Settings(data=data).database_url)
    try:
        database.migrate()
        if subscription is not None:
            with named_errors(SubscriptionUnknownError):
                subscription_named(database, subscription)
        yield database
    finally:
        database.close()


def make_folder(data: Path) -> None:
    """Make a data folder, or end the command with why it cannot be made."""
    try:
        data.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        fail(f"cannot make the data folder {data}: {error.strerror}")
