"""Retention of jobs, of their files and of their parts (bulk extract, limits).

Several processes may do this at the same time. The result is the same as that of one.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from outhaul.database.engine import Database
from outhaul.database.schema import export_job, export_part, export_plan, subscription
from outhaul.jobs.plans import drop_plans
from outhaul.limits import Limits
from outhaul.protocol.states import State
from outhaul.settings import Settings

AT_ONCE = 500
"""Most jobs in one statement."""

_OPEN = (State.CREATED.value, State.QUEUED.value, State.PROCESSING.value)


class Retention:
    """The jobs of all subscriptions, for the janitor."""

    def __init__(self, database: Database, settings: Settings) -> None:
        self._database = database
        self._settings = settings

    def retained_parts(
        self, jobs: Collection[str], moment: datetime
    ) -> Mapping[str, frozenset[str] | None]:
        """Return, for each job id, the keys of the parts that must not be deleted.

        `None` means all parts: the job has not ended. The set is empty for a job that failed, was
        cancelled, or does not exist.
        """
        found: dict[str, frozenset[str] | None] = dict.fromkeys(jobs, frozenset())
        limits = self._limits(moment)
        with self._database.read() as connection:
            for some in _batches(sorted(jobs)):
                rows = connection.execute(
                    sa.select(
                        export_job.c.id,
                        export_job.c.state,
                        export_job.c.subscription,
                        export_job.c.finished_at,
                    ).where(export_job.c.id.in_(some))
                )
                visible = []
                for job in rows:
                    if job.state in _OPEN:
                        found[job.id] = None
                    elif job.state == State.COMPLETED.value:
                        retained = timedelta(days=limits[job.subscription].file_days)
                        if job.finished_at + retained > moment:
                            visible.append(job.id)
                parts = connection.execute(
                    sa.select(export_part.c.job, export_part.c.key).where(
                        export_part.c.job.in_(visible)
                    )
                )
                for part in parts:
                    found[part.job] = (found[part.job] or frozenset()) | {part.key}
        return found

    def forget(self, moment: datetime) -> int:
        """Delete the jobs that ended more than `status_days` ago; return their number.

        For a job that was never enqueued, the days count from its creation.
        """
        removed = 0
        for name, limits in self._limits(moment).items():
            last = moment - timedelta(days=limits.status_days)
            expired = (
                sa.select(export_job.c.id)
                .where(
                    export_job.c.subscription == name,
                    sa.or_(
                        export_job.c.finished_at <= last,
                        sa.and_(
                            export_job.c.state == State.CREATED.value,
                            export_job.c.created_at <= last,
                        ),
                    ),
                )
                .limit(AT_ONCE)
                # Locked rows are skipped: another process is deleting them.
                .with_for_update(skip_locked=True)
            )
            while True:
                with self._database.write() as connection:
                    jobs = connection.execute(expired).scalars().all()
                    drop_plans(connection, jobs)
                    connection.execute(export_part.delete().where(export_part.c.job.in_(jobs)))
                    connection.execute(export_job.delete().where(export_job.c.id.in_(jobs)))
                removed += len(jobs)
                if len(jobs) < AT_ONCE:
                    break
        return removed

    def pinned_plans(self, name: str) -> Sequence[Mapping[str, Any]]:
        """Return the plans of the jobs of a subscription that have not ended."""
        with self._database.read() as connection:
            found = connection.execute(
                sa.select(export_plan.c.plan)
                .join(export_job, export_job.c.id == export_plan.c.job)
                .where(export_job.c.subscription == name)
            )
            return found.scalars().all()

    def _limits(self, moment: datetime) -> Mapping[str, Limits]:
        with self._database.read() as connection:
            rows = connection.execute(
                sa.select(subscription.c.name, subscription.c.limit_overrides)
            )
            return {row.name: self._settings.limits_of(row.limit_overrides, moment) for row in rows}


def _batches(jobs: list[str]) -> Iterator[list[str]]:
    for first in range(0, len(jobs), AT_ONCE):
        yield jobs[first : first + AT_ONCE]
