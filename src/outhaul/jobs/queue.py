"""The queue for workers: claim a job, hold its lease, publish its file or give the job up.

All methods take real time, in which leases are. The times of a job are stored by the clock of its
subscription.

A worker that lost its lease cannot change the job: every change here checks that the worker holds
the lease. Each change is one transaction, so a crash leaves it done or not done.

A worker still holds an expired lease until another worker takes the job up. Such a worker did not
respond for a while, but its work is valid.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from outhaul.accounts.clocks import SubscriptionClock
from outhaul.database.engine import Database, insert
from outhaul.database.schema import export_job, export_part, export_plan, subscription
from outhaul.database.wakeups import wake_workers
from outhaul.jobs.job import Job
from outhaul.jobs.pace import AT_ONCE, Pace
from outhaul.jobs.plans import drop_plans
from outhaul.jobs.store import JOB_COLUMNS, lock_subscription, to_job
from outhaul.jobs.turns import first_waiting, subscriptions_in_turn, take_turn, users_in_turn
from outhaul.protocol.states import State
from outhaul.settings import Settings
from outhaul.storage.manifest import Manifest, Part

MAX_ATTEMPTS = 3
"""Attempts after which a job is given up. An attempt that left a part and died is not counted."""

# Only jobs in Processing have a lease. The state is compared all the same: PostgreSQL checks the
# conditions again after it waited for a lock.
_EXPIRED = sa.select(export_job.c.id).where(
    export_job.c.state == State.PROCESSING.value,
    export_job.c.lease_until <= sa.bindparam("moment"),
)


class LeaseLostError(Exception):
    """The worker no longer holds the job: it was cancelled, or another worker took it up."""


class Queue:
    """The jobs of all subscriptions, for one worker."""

    def __init__(
        self, database: Database, settings: Settings, worker: str, pace: Pace = AT_ONCE
    ) -> None:
        self._database = database
        self._settings = settings
        self._worker = worker
        self._pace = pace

    def claim(self, real: datetime) -> Job | None:
        """Take the next job, in the order of `outhaul.jobs.turns`, and begin an attempt.

        Jobs with an expired lease come first. Such a job becomes Failed if it has had
        `MAX_ATTEMPTS` attempts. Returns `None` if there is nothing to do.
        """
        with self._database.read() as connection:
            abandoned = connection.execute(_EXPIRED.limit(1), {"moment": real}).first()
            waiting = subscriptions_in_turn(connection)
        if abandoned is not None:
            if (job := self._take_up(real)) is not None:
                return job
            with self._database.read() as connection:
                waiting = subscriptions_in_turn(connection)  # without the jobs that were given up
        free = [
            row.name
            for row in waiting
            if self._may_run(row.processing, row.limit_overrides, row.clock, real)
        ]
        # Locked subscriptions come last. This worker then waits for their locks, because it may get
        # no notification of a job that the other transaction leaves behind.
        locked = []
        for name in free:
            with self._database.write() as connection:
                if not lock_subscription(connection, name, wait=False):
                    locked.append(name)
                elif (job := self._start(connection, name, real)) is not None:
                    return job
        for name in locked:
            with self._database.write() as connection:
                lock_subscription(connection, name)
                if (job := self._start(connection, name, real)) is not None:
                    return job
        return None

    def check(self, job_id: str) -> None:
        """Raise `LeaseLostError` if this worker does not hold the job any more."""
        with self._database.read() as connection:
            mine = sa.select(export_job.c.id).where(*self._mine(job_id))
            if connection.execute(mine).first() is None:
                raise LeaseLostError(job_id)

    def renew(self, job_id: str, real: datetime) -> None:
        """Extend the lease to `lease_seconds` from now. Raises `LeaseLostError`."""
        with self._database.write() as connection:
            self._change(connection, job_id, lease_until=real + self._lease)

    def pin(self, job_id: str, plan: Mapping[str, Any]) -> None:
        """Store the plan of a job, so that every attempt reads the same. Call it once for a job.

        Raises `LeaseLostError`.
        """
        with self._database.write() as connection:
            self._lock(connection, job_id)
            connection.execute(export_plan.insert().values(job=job_id, plan=dict(plan)))

    def plan(self, job_id: str) -> Mapping[str, Any] | None:
        """Return the plan that `pin` stored; `None` before that, and after the end of the job."""
        with self._database.read() as connection:
            found = sa.select(export_plan.c.plan).where(export_plan.c.job == job_id)
            plan: Mapping[str, Any] | None = connection.execute(found).scalar()
            return plan

    def parts(self, job_id: str) -> list[Part]:
        """Return the published parts of a job, in order."""
        with self._database.read() as connection:
            rows = connection.execute(
                sa.select(export_part)
                .where(export_part.c.job == job_id)
                .order_by(export_part.c.number)
            )
            return [
                Part(number=row.number, key=row.key, size=row.size, records=row.records)
                for row in rows
            ]

    def publish_part(self, job: Job, part: Part) -> None:
        """Record a part, so that a later attempt need not render it. Raises `LeaseLostError`.

        No client sees the part before the file is published. Publishing a part refunds the
        attempt: a job that makes progress is not the cause of the crash. It can be refunded at
        most once per part. `job` is the result of `claim`. Publishing a part again changes nothing.
        """
        with self._database.write() as connection:
            self._change(connection, job.id, attempts=job.attempts - 1)
            row = insert(connection, export_part).values(_row(job.id, part))
            connection.execute(row.on_conflict_do_nothing())

    def drop_parts(self, job_id: str) -> None:
        """Forget all parts: the next attempt renders them again. Raises `LeaseLostError`."""
        with self._database.write() as connection:
            self._lock(connection, job_id)
            connection.execute(export_part.delete().where(export_part.c.job == job_id))

    def publish(self, job_id: str, manifest: Manifest, real: datetime) -> None:
        """Make a job Completed and its file visible, both at once. Raises `LeaseLostError`."""
        with self._database.write() as connection:
            # The daily quota is measured under this lock, so each measurement is either before
            # this file or includes it. Lock order: subscription row, then job row.
            found = sa.select(export_job.c.subscription).where(export_job.c.id == job_id)
            lock_subscription(connection, connection.execute(found).scalar() or "")
            moment = _by_its_clock(connection, job_id, real)
            self._change(
                connection,
                job_id,
                state=State.COMPLETED.value,
                finished_at=_not_before(export_job.c.started_at, moment),
                records=manifest.records,
                file_size=manifest.size,
                checksum=manifest.checksum,
                lease_owner=None,
                lease_until=None,
            )
            drop_plans(connection, [job_id])
            connection.execute(export_part.delete().where(export_part.c.job == job_id))
            connection.execute(
                export_part.insert(), [_row(job_id, part) for part in manifest.parts]
            )
            wake_workers(connection)  # another job may start

    def state_and_keys(self, job_id: str) -> tuple[State | None, frozenset[str]]:
        """Return the state of a job and the keys of its parts. It needs no lease.

        The state is `None` if the job does not exist any more.
        """
        with self._database.read() as connection:
            state = sa.select(export_job.c.state).where(export_job.c.id == job_id)
            keys = sa.select(export_part.c.key).where(export_part.c.job == job_id)
            found = connection.execute(state).scalar()
            known = None if found is None else State(found)
            return known, frozenset(connection.execute(keys).scalars())

    def fail(self, job_id: str, message: str, real: datetime) -> None:
        """Make a job Failed. Raises `LeaseLostError`."""
        with self._database.write() as connection:
            moment = _by_its_clock(connection, job_id, real)
            self._change(
                connection,
                job_id,
                state=State.FAILED.value,
                finished_at=_not_before(export_job.c.started_at, moment),
                error_message=message,
                lease_owner=None,
                lease_until=None,
            )
            drop_plans(connection, [job_id])
            wake_workers(connection)

    def release(self, job: Job, *, counts: bool) -> None:
        """End the lease: another attempt may begin at once. Raises `LeaseLostError`.

        `job` is the result of `claim`. `counts` says whether this attempt counts: it does after an
        error, and it does not when the worker stops.
        """
        with self._database.write() as connection:
            self._change(
                connection,
                job.id,
                attempts=job.attempts if counts else job.attempts - 1,
                lease_owner=None,
                lease_until=datetime.fromtimestamp(0).astimezone(),
            )
            wake_workers(connection)

    @property
    def _lease(self) -> timedelta:
        return timedelta(seconds=self._settings.lease_seconds)

    def _change(self, connection: sa.Connection, job_id: str, **values: object) -> None:
        """Change a job that this worker holds. Raises `LeaseLostError`."""
        changed = connection.execute(
            export_job.update().where(*self._mine(job_id)).values(**values)
        )
        if changed.rowcount == 0:
            raise LeaseLostError(job_id)

    def _lock(self, connection: sa.Connection, job_id: str) -> None:
        """Lock the row of a job that this worker holds. Raises `LeaseLostError`."""
        self._change(connection, job_id, lease_owner=self._worker)

    def _mine(self, job_id: str) -> tuple[sa.ColumnElement[bool], ...]:
        return (
            export_job.c.id == job_id,
            export_job.c.state == State.PROCESSING.value,
            export_job.c.lease_owner == self._worker,
        )

    def _take_up(self, real: datetime) -> Job | None:
        """Take a job whose lease has expired, the oldest first.

        The number of jobs in Processing does not change, so no subscription is locked. Locked rows
        are skipped: their worker is renewing the lease, or another worker is taking the job up.
        """
        with self._database.write() as connection:
            self._give_up(connection, real)
        with self._database.write() as connection:
            job_id = connection.execute(
                _EXPIRED.where(export_job.c.attempts < MAX_ATTEMPTS)
                .order_by(export_job.c.started_at)
                .limit(1)
                .with_for_update(skip_locked=True),
                {"moment": real},
            ).scalar()
            return None if job_id is None else self._hold(connection, job_id, real)

    def _give_up(self, connection: sa.Connection, real: datetime) -> None:
        """Make jobs Failed whose lease expired at every attempt."""
        # Locked rows are skipped: two workers that give up the same jobs would wait for each other.
        spent = connection.execute(
            _EXPIRED.where(export_job.c.attempts >= MAX_ATTEMPTS).with_for_update(skip_locked=True),
            {"moment": real},
        ).scalars()
        jobs = list(spent)
        if not jobs:
            return
        for job_id in jobs:
            moment = _by_its_clock(connection, job_id, real)
            connection.execute(
                export_job.update()
                .where(export_job.c.id == job_id)
                .values(
                    state=State.FAILED.value,
                    finished_at=_not_before(export_job.c.started_at, moment),
                    error_message=f"Gave up after {MAX_ATTEMPTS} attempts: "
                    "each time the worker stopped before the export was done",
                    lease_owner=None,
                    lease_until=None,
                )
            )
        drop_plans(connection, jobs)
        wake_workers(connection)

    def _start(self, connection: sa.Connection, name: str, real: datetime) -> Job | None:
        """Take the next job of a subscription, whose row is locked.

        The number of its jobs in Processing grows only here, under that lock. The count is
        therefore valid until the transaction ends.
        """
        overrides, clock, processing = connection.execute(
            sa.select(
                subscription.c.limit_overrides,
                subscription.c.clock,
                sa.select(sa.func.count())
                .where(
                    export_job.c.subscription == name,
                    export_job.c.state == State.PROCESSING.value,
                )
                .scalar_subquery(),
            ).where(subscription.c.name == name)
        ).one()
        if not self._may_run(processing, overrides, clock, real):
            return None
        for user in users_in_turn(connection, name):
            job_id = self._first(connection, name, user)
            if job_id is not None:
                take_turn(connection, name, user)
                return self._hold(connection, job_id, real)
        return None

    def _first(self, connection: sa.Connection, name: str, user: int) -> str | None:
        """Lock the first job of a user that may start, and return its id."""
        held: list[str] = []
        while True:
            # A locked job is about to be cancelled: the next one is taken instead.
            found = first_waiting(name, user, but=held).with_for_update(skip_locked=True)
            job_id = connection.execute(found).scalar()
            if job_id is None or self._pace.may_start(job_id, name):
                return job_id
            held.append(job_id)

    def _hold(self, connection: sa.Connection, job_id: str, real: datetime) -> Job:
        """Begin an attempt of this worker at a job, whose row is locked."""
        moment = _by_its_clock(connection, job_id, real)
        connection.execute(
            export_job.update()
            .where(export_job.c.id == job_id)
            .values(
                state=State.PROCESSING.value,
                started_at=sa.func.coalesce(
                    export_job.c.started_at, _not_before(export_job.c.queued_at, moment)
                ),
                attempts=export_job.c.attempts + 1,
                lease_owner=self._worker,
                lease_until=real + self._lease,
            )
        )
        row = connection.execute(sa.select(*JOB_COLUMNS).where(export_job.c.id == job_id)).one()
        return to_job(row)

    def _may_run(
        self,
        processing: int,
        overrides: Mapping[str, Any],
        clock: Mapping[str, Any] | None,
        real: datetime,
    ) -> bool:
        moment = SubscriptionClock.from_json(clock).at(real)
        limit = self._settings.limits_of(overrides, moment).processing_jobs
        return limit is None or processing < limit


def _by_its_clock(connection: sa.Connection, job_id: str, real: datetime) -> datetime:
    """Return what the clock of a job's subscription shows at a moment of real time."""
    found = (
        sa.select(subscription.c.clock)
        .join(export_job, export_job.c.subscription == subscription.c.name)
        .where(export_job.c.id == job_id)
    )
    return SubscriptionClock.from_json(connection.execute(found).scalar()).at(real)


def _not_before(earlier: sa.Column[datetime], moment: datetime) -> sa.Case[datetime]:
    """Return a moment, or that of an earlier event of the job if it is later.

    The moment was read before the transaction, by a clock that may be slow, or that was set back.
    """
    return sa.case((earlier > moment, earlier), else_=moment)


def _row(job_id: str, part: Part) -> dict[str, Any]:
    return {
        "job": job_id,
        "number": part.number,
        "key": part.key,
        "size": part.size,
        "records": part.records,
    }
