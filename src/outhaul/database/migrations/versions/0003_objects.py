"""Fields of program members, statuses of loaded members, and custom object types."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"

TEXT = sa.String().with_variant(postgresql.VARCHAR(collation="C"), "postgresql")


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "member_field",
        sa.Column("subscription", TEXT, nullable=False),
        sa.Column("name", TEXT, nullable=False),
        sa.Column("data_type", TEXT, nullable=False),
        sa.Column("description", sa.JSON, nullable=False),
        sa.PrimaryKeyConstraint("subscription", "name", name="pk_member_field"),
        _subscription_of("member_field"),
    )
    op.create_table(
        "member_status",
        sa.Column("subscription", TEXT, nullable=False),
        sa.Column("program", sa.BigInteger, nullable=False),
        sa.Column("name", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("subscription", "program", "name", name="pk_member_status"),
        _subscription_of("member_status"),
    )
    op.create_table(
        "custom_object_type",
        sa.Column("subscription", TEXT, nullable=False),
        sa.Column("api_name", TEXT, nullable=False),
        sa.Column("description", sa.JSON, nullable=False),
        sa.PrimaryKeyConstraint("subscription", "api_name", name="pk_custom_object_type"),
        _subscription_of("custom_object_type"),
    )


def _subscription_of(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["subscription"], ["subscription.name"], name=f"fk_{table}_subscription"
    )
