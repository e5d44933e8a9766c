"""The store of export jobs for their owners: create, enqueue, cancel, get, list.

Lock order: subscription row, then job row. Counting jobs or file sizes, and acting on the count,
happens under the subscription lock, so this order cannot deadlock.
"""

import secrets
import time
import uuid
from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from outhaul.accounts.tokens import Caller
from outhaul.database.engine import Database
from outhaul.database.schema import export_job, export_part, subscription
from outhaul.database.wakeups import wake_workers
from outhaul.errors import Error
from outhaul.export.request import ExportRequest
from outhaul.jobs.job import Job, sources
from outhaul.jobs.plans import drop_plans
from outhaul.jobs.refresh import refreshed
from outhaul.limits import Limits
from outhaul.protocol.paging import decode_token, encode_token
from outhaul.protocol.quota_days import quota_day
from outhaul.protocol.states import State

_OPEN = (State.QUEUED.value, State.PROCESSING.value)
_MEGABYTE = 1_000_000

# The jobs that a caller can see: those that it created, until their status is forgotten.
_THEIRS = (
    export_job.c.api_user == sa.bindparam("user"),
    export_job.c.kind == sa.bindparam("kind"),
    sa.or_(
        export_job.c.finished_at.is_(None), export_job.c.finished_at >= sa.bindparam("forgotten")
    ),
)

JOB_COLUMNS: tuple[sa.ColumnElement[Any], ...] = (
    export_job.c.id,
    export_job.c.subscription,
    export_job.c.api_user,
    export_job.c.kind,
    export_job.c.state,
    export_job.c.request,
    export_job.c.created_at,
    export_job.c.queued_at,
    export_job.c.started_at,
    export_job.c.finished_at,
    export_job.c.records,
    export_job.c.file_size,
    export_job.c.checksum,
    export_job.c.error_message,
    export_job.c.attempts,
)
"""The columns that `to_job` reads."""

# Clients fetch a file in many ranges, and each call runs these statements. They are built once.
_JOB = sa.select(*JOB_COLUMNS).where(export_job.c.id == sa.bindparam("job"), *_THEIRS)
_PARTS = (
    sa.select(export_part.c.key, export_part.c.size)
    .where(export_part.c.job == sa.bindparam("job"))
    .order_by(export_part.c.number)
)


