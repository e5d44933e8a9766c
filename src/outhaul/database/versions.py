"""The version of the schema of a database, and its creation in a file that has no tables yet.

Alembic migrates (`outhaul.database.upgrade`). Importing it takes a tenth of a server's start, so
this module tells, without it, whether there is anything to migrate.
"""

from datetime import UTC, datetime
from functools import cache
from importlib.resources import files

import sqlalchemy as sa

from outhaul.database.schema import metadata, subscription

# As Alembic makes it.
_STORED = sa.Table(
    "alembic_version",
    sa.MetaData(),
    sa.Column("version_num", sa.String(32), nullable=False),
    sa.PrimaryKeyConstraint("version_num", name="alembic_version_pkc"),
)


class SchemaUnknownError(Exception):
    """The database has a schema that this program does not know: that of a newer one."""


@cache
def newest_version() -> str:
    """Return the version that the migrations lead to: the number that the last one begins with."""
    found = files("outhaul.database.migrations.versions").iterdir()
    return max(name.partition("_")[0] for path in found if (name := path.name)[0].isdigit())


def stored_version(connection: sa.Connection) -> str | None:
    """Return the version of the database; `None` if it has none of our tables."""
    if not sa.inspect(connection).has_table(_STORED.name):
        return None
    return connection.execute(sa.select(_STORED.c.version_num)).scalar()


def is_empty(connection: sa.Connection) -> bool:
    """Return whether the database has no table."""
    return not sa.inspect(connection).get_table_names()


def create(connection: sa.Connection) -> None:
    """Create the tables of the newest version, and the subscription called `default`."""
    metadata.create_all(connection, checkfirst=False)
    connection.execute(
        sa.insert(subscription).values(
            name="default", limit_overrides={}, created_at=datetime.now(UTC)
        )
    )
    _STORED.create(connection)
    connection.execute(sa.insert(_STORED).values(version_num=newest_version()))
