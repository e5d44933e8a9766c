"""The queue as workers see it: claim a job, hold it by a lease, publish it or give it up.

A worker that lost its lease cannot change the job any more: every statement here names the
worker, and is in a transaction of its own. What a crash interrupts has either happened or not.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from outhaul.files.manifest import Manifest
from outhaul.jobs.job import Job
from outhaul.jobs.store import to_job
from outhaul.protocol.states import State
from outhaul.settings import Settings
from outhaul.state.database import Database
from outhaul.state.schema import export_job, export_part, subscription

MAX_ATTEMPTS = 3


class LeaseLostError(Exception):
    """The job is no longer this worker's: it was cancelled, or taken up by another."""


class Queue:
    """The jobs of all subscriptions, for one worker."""

    def __init__(self, database: Database, settings: Settings, worker: str) -> None:
        self._database = database
        self._settings = settings
        self._worker = worker

    def claim(self, moment: datetime) -> Job | None:
        """Take the job that has waited longest, of a subscription that may run one more.

        A job whose worker let its lease run out comes first, until it has had its attempts; then
        it is Failed. Returns `None` where there is nothing to do.
        """
        with self._database.read() as connection:
            if not self._work(connection, moment):
                return None
        with self._database.write() as connection:
            self._give_up(connection, moment)
            job_id = self._abandoned(connection, moment) or self._next(connection)
            if job_id is None:
                return None
            connection.execute(
                export_job.update()
                .where(export_job.c.id == job_id)
                .values(
                    state=State.PROCESSING.value,
                    started_at=sa.func.coalesce(export_job.c.started_at, moment),
                    attempts=export_job.c.attempts + 1,
                    lease_owner=self._worker,
                    lease_until=moment + self._lease,
                )
            )
            row = connection.execute(sa.select(export_job).where(export_job.c.id == job_id)).one()
            return to_job(row)

    def check(self, job_id: str) -> None:
        """Raise `LeaseLostError` where the job is not this worker's any more."""
        with self._database.read() as connection:
            mine = sa.select(export_job.c.id).where(*self._mine(job_id))
            if connection.execute(mine).first() is None:
                raise LeaseLostError(job_id)

    def renew(self, job_id: str, moment: datetime) -> None:
        """Hold a job for another while. Raises `LeaseLostError`."""
        with self._database.write() as connection:
            self._change(connection, job_id, lease_until=moment + self._lease)

    def pin(self, job_id: str, plan: Mapping[str, Any]) -> None:
        """Keep what a job reads, so that every attempt reads the same. Raises `LeaseLostError`."""
        with self._database.write() as connection:
            self._change(connection, job_id, plan=dict(plan))

    def publish(self, job_id: str, manifest: Manifest, moment: datetime) -> None:
        """Make a job Completed and its file visible, both at once. Raises `LeaseLostError`."""
        with self._database.write() as connection:
            self._change(
                connection,
                job_id,
                state=State.COMPLETED.value,
                finished_at=moment,
                records=manifest.records,
                file_size=manifest.size,
                checksum=manifest.checksum,
                lease_owner=None,
                lease_until=None,
            )
            connection.execute(
                export_part.insert(),
                [
                    {
                        "job": job_id,
                        "number": part.number,
                        "key": part.key,
                        "size": part.size,
                        "records": part.records,
                    }
                    for part in manifest.parts
                ],
            )

    def state(self, job_id: str) -> State:
        """Return the state of a job, whoever holds it."""
        with self._database.read() as connection:
            found = sa.select(export_job.c.state).where(export_job.c.id == job_id)
            return State(connection.execute(found).scalar_one())

    def has_published(self, job_id: str, prefix: str) -> bool:
        """Tell whether the job's file is made of the parts whose keys begin with `prefix`."""
        with self._database.read() as connection:
            ours = sa.select(export_part.c.key).where(
                export_part.c.job == job_id, export_part.c.key.startswith(prefix, autoescape=True)
            )
            return connection.execute(ours.limit(1)).first() is not None

    def fail(self, job_id: str, message: str, moment: datetime) -> None:
        """Make a job Failed. Raises `LeaseLostError`."""
        with self._database.write() as connection:
            self._change(
                connection,
                job_id,
                state=State.FAILED.value,
                finished_at=moment,
                error_message=message,
                lease_owner=None,
                lease_until=None,
            )

    def release(self, job_id: str, *, counts: bool) -> None:
        """Hand a job back for another attempt. Raises `LeaseLostError`.

        One that a stopping worker hands back does not count (`counts` is false).
        """
        attempts = export_job.c.attempts if counts else export_job.c.attempts - 1
        with self._database.write() as connection:
            self._change(
                connection,
                job_id,
                attempts=attempts,
                lease_owner=None,
                lease_until=datetime.fromtimestamp(0).astimezone(),
            )

    @property
    def _lease(self) -> timedelta:
        return timedelta(seconds=self._settings.lease_seconds)

    def _change(self, connection: sa.Connection, job_id: str, **values: object) -> None:
        """Change a job that this worker holds; one that it does not hold is left alone."""
        changed = connection.execute(
            export_job.update().where(*self._mine(job_id)).values(**values)
        )
        if changed.rowcount == 0:
            raise LeaseLostError(job_id)

    def _mine(self, job_id: str) -> tuple[sa.ColumnElement[bool], ...]:
        return (
            export_job.c.id == job_id,
            export_job.c.state == State.PROCESSING.value,
            export_job.c.lease_owner == self._worker,
        )

    def _work(self, connection: sa.Connection, moment: datetime) -> bool:
        """Tell whether there may be a job to claim, without holding up those who write."""
        statement = sa.select(export_job.c.id).where(
            sa.or_(export_job.c.state == State.QUEUED.value, _expired(moment))
        )
        return connection.execute(statement.limit(1)).first() is not None

    def _give_up(self, connection: sa.Connection, moment: datetime) -> None:
        """Make jobs Failed that ended the process of every worker that took them."""
        connection.execute(
            export_job.update()
            .where(_expired(moment), export_job.c.attempts >= MAX_ATTEMPTS)
            .values(
                state=State.FAILED.value,
                finished_at=moment,
                error_message=f"Gave up after {MAX_ATTEMPTS} attempts: "
                "each time the worker stopped before the export was done",
                lease_owner=None,
                lease_until=None,
            )
        )

    def _abandoned(self, connection: sa.Connection, moment: datetime) -> str | None:
        found = connection.execute(
            sa.select(export_job.c.id)
            .where(_expired(moment))
            .order_by(export_job.c.started_at)
            .limit(1)
        )
        return found.scalar()

    def _next(self, connection: sa.Connection) -> str | None:
        """Return the oldest job of a subscription that may have one more in processing."""
        rows = connection.execute(
            sa.select(
                subscription.c.name,
                subscription.c.limit_overrides,
                sa.func.count(export_job.c.id).label("processing"),
            )
            .outerjoin(
                export_job,
                sa.and_(
                    export_job.c.subscription == subscription.c.name,
                    export_job.c.state == State.PROCESSING.value,
                ),
            )
            .group_by(subscription.c.name)
        )
        free = [row.name for row in rows if self._may_run(row.processing, row.limit_overrides)]
        found = connection.execute(
            sa.select(export_job.c.id)
            .where(export_job.c.state == State.QUEUED.value, export_job.c.subscription.in_(free))
            .order_by(export_job.c.queued_at, export_job.c.id)
            .limit(1)
        )
        return found.scalar()

    def _may_run(self, processing: int, overrides: Mapping[str, Any]) -> bool:
        limit = self._settings.limits_of(overrides).processing_jobs
        return limit is None or processing < limit


def _expired(moment: datetime) -> sa.ColumnElement[bool]:
    return sa.and_(export_job.c.state == State.PROCESSING.value, export_job.c.lease_until <= moment)
