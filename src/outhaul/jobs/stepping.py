"""Jobs of a subscription, whoever owns them, and ending them by hand. The stand-in uses it."""

from datetime import datetime
from typing import Any, NamedTuple

import sqlalchemy as sa

from outhaul.database.engine import Database
from outhaul.database.schema import api_user, export_job, export_part, export_plan
from outhaul.database.wakeups import wake_workers
from outhaul.jobs.job import Job, sources
from outhaul.jobs.plans import drop_plans
from outhaul.jobs.store import JOB_COLUMNS, lock_subscription, to_job
from outhaul.protocol.states import State

_JOBS: sa.Select[Any] = sa.select(*JOB_COLUMNS, api_user.c.email).join(
    api_user, api_user.c.id == export_job.c.api_user
)


class JobMissingError(LookupError):
    """The subscription has no job with this id."""


class StepError(ValueError):
    """A job cannot get into a state from the one that it is in."""


class Owned(NamedTuple):
    """A job, and the e-mail address of the API user that owns it."""

    job: Job
    email: str


def all_jobs(database: Database, subscription: str) -> list[Owned]:
    """Return the jobs of all API users of a subscription, oldest first."""
    statement = _JOBS.where(export_job.c.subscription == subscription)
    with database.read() as connection:
        rows = connection.execute(statement.order_by(export_job.c.created_at, export_job.c.id))
        return [Owned(to_job(row), row.email) for row in rows]


def any_job(database: Database, subscription: str, job_id: str) -> Owned:
    """Return a job of a subscription. Raises `JobMissingError`."""
    with database.read() as connection:
        return _job(connection, subscription, job_id)


def check_step(job: Job, target: State) -> None:
    """Raise `StepError` if a job cannot get into a state from the one that it is in."""
    if job.state not in sources(target):
        possible = " or ".join(sources(target))
        raise StepError(
            f"export job {job.id} is {job.state}; only a job that is {possible} can become {target}"
        )


def end_job(  # noqa: PLR0913 - each is a column
    database: Database,
    subscription: str,
    job_id: str,
    target: State,
    moment: datetime,
    *,
    message: str | None = None,
) -> Owned:
    """Make a job Failed or Cancelled. A worker that runs it loses its lease, and stops.

    `message` is the reason why the job is Failed. Raises `JobMissingError` and `StepError`.
    """
    with database.write() as connection:
        lock_subscription(connection, subscription)
        connection.execute(
            sa.select(export_job.c.id).where(export_job.c.id == job_id).with_for_update()
        )
        job = _job(connection, subscription, job_id).job
        check_step(job, target)
        connection.execute(
            export_job.update()
            .where(export_job.c.id == job_id)
            .values(
                state=target.value,
                finished_at=max(moment, job.started_at or job.queued_at or job.created_at),
                error_message=message,
                lease_owner=None,
                lease_until=None,
            )
        )
        drop_plans(connection, [job_id])
        wake_workers(connection)  # another job may start
        return _job(connection, subscription, job_id)


def drop_jobs(database: Database, subscription: str) -> list[str]:
    """Delete all jobs of a subscription, and return their ids. Their files remain in the store.

    A worker that runs one of them loses its lease, and deletes the parts that it has rendered.
    """
    with database.write() as connection:
        lock_subscription(connection, subscription)
        of_subscription = sa.select(export_job.c.id).where(
            export_job.c.subscription == subscription
        )
        jobs = list(connection.execute(of_subscription.with_for_update()).scalars())
        connection.execute(export_plan.delete().where(export_plan.c.job.in_(of_subscription)))
        connection.execute(export_part.delete().where(export_part.c.job.in_(of_subscription)))
        connection.execute(export_job.delete().where(export_job.c.subscription == subscription))
    return jobs


def _job(connection: sa.Connection, subscription: str, job_id: str) -> Owned:
    row = connection.execute(
        _JOBS.where(export_job.c.subscription == subscription, export_job.c.id == job_id)
    ).first()
    if row is None:
        raise JobMissingError(f"the subscription {subscription!r} has no export job {job_id!r}")
    return Owned(to_job(row), row.email)
