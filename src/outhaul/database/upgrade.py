"""Migrating the schema of a database, by Alembic."""

import threading

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.util.exc import CommandError

from outhaul.database.versions import SchemaUnknownError

# Alembic has global variables, so a process can run only one migration at a time.
_MIGRATING = threading.Lock()


def upgrade(connection: sa.Connection) -> None:
    """Migrate to the newest version, in the transaction of the connection.

    Raises `SchemaUnknownError` if the schema is newer than this program.
    """
    config = Config()
    config.set_main_option("script_location", "outhaul.database:migrations")
    config.attributes["connection"] = connection
    try:
        with _MIGRATING:
            command.upgrade(config, "head")
    except CommandError as error:
        raise SchemaUnknownError(str(error)) from error
