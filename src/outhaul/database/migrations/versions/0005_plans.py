"""Plans in a table of their own, for as long as their jobs run."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"

TEXT = sa.String().with_variant(postgresql.VARCHAR(collation="C"), "postgresql")


def upgrade() -> None:
    """Make the table. Jobs in Processing are planned again, from their first part.

    Their plans have a form that is not read any more, and what was rendered by them may not be
    mixed with what another plan reads.
    """
    op.create_table(
        "export_plan",
        sa.Column("job", TEXT, nullable=False),
        sa.Column("plan", sa.JSON, nullable=False),
        sa.PrimaryKeyConstraint("job", name="pk_export_plan"),
        sa.ForeignKeyConstraint(["job"], ["export_job.id"], name="fk_export_plan_job"),
    )
    op.execute(
        "DELETE FROM export_part WHERE job IN "
        "(SELECT id FROM export_job WHERE state = 'Processing')"
    )
    op.drop_column("export_job", "plan")
