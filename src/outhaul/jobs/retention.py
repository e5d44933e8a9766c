"""Retention of jobs, of their files and of their parts (bulk extract, limits).

Ages count by the clock of each subscription. Methods take real time.

Several processes may do this at the same time. The result is the same as that of one.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from outhaul.accounts.clocks import SubscriptionClock
from outhaul.database.engine import Database
from outhaul.database.schema import export_job, export_part, export_plan, subscription
from outhaul.jobs.plans import drop_plans
from outhaul.limits import Limits
from outhaul.protocol.states import State
from outhaul.settings import Settings

AT_ONCE = 500
"""Most jobs in one statement."""

_OPEN = (State.CREATED.value, State.QUEUED.value, State.PROCESSING.value)


@dataclass(frozen=True)
class _Rules:
    """What holds for a subscription now."""

    limits: Limits
    moment: datetime
    """The current time, by the clock of the subscription."""

    def has_expired(self, finished_at: datetime) -> bool:
        """Return whether the file of a job that was Completed at this time has expired."""
        return finished_at + timedelta(days=self.limits.file_days) <= self.moment


class Retention:
    """The jobs of all subscriptions, for the janitor."""

    def __init__(self, database: Database, settings: Settings) -> None:
        self._database = database
        self._settings = settings

    def expired(self, jobs: Collection[str], real: datetime) -> frozenset[str]:
        """Return those of the jobs, given by their ids, that have a file which has expired."""
        found: set[str] = set()
        rules = self._rules(real)
        with self._database.read() as connection:
            for some in _batches(sorted(jobs)):
                rows = connection.execute(
                    sa.select(
                        export_job.c.id, export_job.c.subscription, export_job.c.finished_at
                    ).where(export_job.c.id.in_(some), export_job.c.state == State.COMPLETED.value)
                )
                found.update(
                    job.id for job in rows if rules[job.subscription].has_expired(job.finished_at)
                )
        return frozenset(found)

    def retained_parts(
        self, jobs: Collection[str], real: datetime
    ) -> Mapping[str, frozenset[str] | None]:
        """Return, for each job id, the keys of the parts that must not be deleted.

        `None` means all parts: the job has not ended. The set is empty for a job that failed, was
        cancelled, or does not exist.
        """
        found: dict[str, frozenset[str] | None] = dict.fromkeys(jobs, frozenset())
        rules = self._rules(real)
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
                    elif job.state == State.COMPLETED.value and not (
                        rules[job.subscription].has_expired(job.finished_at)
                    ):
                        visible.append(job.id)
                parts = connection.execute(
                    sa.select(export_part.c.job, export_part.c.key).where(
                        export_part.c.job.in_(visible)
                    )
                )
                for part in parts:
                    found[part.job] = (found[part.job] or frozenset()) | {part.key}
        return found

    def forget(self, real: datetime) -> int:
        """Delete the jobs that ended more than `status_days` ago; return their number.

        For a job that was never enqueued, the days count from its creation.
        """
        removed = 0
        for name, rules in self._rules(real).items():
            last = rules.moment - timedelta(days=rules.limits.status_days)
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

    def _rules(self, real: datetime) -> Mapping[str, _Rules]:
        """Return the rules of each subscription."""
        with self._database.read() as connection:
            rows = connection.execute(
                sa.select(subscription.c.name, subscription.c.limit_overrides, subscription.c.clock)
            ).all()
        found = {}
        for row in rows:
            moment = SubscriptionClock.from_json(row.clock).at(real)
            found[row.name] = _Rules(self._settings.limits_of(row.limit_overrides, moment), moment)
        return found


def _batches(jobs: list[str]) -> Iterator[list[str]]:
    for first in range(0, len(jobs), AT_ONCE):
        yield jobs[first : first + AT_ONCE]
