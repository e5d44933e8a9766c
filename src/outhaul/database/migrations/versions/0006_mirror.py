"""Tables of what a mirror of an endpoint has done."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0006"
down_revision = "0005"

TEXT = sa.String().with_variant(postgresql.VARCHAR(collation="C"), "postgresql")
INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Create the tables."""
    _create(
        "mirror",
        sa.Column("url", TEXT, nullable=False),
        sa.Column("since", INSTANT, nullable=False),
        sa.Column("facts", sa.JSON, nullable=False),
        sa.Column("loads", sa.BigInteger, nullable=False, server_default="0"),
    )
    _create(
        "mirror_coverage",
        sa.Column("stream", TEXT, nullable=False),
        sa.Column("begin", INSTANT, nullable=False),
        sa.Column("end", INSTANT, nullable=False),
        key=("stream", "begin"),
    )
    _create(
        "mirror_job",
        sa.Column("export_id", TEXT, nullable=False),
        sa.Column("task", sa.JSON, nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("load", sa.BigInteger),
        key=("export_id",),
    )
    _create(
        "mirror_load",
        sa.Column("number", sa.BigInteger, autoincrement=False, nullable=False),
        sa.Column("stream", TEXT, nullable=False),
        sa.Column("begin", INSTANT),
        sa.Column("end", INSTANT),
        sa.Column("loaded_at", INSTANT, nullable=False),
        sa.Column("announced", sa.BigInteger),
        sa.Column("bytes", sa.BigInteger),
        sa.Column("added", sa.BigInteger, nullable=False),
        sa.Column("changed", sa.BigInteger, nullable=False),
        sa.Column("unchanged", sa.BigInteger, nullable=False),
        sa.Column("deleted", sa.BigInteger, nullable=False),
        sa.Column("removed", sa.BigInteger, nullable=False),
        key=("number",),
    )
    _create(
        "mirror_snapshot",
        sa.Column("stream", TEXT, nullable=False),
        sa.Column("id", sa.BigInteger, autoincrement=False, nullable=False),
        sa.Column("read_at", INSTANT, nullable=False),
        sa.Column("records", sa.BigInteger, nullable=False),
        key=("stream", "id"),
    )
    _create(
        "mirror_backfill",
        sa.Column("stream", TEXT, nullable=False),
        sa.Column("of", TEXT, nullable=False),
        sa.Column("fields", sa.JSON, nullable=False),
        sa.Column("until", INSTANT, nullable=False),
        key=("stream",),
    )
    _create(
        "mirror_run",
        sa.Column("begun_at", INSTANT, nullable=False),
        sa.Column("ended_at", INSTANT),
        sa.Column("outcome", TEXT),
        sa.Column("summary", sa.JSON, nullable=False),
        key=("begun_at",),
    )


def _create(name: str, *columns: sa.Column[object], key: tuple[str, ...] = ()) -> None:
    """Create a table of rows that belong to a subscription."""
    op.create_table(
        name,
        sa.Column("subscription", TEXT, nullable=False),
        *columns,
        sa.PrimaryKeyConstraint("subscription", *key, name=f"pk_{name}"),
        sa.ForeignKeyConstraint(
            ["subscription"], ["subscription.name"], name=f"fk_{name}_subscription"
        ),
    )
