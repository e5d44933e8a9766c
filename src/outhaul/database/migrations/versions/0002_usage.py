"""Numbers of calls and of errors for each day."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"

TEXT = sa.String().with_variant(postgresql.VARCHAR(collation="C"), "postgresql")


def upgrade() -> None:
    """Create the tables `usage` and `error_count`."""
    op.create_table(
        "usage",
        sa.Column("subscription", TEXT, nullable=False),
        sa.Column("day", sa.Date, nullable=False),
        sa.Column("api_user", sa.Integer, nullable=False),
        sa.Column("calls", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("subscription", "day", "api_user", name="pk_usage"),
        sa.ForeignKeyConstraint(
            ["subscription"], ["subscription.name"], name="fk_usage_subscription"
        ),
        sa.ForeignKeyConstraint(["api_user"], ["api_user.id"], name="fk_usage_api_user"),
    )
    op.create_table(
        "error_count",
        sa.Column("subscription", TEXT, nullable=False),
        sa.Column("day", sa.Date, nullable=False),
        sa.Column("code", TEXT, nullable=False),
        sa.Column("count", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("subscription", "day", "code", name="pk_error_count"),
        sa.ForeignKeyConstraint(
            ["subscription"], ["subscription.name"], name="fk_error_count_subscription"
        ),
    )
