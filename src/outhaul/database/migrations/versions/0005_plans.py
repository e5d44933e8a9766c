"""Plans in a table of their own, for as long as their jobs run."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"

TEXT = sa.String().with_variant(postgresql.VARCHAR(collation="C"), "postgresql")


def upgrade() -> None:
    """Move the plans of the jobs in Processing. Those of jobs that have ended go."""
    op.create_table(
        "export_plan",
        sa.Column("job", TEXT, nullable=False),
        sa.Column("plan", sa.JSON, nullable=False),
        sa.PrimaryKeyConstraint("job", name="pk_export_plan"),
        sa.ForeignKeyConstraint(["job"], ["export_job.id"], name="fk_export_plan_job"),
    )
    op.execute(
        "INSERT INTO export_plan (job, plan) SELECT id, plan FROM export_job "
        "WHERE state = 'Processing' AND plan IS NOT NULL"
    )
    op.drop_column("export_job", "plan")
