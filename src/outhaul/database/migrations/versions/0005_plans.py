"""A table of plans, which are stored while their jobs run."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"

TEXT = sa.String().with_variant(postgresql.VARCHAR(collation="C"), "postgresql")


def upgrade() -> None:
    """Create the table. Jobs in Processing are planned again, and lose their rendered parts.

    This version cannot read their plans, and a file may not have parts of two plans.
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
