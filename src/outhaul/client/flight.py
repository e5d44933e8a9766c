"""Many export jobs at once: as many as the endpoint's queue and the day's quota have room for."""

import contextlib
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta
from enum import Enum, auto
from types import TracebackType
from typing import Self

from outhaul.client.creation import Creation
from outhaul.client.doubles import SETTLE_SECONDS, Doubles
from outhaul.client.endings import ENDING_SECONDS, Ending, ended, left_to_others
from outhaul.client.errors import (
    CallsSpentError,
    ClientError,
    HttpError,
    JobFailedError,
    ProtocolError,
    QueueFullError,
    QuotaExceededError,
    QuotaSpentError,
)
from outhaul.client.forecast import Today, forecast
from outhaul.client.foresight import Foresight
from outhaul.client.jobs import Job
from outhaul.client.journeys import Journey
from outhaul.client.queueing import Pace, enqueued
from outhaul.client.quota import Quota
from outhaul.client.retries import is_temporary
from outhaul.client.session import Session
from outhaul.client.tasks import Landed, Task
from outhaul.client.watch import Watch
from outhaul.protocol.quota_days import quota_date
from outhaul.protocol.states import State, UnknownState

# The lists of kinds without a job in flight show other runs only.
_OTHER_LISTS_SECONDS = 20.0
_SAME_LOOK_SECONDS = 0.1
_ALL_ENDINGS_SECONDS = 20.0
_LONGEST_SLEEP_SECONDS = 600.0
_HALF_EMPTY = 2


class _Blocked(Enum):
    """Why nothing can be begun."""

    QUEUE = auto()
    """The queue is full."""
    OTHERS = auto()
    """Jobs of other runs may need what is left of the quota."""
    QUOTA = auto()
    """The day's quota has no room."""
    FLIGHT = auto()
    """A job in flight must end first."""