class JobStore:
    """The jobs of one caller. Other callers' jobs, and forgotten ones, do not exist here."""

    def __init__(self, database: Database, caller: Caller, limits: Limits) -> None:
        self._database = database
        self._caller = caller
        self._limits = limits

    def create(self, kind: str, request: ExportRequest, moment: datetime) -> Job:
        """Create a job. Raises 1029 when the daily quota is used up."""
        job = Job(
            id=_new_id(in_order=self._caller.clock.is_frozen),
            subscription=self._caller.subscription,
            user=self._caller.user,
            kind=kind,
            state=State.CREATED,
            request=request,
            created_at=moment,
        )
        with self._database.write() as connection:
            self._lock(connection)
            self._check_quota(connection, moment)
            connection.execute(
                export_job.insert().values(
                    id=job.id,
                    subscription=job.subscription,
                    api_user=job.user,
                    kind=kind,
                    state=job.state.value,
                    request=request.to_json(),
                    created_at=moment,
                    attempts=0,
                )
            )
        return job

    def enqueue(self, kind: str, job_id: str, moment: datetime) -> Job:
        """Put a job into the queue.

        Raises 1029 when the job was enqueued before, when the queue is full, and when the daily
        quota is used up. Raises 1003 when the job was cancelled.
        """
        with self._database.write() as connection:
            self._lock(connection)
            job = self._locked_job(connection, kind, job_id, moment)
            if job.state is State.CANCELLED:
                raise Error.JOB_STATE(export_id=job_id, state=job.state.value, action="enqueued")
            if job.state not in sources(State.QUEUED):
                raise Error.ALREADY_QUEUED()
            self._check_quota(connection, moment)
            self._check_queue(connection)
            connection.execute(
                export_job.update()
                .where(export_job.c.id == job_id)
                .values(state=State.QUEUED.value, queued_at=max(moment, job.created_at))
            )
            wake_workers(connection)
            return self._job(connection, kind, job_id, moment)

    def cancel(self, kind: str, job_id: str, moment: datetime) -> Job:
        """Cancel a job that has not ended. Cancelling a cancelled job changes nothing.

        Raises 1003 when the job is Completed or Failed.
        """
        with self._database.write() as connection:
            # No subscription lock: the queue only becomes shorter, so no count is exceeded.
            job = self._locked_job(connection, kind, job_id, moment)
            if job.state is State.CANCELLED:
                return job
            if job.state not in sources(State.CANCELLED):
                raise Error.JOB_STATE(export_id=job_id, state=job.state.value, action="cancelled")
            last = job.started_at or job.queued_at or job.created_at
            # A worker that holds the job finds its lease lost, and deletes the parts.
            connection.execute(
                export_job.update()
                .where(export_job.c.id == job_id)
                .values(
                    state=State.CANCELLED.value,
                    finished_at=max(moment, last),  # the clock may have been set back
                    lease_owner=None,
                    lease_until=None,
                )
            )
            drop_plans(connection, [job_id])
            if job.state is State.PROCESSING:
                wake_workers(connection)  # another job may start
            return self._job(connection, kind, job_id, moment)

    def get(self, kind: str, job_id: str, moment: datetime) -> Job:
        """Return a job, as of the last refresh if `status_seconds` is set.

        Raises 1003 when the caller has no job with this id.
        """
        with self._database.read() as connection:
            job = self._job(connection, kind, job_id, moment)
        return refreshed(job, moment, self._limits.status_seconds)

    def page(
        self,
        kind: str,
        moment: datetime,
        *,
        states: Collection[State] = (),
        size: int | None = None,
        token: str | None = None,
    ) -> tuple[list[Job], str | None]:
        """Return jobs of the last `list_days`, oldest first, and the next page's token, if any."""
        size = min(size or self._limits.list_page, self._limits.list_page)
        where = [
            *_THEIRS,
            export_job.c.created_at >= moment - timedelta(days=self._limits.list_days),
        ]
        if states:
            where.append(export_job.c.state.in_([state.value for state in states]))
        if token is not None:
            where.append(self._after(token))
        order = (export_job.c.created_at, export_job.c.id)
        statement = sa.select(*JOB_COLUMNS).where(*where).order_by(*order).limit(size + 1)
        with self._database.read() as connection:
            rows = connection.execute(statement, self._theirs(kind, moment))
            jobs = [to_job(row) for row in rows]
        if len(jobs) <= size:
            return jobs, None
        last = jobs[size - 1]
        return jobs[:size], encode_token([last.created_at.isoformat(), last.id])

    def file(self, kind: str, job_id: str, moment: datetime) -> tuple[Job, list[tuple[str, int]]]:
        """Return a Completed job, and key and size (bytes) of each part of its file, in order.

        Raises `LookupError` when the caller has no such job, when the job is not Completed, and
        when its file has expired.
        """
        with self._database.read() as connection:
            found = self._find(connection, kind, job_id, moment)
            if found is None:
                raise LookupError(f"no export job {job_id}")
            job = to_job(found)
            retained = timedelta(days=self._limits.file_days)
            if job.state is not State.COMPLETED or job.finished_at is None:
                raise LookupError(f"export job {job_id} is {job.state.value}")
            if job.finished_at + retained <= moment:
                raise LookupError(
                    f"the file of export job {job_id} was kept for {retained.days} days"
                )
            parts = connection.execute(_PARTS, {"job": job_id})
            return job, [(row.key, row.size) for row in parts]

    def _theirs(self, kind: str, moment: datetime) -> dict[str, Any]:
        """Return the values of `_THEIRS`."""
        return {
            "user": self._caller.user,
            "kind": kind,
            "forgotten": moment - timedelta(days=self._limits.status_days),
        }

    def _find(
        self, connection: sa.Connection, kind: str, job_id: str, moment: datetime
    ) -> sa.Row[Any] | None:
        return connection.execute(_JOB, {"job": job_id, **self._theirs(kind, moment)}).first()

    def _job(self, connection: sa.Connection, kind: str, job_id: str, moment: datetime) -> Job:
        row = self._find(connection, kind, job_id, moment)
        if row is None:
            raise Error.JOB_UNKNOWN(export_id=job_id)
        return to_job(row)

    def _locked_job(
        self, connection: sa.Connection, kind: str, job_id: str, moment: datetime
    ) -> Job:
        """Lock the row of a job until the transaction ends; return the job."""
        row = connection.execute(
            _JOB.with_for_update(), {"job": job_id, **self._theirs(kind, moment)}
        ).first()
        if row is None:
            raise Error.JOB_UNKNOWN(export_id=job_id)
        return to_job(row)

    def _lock(self, connection: sa.Connection) -> None:
        """Lock the subscription if a limit counts its jobs or sizes, so that none are added."""
        if self._limits.queued_jobs is not None or self._limits.daily_export_mb is not None:
            lock_subscription(connection, self._caller.subscription)

    def _check_queue(self, connection: sa.Connection) -> None:
        """Raise 1029 when the queue is full. All users of a subscription share one queue."""
        if self._limits.queued_jobs is None:
            return
        waiting = sa.select(sa.func.count()).where(
            export_job.c.subscription == self._caller.subscription, export_job.c.state.in_(_OPEN)
        )
        if connection.execute(waiting).scalar_one() >= self._limits.queued_jobs:
            raise Error.QUEUE_FULL()

    def _check_quota(self, connection: sa.Connection, moment: datetime) -> None:
        """Raise 1029 when the files that were completed today reach the daily quota."""
        limit = self._limits.daily_export_mb
        if limit is None:
            return
        begin, end = quota_day(moment)
        used = sa.select(sa.func.coalesce(sa.func.sum(export_job.c.file_size), 0)).where(
            export_job.c.subscription == self._caller.subscription,
            export_job.c.state == State.COMPLETED.value,
            export_job.c.finished_at >= begin,
            export_job.c.finished_at < end,
        )
        if connection.execute(used).scalar_one() >= limit * _MEGABYTE:
            raise Error.QUOTA_EXCEEDED(limit=limit)

    def _after(self, token: str) -> sa.ColumnElement[bool]:
        try:
            moment, last = _position(token)
        except (ValueError, OverflowError):
            raise Error.INVALID(
                parameter="nextPageToken", problem="it is not a token of this list"
            ) from None
        return sa.or_(
            export_job.c.created_at > moment,
            sa.and_(export_job.c.created_at == moment, export_job.c.id > last),
        )


