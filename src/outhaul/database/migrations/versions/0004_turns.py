"""Turns of users and subscriptions, and indexes for long queues and long histories."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add the columns, and replace the indexes."""
    for table in ("subscription", "api_user"):
        op.add_column(table, sa.Column("turn", sa.BigInteger, nullable=False, server_default="0"))
    op.drop_index("ix_export_job_queue", "export_job")
    op.create_index(
        "ix_export_job_queue",
        "export_job",
        ["subscription", "state", "api_user", "queued_at", "id"],
    )
    op.create_index("ix_export_job_finished", "export_job", ["subscription", "finished_at"])
    op.create_index(
        "ix_export_job_lease",
        "export_job",
        ["lease_until"],
        sqlite_where=sa.text("lease_until IS NOT NULL"),
        postgresql_where=sa.text("lease_until IS NOT NULL"),
    )