class Flight:
    """Runs tasks at an endpoint, many at once, in one thread.

    with Flight(session, quota=Quota(session, ["leads"], 500_000_000)) as flight:
        for landed in flight.landed(tasks):
            ...

    `at_once` is the endpoint's limit of jobs in its queue; jobs of others count. No job is begun
    whose size is foreseen to exceed what the day's quota has left. The first job of a family is
    begun alone, because its size tells those of the others. A task that is larger than a whole
    day's quota is begun as the first of a day. With `wait` the flight goes on when the next day
    begins; without it, `QuotaSpentError` is raised when nothing is in flight and nothing fits.

    Leaving the context ends the jobs in flight that the flight has created, and their doubles; jobs
    that were taken up are left. Notes of the exception say what became of each, and `watch.ended`
    gets the same.
    """

    def __init__(  # noqa: PLR0913 - each says how a flight behaves
        self,
        session: Session,
        *,
        quota: Quota,
        at_once: int = 10,
        pace: Pace | None = None,
        watch: Watch | None = None,
        wait: bool = False,
        foresight: Foresight | None = None,
    ) -> None:
        if at_once < 1:
            raise ValueError("at_once must be at least 1")
        self.foresight = foresight or Foresight()
        self._session = session
        self._quota = quota
        self._at_once = at_once
        self._pace = pace or Pace()
        self._watch = watch or Watch()
        self._wait = wait
        self._doubles: dict[str, Doubles] = {}
        self._more: Iterator[Task] = iter(())
        self._pending: deque[Journey] = deque()
        self._begun: list[Journey] = []
        """Journeys whose job was created or taken up, and has not ended."""
        self._landed: deque[Landed] = deque()
        self._pauses = self._pace.pauses()
        self._queue_was_full = False
        self._full_since: float | None = None
        self._full_until = float("-inf")
        self._full_pauses = self._pace.pauses()
        self._busy_seconds = 0.0
        self._landed_count = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._end(exc)

    def landed(self, tasks: Iterable[Task]) -> Iterator[Landed]:
        """Run tasks, and yield what became of each in the order of their ends.

        A sequence is known from the beginning, so that forecasts have all of it; from any other
        iterable a task is taken only when there is room for it. The error of one task does not stop
        the others. Raises `ClientError` if the endpoint as a whole cannot be used, after the jobs
        in flight were ended.
        """
        self._more = iter(tasks)
        if isinstance(tasks, Sequence):
            self._take(len(tasks))
        try:
            yield from self._run()
        except GeneratorExit:
            raise
        except BaseException as error:
            self._end(error)
            raise

    def _run(self) -> Iterator[Landed]:
        self._take(1)
        self._plan()
        while True:
            blocked = self._step()
            if self._landed:
                yield self._landed.popleft()
            elif self._in_flight:
                self._pause()
            elif blocked is not None:
                self._wait_out(blocked)
            else:
                break
        self._clear(settle=True)

    # What is where

    @property
    def _in_flight(self) -> list[Journey]:
        return [journey for journey in self._begun if journey not in self._pending]

    def _take(self, count: int) -> None:
        """Let so many tasks wait at least, if there are any more. Take up jobs of earlier runs."""
        while len(self._pending) < count and (task := next(self._more, None)) is not None:
            journey = Journey(task=task, calls=self._quota.lists.calls(task.kind_path))
            if task.export_id is None:
                self._pending.append(journey)
            else:
                self._take_up(journey, task.export_id)

    def _take_up(self, journey: Journey, export_id: str) -> None:
        try:
            job = journey.calls.status(export_id)
        except ClientError as error:
            if _is_of_endpoint(error):
                raise
            self._land(journey, error)
            return
        self._begun.append(journey)
        journey.foreseen = self.foresight.size(journey.task)
        self._see(journey, job)
        if job.status is State.CREATED:
            self._pending.append(journey)
        elif job.status.ended:
            self._finish(journey, job)

    # A step: look, land, begin

    def _step(self) -> _Blocked | None:
        """Look at all jobs in flight, and begin what can be begun. Return what hinders the rest."""
        self._look()
        while True:
            self._take(1)
            if not self._pending:
                return None
            self._look_at_others()
            found = self._next()
            if isinstance(found, _Blocked):
                return found
            self._begin(found)

    def _look(self) -> None:
        in_flight = self._in_flight
        kinds = {journey.task.kind_path for journey in in_flight}
        lists = self._quota.lists
        lists.look(kinds, older_than=_SAME_LOOK_SECONDS)
        for journey in in_flight:
            if (seen := journey.job) is None:
                continue
            job = lists.find(journey.task.kind_path, seen.export_id)
            try:
                job = job or journey.calls.status(seen.export_id, exists=True)
            except ClientError as error:
                if _is_of_endpoint(error):
                    raise
                self._land(journey, error)
                continue
            self._see(journey, job)
            if job.status.ended:
                self._finish(journey, job)

    def _look_at_others(self) -> None:
        flown = {journey.task.kind_path for journey in self._in_flight}
        kinds = [kind for kind in self._quota.lists.kinds if kind not in flown]
        self._quota.lists.look(kinds, older_than=_OTHER_LISTS_SECONDS)

    def _see(self, journey: Journey, job: Job) -> None:
        journey.job = job
        self._quota.note(journey.task.kind_path, job)
        self._watch.seen(journey.task, job)

    def _finish(self, journey: Journey, job: Job) -> None:
        if job.status is State.COMPLETED:
            if job.file_size is not None:
                self.foresight.learn(journey.task, job.file_size, job.records)
            self._land(journey)
        else:
            error = JobFailedError(job.export_id, str(job.status), job.error_message)
            self._land(journey, error)

    def _land(self, journey: Journey, error: ClientError | None = None) -> None:
        job = journey.known
        path = "" if job is None or error else journey.calls.file_path(job.export_id)
        self._landed.append(Landed(task=journey.task, job=job, error=error, path=path))
        if journey in self._begun:
            self._begun.remove(journey)
        self._landed_count += 1
        self._plan()

    # What can be begun

    def _next(self) -> Journey | _Blocked:
        """Return what is begun next, or what hinders it."""
        if hindered := self._queue_hinders():
            return hindered
        if self._quota.daily_bytes is None:
            return self._pending[0]
        if self._quota.is_refused():
            return _Blocked.QUOTA
        today = quota_date(self._quota.moment())
        self._take(self._at_once)
        for journey in self._pending:
            if self._fits(journey):
                return journey
            journey.days_refused.add(today)
            if len(journey.days_refused) > 1:
                break  # it is begun before all others, as soon as possible
        if self._in_flight:
            return _Blocked.FLIGHT
        return _Blocked.OTHERS if self._quota.left() and self._quota.others() else _Blocked.QUOTA

    def _queue_hinders(self) -> _Blocked | None:
        now = self._session.patience.now()
        if now < self._full_until:
            return _Blocked.QUEUE
        if len(self._in_flight) + len(self._quota.others()) < self._at_once:
            return None
        if len(self._in_flight) >= self._at_once or not self._full_for(self._pace.queue_wait):
            self._full_since = now if self._full_since is None else self._full_since
            return _Blocked.QUEUE
        return None  # the endpoint is asked whether its queue is full for so long

    def _full_for(self, seconds: float) -> bool:
        since = self._full_since
        return since is not None and self._session.patience.now() - since >= seconds

    def _fits(self, journey: Journey) -> bool:
        """Return whether the day's quota has room for a job that would be begun now."""
        limit, used = self._quota.daily_bytes or 0, self._quota.used()
        in_flight = self._in_flight
        if used >= limit or (limit and any(each.foreseen is None for each in in_flight)):
            return False
        held = sum(each.foreseen.most for each in in_flight if each.foreseen is not None)
        room = limit - used - held - self._quota.others_bytes()
        size = self.foresight.size(journey.task)
        if size is not None and size.most <= room:
            return True
        if in_flight:
            return False
        before = journey.days_refused - {quota_date(self._quota.moment())}
        if size is None:
            return room > 0 or bool(before)
        if size.most > limit:
            return used == 0 or bool(before)
        # Others leave too little of every day.
        return len(before) > 1

    def _begin(self, journey: Journey) -> None:
        self._pending.remove(journey)
        journey.foreseen = self.foresight.size(journey.task)
        try:
            job = journey.job or self._created(journey)
            if job.status is State.CREATED or isinstance(job.status, UnknownState):
                self._see(journey, enqueued(journey.calls, job.export_id))
        except QueueFullError as error:
            self._hold(journey)
            self._queue_full(error)
        except QuotaExceededError as error:
            self._hold(journey)
            self._quota.refused(error)
        except ClientError as error:
            if _is_of_endpoint(error):
                raise
            self._refuse(journey, error)
        else:
            self._full_since, self._full_until = None, float("-inf")
            self._full_pauses = self._pace.pauses()
            self._pauses = self._pace.pauses()

    def _created(self, journey: Journey) -> Job:
        task = journey.task
        doubles = self._doubles_of(task.kind_path)
        journey.creation = creation = Creation(journey.calls, task.request, doubles)
        # It is noted before the call, so that an interrupt leaves nothing behind.
        self._begun.append(journey)
        job = creation.make()
        self._see(journey, job)
        self._watch.created(task, job)
        return job

    def _hold(self, journey: Journey) -> None:
        """Put a journey back. Its job, if there is one, stays in Created."""
        if journey.known is None:
            journey.creation = None
            self._begun.remove(journey)
        self._pending.appendleft(journey)

    def _refuse(self, journey: Journey, error: ClientError) -> None:
        """Give up a task whose job was refused. Nothing of it is left at the endpoint."""
        job = journey.known
        if job is not None and journey.is_own:
            ending = ended(journey.calls.within(ENDING_SECONDS), job, error)
            error.add_note(ending.text)
            self._watch.ended(journey.task, ending)
        self._land(journey, error)

    def _doubles_of(self, kind: str) -> Doubles:
        return self._doubles.setdefault(kind, Doubles(self._quota.lists.calls(kind)))

    # Waiting

    def _pause(self) -> None:
        before = self._session.patience.now()
        self._session.patience.pause(next(self._pauses))
        self._busy_seconds += self._session.patience.now() - before

    def _queue_full(self, error: QueueFullError) -> None:
        self._queue_was_full = True
        now = self._session.patience.now()
        if self._full_since is None:
            self._full_since = now
        elif self._full_for(self._pace.queue_wait) and not self._in_flight:
            raise error
        self._full_until = now + next(self._full_pauses)

    def _wait_out(self, blocked: _Blocked) -> None:
        """Wait while nothing is in flight."""
        patience = self._session.patience
        moment = self._quota.moment()
        if blocked is _Blocked.QUEUE or (blocked is _Blocked.OTHERS and not self._others_last()):
            pause = next(self._pauses)
            self._watch.waiting(moment + timedelta(seconds=pause), "other jobs are in the queue")
            patience.pause(pause)
            return
        until = self._quota.retry_at()
        if not self._wait or self._quota.daily_bytes == 0:
            left = [journey.task for journey in self._pending]
            raise QuotaSpentError(until, left)
        self._clear(settle=True)
        self._watch.waiting(until, "the day's export quota is spent")
        while (left_seconds := (until - self._quota.moment()).total_seconds()) > 0:
            patience.pause(min(left_seconds, _LONGEST_SLEEP_SECONDS))
            self._quota.lists.look(self._quota.lists.kinds)

    def _others_last(self) -> bool:
        """Return whether other jobs have been in the way for so long that they may never end."""
        if self._full_since is None:
            self._full_since = self._session.patience.now()
        return self._full_for(self._pace.queue_wait)

    # Forecasts

    def _plan(self) -> None:
        in_flight = self._in_flight
        size = self.foresight.size
        today = Today(
            moment=self._quota.moment(),
            daily_bytes=self._quota.daily_bytes,
            used=self._quota.used(),
            seconds_a_job=self._busy_seconds / max(self._landed_count, 1),
        )
        self._watch.planned(
            forecast(
                [size(journey.task) for journey in in_flight],
                [size(journey.task) for journey in self._pending],
                today,
            )
        )

    # The end

    def _end(self, error: BaseException | None) -> None:
        """End the jobs in flight, and clear their doubles. Say what became of each."""
        patience = self._session.patience
        until = patience.now() + _ALL_ENDINGS_SECONDS
        told: list[tuple[Journey, Ending]] = []
        interrupted = False
        for journey in self._begun:
            job = journey.known
            if job is None:
                continue
            if not journey.is_own:
                ending = left_to_others(job)
            else:
                seconds = 0.0 if interrupted else min(until - patience.now(), ENDING_SECONDS)
                ending = ended(journey.calls.within(seconds), job, error)
                interrupted = interrupted or ending.interrupted
            told.append((journey, ending))
        self._begun.clear()
        self._pending.clear()
        for journey, ending in told:
            if error is not None:
                error.add_note(ending.text)
            with contextlib.suppress(OSError):
                self._watch.ended(journey.task, ending)
        if not interrupted and not isinstance(error, CallsSpentError):
            self._clear(settle=error is None)

    def _clear(self, *, settle: bool) -> None:
        for kind, doubles in self._doubles.items():
            if doubles.possible:
                seconds = ENDING_SECONDS + (SETTLE_SECONDS if settle else 0)
                calls = self._quota.lists.calls(kind).within(seconds)
                doubles.clear(calls, queue_was_full=self._queue_was_full, settle=settle)


def _is_of_endpoint(error: ClientError) -> bool:
    """Return whether an error is of the endpoint as a whole, and not of one request."""
    if isinstance(error, CallsSpentError) or is_temporary(error):
        return True
    return not isinstance(error, ProtocolError | HttpError)
