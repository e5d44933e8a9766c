"""The doubles that lost answers to `create` may have left, and what becomes of them.

Nothing in the answer to `create` or in the list of jobs tells the jobs of two runs apart. If the
answer of an attempt is lost, the attempt may or may not have created a job. A job in Created takes
no place in the queue, so it can wait until the end:

- A job of the list is never used in place of a new one. The list does not show the request of a
  job, so that the job could be that of another run, with other records.
- A double is looked for in the list among the jobs in Created that have the same format and were
  created while the attempt was made, by the clock of the endpoint. The job of another run can look
  like that too, but it leaves Created at once, or as soon as the queue has room. So doubles are
  cancelled at the end, when this run's own jobs have left the queue, and some seconds later.
- If there are more such jobs than lost answers, or if this run has met a full queue, so that many
  others may wait in Created, none is cancelled. A notice names them.
"""

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from outhaul.client.calls import Calls
from outhaul.client.errors import ClientError
from outhaul.client.jobs import Job
from outhaul.protocol.states import State
from outhaul.protocol.texts import one_line

_LOOK_SECONDS = 10.0
SETTLE_SECONDS = 6.0
"""Longer than the longest pause between two attempts of a run to enqueue its job."""

# Clocks show whole seconds.
_SLACK = timedelta(seconds=2)
# This machine's clock may differ from that of the endpoint.
_WIDE_SLACK = timedelta(minutes=1)
# A gateway gives up before the endpoint does.
_LATE = timedelta(minutes=1)
_NAMED = 5


@dataclass(frozen=True)
class Span:
    """The time from the sending of a call to its end, in seconds of the client's clock."""

    begin: float
    end: float


@dataclass(frozen=True)
class Sight:
    """What the clock of the endpoint showed at some moment of a span."""

    shown: datetime
    span: Span
    slack: timedelta = _SLACK

    def could_be_of(self, lost: Span, created: datetime) -> bool:
        """Return whether a job that was created then can be that of a call that was lost."""
        begin = self.shown - timedelta(seconds=self.span.end - lost.begin) - self.slack
        end = self.shown + timedelta(seconds=lost.end - self.span.begin) + self.slack + _LATE
        return begin <= created <= end


@dataclass(frozen=True)
class _Lost:
    span: Span
    format: str


class Doubles:
    """What is known of the doubles of a run's jobs of one kind."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls
        self._lost: list[_Lost] = []
        self._own: set[str] = set()
        self._sights: list[Sight] = []

    @property
    def possible(self) -> bool:
        """Whether an answer was lost since doubles were cleared."""
        return bool(self._lost)

    def made(self, job: Job, span: Span) -> None:
        """Note a job of this run, and when its call was made."""
        self._own.add(job.export_id)
        if job.created_at is not None:
            self._sights[:] = [Sight(job.created_at, span)]

    def lost(self, span: Span, job_format: str) -> None:
        """Note that the answer to a call was lost."""
        self._lost.append(_Lost(span, job_format))

    def look(self) -> None:
        """Say in a notice which jobs the lost answers may have been about."""
        with contextlib.suppress(ClientError):
            if doubles := self._found(self._calls.within(_LOOK_SECONDS)):
                self._notice(f"an answer to create was lost; it may have created {_names(doubles)}")

    def clear(self, calls: Calls, *, queue_was_full: bool, settle: bool) -> None:
        """Cancel the doubles that lost answers have left. Says in notices what was done.

        `settle` gives other runs some seconds to enqueue the jobs that look like doubles.
        """
        if not self._lost:
            return
        try:
            doubles = self._found(calls)
            if doubles and settle:
                self._calls.session.patience.pause(SETTLE_SECONDS)
                found = {job.export_id for job in self._found(calls)}
                doubles = [job for job in doubles if job.export_id in found]
        except ClientError as error:
            self._notice(f"a double of the job may be left in Created: {error}")
            return
        lost = len(self._lost)
        names = _names(doubles)
        if not doubles and not self._own:
            self._notice(
                "an answer to create was lost; if it has created a job, the job is in Created and "
                "takes no place in the queue"
            )
        elif len(doubles) > lost:
            self._notice(
                f"{len(doubles)} jobs in Created could be doubles of this run, but it has lost "
                f"{lost} answers; none was cancelled: {names}"
            )
        elif doubles and queue_was_full:
            self._notice(
                "the queue was full, so that another run may wait with a job that looks like a "
                f"double of this run's job; none was cancelled: {names}"
            )
        else:
            for job in doubles:
                self._cancel(calls, job)
        self._lost.clear()

    def _found(self, calls: Calls) -> list[Job]:
        jobs = list(calls.jobs([State.CREATED]))
        sight = self._sight()
        return [job for job in jobs if self._may_be_double(job, sight)]

    def _may_be_double(self, job: Job, sight: Sight) -> bool:
        created = job.created_at
        return (
            job.status is State.CREATED
            and job.export_id not in self._own
            and created is not None
            and any(
                job.format == lost.format and sight.could_be_of(lost.span, created)
                for lost in self._lost
            )
        )

    def _sight(self) -> Sight:
        """Return the best that is known of the clock by which the endpoint dates its jobs.

        The date of one of this run's own jobs is the best, because it is by that very clock. The
        header `Date` can be that of a proxy.
        """
        if self._sights:
            return self._sights[-1]
        session = self._calls.session
        now = Span(session.patience.now(), session.patience.now())
        told = session.endpoint_time()
        return Sight(datetime.now(UTC), now, _WIDE_SLACK) if told is None else Sight(told, now)

    def _cancel(self, calls: Calls, job: Job) -> None:
        try:
            calls.cancel(job.export_id)
        except ClientError as error:
            self._notice(f"{job.export_id}, a double in Created, could not be cancelled: {error}")
        else:
            self._notice(
                f"{job.export_id} was cancelled: a double, as the answer to create was lost"
            )

    def _notice(self, line: str) -> None:
        # A notice that cannot be shown must not keep the run from tidying up.
        with contextlib.suppress(OSError):
            self._calls.session.notice(one_line(line, 300))


def _names(jobs: Sequence[Job]) -> str:
    more = ", …" if len(jobs) > _NAMED else ""
    return "job " + ", ".join(one_line(job.export_id) for job in jobs[:_NAMED]) + more
