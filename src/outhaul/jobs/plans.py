"""What running jobs read, as the queue stores it: plain data, which is opaque here."""

from collections.abc import Collection

import sqlalchemy as sa

from outhaul.database.schema import export_plan


def drop_plans(connection: sa.Connection, jobs: Collection[str]) -> None:
    """Delete the plans of jobs, by their ids. Runs in the transaction that ends the jobs."""
    connection.execute(export_plan.delete().where(export_plan.c.job.in_(jobs)))
