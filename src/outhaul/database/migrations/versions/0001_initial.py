"""The first schema: identity, export jobs, catalog."""

from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None

# Ordered by code points, as in SQLite.
TEXT = sa.String().with_variant(postgresql.VARCHAR(collation="C"), "postgresql")
INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Create the tables, and the subscription called `default`."""
    subscriptions = op.create_table(
        "subscription",
        sa.Column("name", TEXT, nullable=False),
        sa.Column("limit_overrides", sa.JSON, nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_subscription"),
    )
    _identity()
    _jobs()
    _catalog()
    op.bulk_insert(
        subscriptions,
        [{"name": "default", "limit_overrides": {}, "created_at": datetime.now(UTC)}],
    )


def _subscription_of(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["subscription"], ["subscription.name"], name=f"fk_{table}_subscription"
    )


def _identity() -> None:
    op.create_table(
        "api_user",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("subscription", TEXT, nullable=False),
        sa.Column("email", TEXT, nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_api_user"),
        _subscription_of("api_user"),
        sa.UniqueConstraint("subscription", "email", name="uq_api_user_subscription_email"),
    )
    op.create_table(
        "permission",
        sa.Column("api_user", sa.Integer, nullable=False),
        sa.Column("name", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("api_user", "name", name="pk_permission"),
        sa.ForeignKeyConstraint(["api_user"], ["api_user.id"], name="fk_permission_api_user"),
    )
    op.create_table(
        "service",
        sa.Column("client_id", TEXT, nullable=False),
        sa.Column("api_user", sa.Integer, nullable=False),
        sa.Column("name", TEXT, nullable=False),
        sa.Column("secret_hash", TEXT, nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("client_id", name="pk_service"),
        sa.ForeignKeyConstraint(["api_user"], ["api_user.id"], name="fk_service_api_user"),
    )
    op.create_table(
        "token",
        sa.Column("token_hash", TEXT, nullable=False),
        sa.Column("client_id", TEXT, nullable=False),
        sa.Column("nonce", TEXT, nullable=False),
        sa.Column("expires_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("token_hash", name="pk_token"),
        sa.ForeignKeyConstraint(["client_id"], ["service.client_id"], name="fk_token_client_id"),
    )
    op.create_index("ix_token_client_id", "token", ["client_id"])


def _jobs() -> None:
    op.create_table(
        "export_job",
        sa.Column("id", TEXT, nullable=False),
        sa.Column("subscription", TEXT, nullable=False),
        sa.Column("api_user", sa.Integer, nullable=False),
        sa.Column("kind", TEXT, nullable=False),
        sa.Column("state", TEXT, nullable=False),
        sa.Column("request", sa.JSON, nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("queued_at", INSTANT),
        sa.Column("started_at", INSTANT),
        sa.Column("finished_at", INSTANT),
        sa.Column("records", sa.BigInteger),
        sa.Column("file_size", sa.BigInteger),
        sa.Column("checksum", TEXT),
        sa.Column("error_message", TEXT),
        sa.Column("plan", sa.JSON),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("lease_owner", TEXT),
        sa.Column("lease_until", INSTANT),
        sa.PrimaryKeyConstraint("id", name="pk_export_job"),
        _subscription_of("export_job"),
        sa.ForeignKeyConstraint(["api_user"], ["api_user.id"], name="fk_export_job_api_user"),
    )
    op.create_index(
        "ix_export_job_queue", "export_job", ["subscription", "state", "queued_at", "id"]
    )
    op.create_index("ix_export_job_list", "export_job", ["api_user", "kind", "created_at", "id"])
    op.create_table(
        "export_part",
        sa.Column("job", TEXT, nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("key", TEXT, nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("records", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("job", "number", name="pk_export_part"),
        sa.ForeignKeyConstraint(["job"], ["export_job.id"], name="fk_export_part_job"),
    )


def _catalog() -> None:
    op.create_table(
        "lead_field",
        sa.Column("subscription", TEXT, nullable=False),
        sa.Column("name", TEXT, nullable=False),
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("display_name", TEXT, nullable=False),
        sa.Column("data_type", TEXT, nullable=False),
        sa.Column("description", sa.JSON, nullable=False),
        sa.PrimaryKeyConstraint("subscription", "name", name="pk_lead_field"),
        _subscription_of("lead_field"),
    )
    op.create_table(
        "activity_type",
        sa.Column("subscription", TEXT, nullable=False),
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("name", TEXT, nullable=False),
        sa.Column("description", sa.JSON, nullable=False),
        sa.PrimaryKeyConstraint("subscription", "id", name="pk_activity_type"),
        _subscription_of("activity_type"),
    )
    op.create_table(
        "asset",
        sa.Column("subscription", TEXT, nullable=False),
        sa.Column("type", TEXT, nullable=False),
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("name", TEXT, nullable=False),
        sa.Column("program", TEXT),
        sa.Column("description", sa.JSON, nullable=False),
        sa.PrimaryKeyConstraint("subscription", "type", "id", name="pk_asset"),
        _subscription_of("asset"),
    )
    op.create_index("ix_asset_name", "asset", ["subscription", "type", "name"])
