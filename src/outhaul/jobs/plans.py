"""The plans of running jobs in the database, which are opaque to this package."""

from collections.abc import Collection

import sqlalchemy as sa

from outhaul.database.schema import export_plan


def drop_plans(connection: sa.Connection, jobs: Collection[str]) -> None:
    """Delete the plans of jobs, by their ids. Runs in the transaction that ends the jobs."""
    connection.execute(export_plan.delete().where(export_plan.c.job.in_(jobs)))
