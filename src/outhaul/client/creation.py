"""Creating one job, although answers get lost, without leaving a double of it.

`create` changes something, and nothing in its answer or in the list of jobs tells the jobs of two
runs apart. If the answer of an attempt is lost, the attempt may or may not have created a job. A
job in Created takes no place in the queue, so the call is simply tried again, and the double is
cancelled when the run ends:

- A job of the list is never used in place of a new one. The list does not show the request of a
  job, so that the job could be that of another run, with other records.
- A double is looked for in the list among the jobs in Created that have the same format and were
  created while the attempt was made, by the clock of the endpoint. The job of another run can look
  like that too, but it leaves Created at once, or as soon as the queue has room. So doubles are
  cancelled at the end, when this run's own job has left the queue, and some seconds later.
- If there are more such jobs than lost answers, or if this run has met a full queue, so that many
  others may wait in Created, none is cancelled. A notice names them.
"""

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from outhaul.client.calls import Calls
from outhaul.client.errors import ClientError
from outhaul.client.jobs import Job
from outhaul.client.retries import did_nothing, is_temporary
from outhaul.client.shield import shielded
from outhaul.protocol.answers.exports import DEFAULT_FORMAT
from outhaul.protocol.states import State
from outhaul.protocol.texts import one_line

_GRACE_SECONDS = 5.0
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


class Creation:
    """The creation of one job. `job` is the job, as soon as it is known."""

    def __init__(self, calls: Calls, request: Mapping[str, Any]) -> None:
        self.job: Job | None = None
        self._calls = calls
        self._request = request
        self._format = str(request.get("format") or DEFAULT_FORMAT).upper()
        self._lost: list[Span] = []
        self._made: Span | None = None

    def make(self) -> Job:
        """Create the job. Raises `ClientError`.

        An interrupt waits some seconds for the answer to a call that was sent, so that `job` is
        known.
        """
        return self._calls.session.repeat(self._attempt, on=is_temporary)

    def clear(self, calls: Calls, *, queue_was_full: bool, settle: bool) -> None:
        """Cancel the doubles that lost answers have left. Says in notices what was done.

        `settle` gives other runs some seconds to enqueue the jobs that look like doubles.
        """
        if not self._lost:
            return
        try:
            doubles = self._doubles(calls)
            if doubles and settle:
                self._calls.session.patience.pause(SETTLE_SECONDS)
                found = {job.export_id for job in self._doubles(calls)}
                doubles = [job for job in doubles if job.export_id in found]
        except ClientError as error:
            self._notice(f"a double of the job may be left in Created: {error}")
            return
        names = _names(doubles)
        if not doubles and self.job is None:
            self._notice(
                "an answer to create was lost; if it has created a job, the job is in Created and "
                "takes no place in the queue"
            )
        elif len(doubles) > len(self._lost):
            self._notice(
                f"{len(doubles)} jobs in Created could be doubles of this run, but it has lost "
                f"{len(self._lost)} answers; none was cancelled: {names}"
            )
        elif doubles and queue_was_full:
            self._notice(
                "the queue was full, so that another run may wait with a job that looks like a "
                f"double of this run's job; none was cancelled: {names}"
            )
        else:
            for job in doubles:
                self._cancel(calls, job)

    def _attempt(self) -> Job:
        sent: list[float] = []

        def run(send: Callable[[], Job]) -> Job:
            begin = self._now()
            sent.append(begin)
            return shielded(lambda: self._keep(send(), begin), _GRACE_SECONDS)

        try:
            return self._calls.create_once(self._request, run)
        except ClientError as error:
            if sent and not did_nothing(error):
                self._lost.append(Span(sent[-1], self._now()))
                self._look()
            raise
        except BaseException:
            if sent and self.job is None:
                self._lost.append(Span(sent[-1], self._now()))
            raise

    def _keep(self, job: Job, begin: float) -> Job:
        self._made = Span(begin, self._now())
        self.job = job
        return job

    def _look(self) -> None:
        """Say which job the lost attempt has created, if there is one."""
        with contextlib.suppress(ClientError):
            if doubles := self._doubles(self._calls.within(_LOOK_SECONDS)):
                self._notice(f"an answer to create was lost; it may have created {_names(doubles)}")

    def _doubles(self, calls: Calls) -> list[Job]:
        jobs = list(calls.jobs([State.CREATED]))
        sight = self._sight()
        return [job for job in jobs if self._may_be_double(job, sight)]

    def _may_be_double(self, job: Job, sight: Sight) -> bool:
        created = job.created_at
        return (
            job.status is State.CREATED
            and job.format == self._format
            and (self.job is None or job.export_id != self.job.export_id)
            and created is not None
            and any(sight.could_be_of(lost, created) for lost in self._lost)
        )

    def _sight(self) -> Sight:
        """Return the best that is known of the clock by which the endpoint dates its jobs.

        The date of this run's own job is the best, because it is by that very clock. The header
        `Date` can be that of a proxy.
        """
        if self.job is not None and self.job.created_at is not None and self._made is not None:
            return Sight(self.job.created_at, self._made)
        now = Span(self._now(), self._now())
        told = self._calls.session.endpoint_time()
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

    def _now(self) -> float:
        return self._calls.session.patience.now()

    def _notice(self, line: str) -> None:
        # A notice that cannot be shown must not keep the run from tidying up.
        with contextlib.suppress(OSError):
            self._calls.session.notice(one_line(line, 300))


def _names(jobs: Sequence[Job]) -> str:
    more = ", …" if len(jobs) > _NAMED else ""
    return "job " + ", ".join(one_line(job.export_id) for job in jobs[:_NAMED]) + more