def _new_id(*, in_order: bool) -> str:
    """Return a new job id: by default a random UUID.

    Jobs of the same time are listed and started in the order of their ids. If that has to be the
    order of their creation, because the clock is frozen, the id is a UUID of version 7.
    """
    if not in_order:
        return str(uuid.uuid4())
    milliseconds, rest = divmod(time.time_ns(), 1_000_000)
    fraction = rest * 4096 // 1_000_000
    head = milliseconds << 80 | 7 << 76 | fraction << 64
    return str(uuid.UUID(int=head | 2 << 62 | secrets.randbits(62)))


def _position(token: str) -> tuple[datetime, str]:
    """Return when the last job of a page was created, and its id.

    Raises `ValueError`, and `OverflowError` when the moment in UTC is outside the calendar.
    """
    created, last = decode_token(token, 2)
    moment = datetime.fromisoformat(created)
    if moment.tzinfo is None:
        raise ValueError("a moment without a time zone")
    return moment.astimezone(UTC), last


def lock_subscription(connection: sa.Connection, name: str, *, wait: bool = True) -> bool:
    """Lock the row of a subscription until the transaction ends.

    FOR NO KEY UPDATE: others can still insert rows that refer to the subscription. Returns false
    if `wait` is false and another transaction holds the lock.
    """
    row = sa.select(subscription.c.name).where(subscription.c.name == name)
    locked = row.with_for_update(key_share=True, skip_locked=not wait)
    return connection.execute(locked).first() is not None


def to_job(row: sa.Row[Any]) -> Job:
    """Return the job of a row with the columns `JOB_COLUMNS`."""
    return Job(
        id=row.id,
        subscription=row.subscription,
        user=row.api_user,
        kind=row.kind,
        state=State(row.state),
        request=ExportRequest.from_json(row.request),
        created_at=row.created_at,
        queued_at=row.queued_at,
        started_at=row.started_at,
        finished_at=row.finished_at,
        records=row.records,
        file_size=row.file_size,
        checksum=row.checksum,
        error_message=row.error_message,
        attempts=row.attempts,
    )
