"""Many export jobs at once: as many as the endpoint's queue and the day's quota have room for."""

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from enum import Enum, auto
from itertools import chain
from types import TracebackType
from typing import Self

from outhaul.client.errors import (
    CallsSpentError,
    ClientError,
    QueueFullError,
    QuotaExceededError,
    QuotaSpentError,
)
from outhaul.client.forecast import Today, forecast
from outhaul.client.foresight import Foresight
from outhaul.client.journeys import Journey, Journeys
from outhaul.client.queueing import Pace, QueueRoom
from outhaul.client.quota import Quota
from outhaul.client.retries import is_of_endpoint, is_temporary
from outhaul.client.schedule import Room, fits
from outhaul.client.session import Session
from outhaul.client.tasks import Landed, Task
from outhaul.client.watch import Watch
from outhaul.protocol.quota_days import quota_date

# Lists of kinds without a job in flight show other runs only. Each is asked for so often that all
# of them together take a call in 10 seconds.
_OTHER_LISTS_SECONDS = 10.0
_LONGEST_SLEEP_SECONDS = 600.0
# A queue that jobs unseen by this API user have filled is tried again so late, or when a job ends.
_FULL_SECONDS = 15.0
_LOOK_AHEAD = 50
_TROUBLES = 3


class _Blocked(Enum):
    """Why nothing can be begun."""

    QUEUE = auto()
    """The queue is full."""
    OTHERS = auto()
    """Jobs of other runs may need what is left of the quota."""
    QUOTA = auto()
    """The day's quota has no room."""
    CALLS = auto()
    """The day's calls are spent."""
    FLIGHT = auto()
    """A job in flight must end first."""


class Flight:
    """Runs tasks at an endpoint, many at once, in one thread.

    with Flight(session, quota=Quota(session, ["leads"], 500_000_000)) as flight:
        for landed in flight.landed(tasks):
            ...

    `at_once` is the endpoint's limit of jobs in its queue; jobs of others count. No job is begun
    that is foreseen not to fit into what the day's quota has left (see `schedule.fits`). With
    `wait` the flight goes on when the next day begins; without it, `QuotaSpentError` is raised when
    nothing is in flight and nothing fits. `foresight` may have learned from earlier flights.

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
        self._patience = session.patience
        self._quota = quota
        self._at_once = at_once
        self._pace = pace or Pace()
        self._watch = watch or Watch()
        self._waits = wait
        self._journeys = Journeys(session, quota, self.foresight, self._watch, self._note_landing)
        self._more: Iterator[Task] = iter(())
        self._ahead = 1
        """How many tasks are taken before there is room for them."""
        self._pauses = self._pace.pauses()
        self._queue = QueueRoom(self._pace, self._patience)
        self._others_since: float | None = None
        self._troubles = 0
        """How many tasks in a row were refused by errors that are temporary as a rule."""
        self._is_planned = False
        self._working_since = self._patience.now()
        self._landings = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._journeys.end(exc)

    def landed(self, tasks: Iterable[Task]) -> Iterator[Landed]:
        """Run tasks, and yield what became of each in the order of their ends.

        A sequence is known from the beginning, so that forecasts have all of it; from any other
        iterable a task is taken only when there may be room for it. The error of one task does not
        stop the others. Raises `ClientError` if the endpoint as a whole cannot be used, after the
        jobs in flight were ended.
        """
        self._more = iter(tasks)
        self._ahead = max(len(tasks), 1) if isinstance(tasks, Sequence) else 1
        self._is_planned = False
        self._working_since, self._landings = self._patience.now(), 0
        try:
            yield from self._run()
        except GeneratorExit:
            raise
        except BaseException as error:
            self._journeys.end(error)
            raise

    def _run(self) -> Iterator[Landed]:
        while True:
            blocked = self._step()
            if self._journeys.landed:
                yield self._journeys.landed.popleft()
            elif blocked is _Blocked.CALLS:
                self._sleep(self._quota.day_end(), "the day's calls are spent")
            elif self._journeys.in_flight:
                self._patience.pause(next(self._pauses))
            elif blocked is not None:
                self._wait_out(blocked)
            else:
                break
        self._journeys.clear(settle=True)

    # A step: look, land, begin

    def _step(self) -> _Blocked | None:
        """Look at all jobs in flight, and begin what can be begun. Return what hinders the rest."""
        try:
            self._journeys.look()
            while True:
                self._take(self._ahead)
                self._look_at_others()
                if not self._is_planned:
                    self._plan()
                if not self._journeys.pending:
                    return None
                found = self._next()
                if isinstance(found, _Blocked):
                    return found
                self._begin(found)
        except CallsSpentError:
            if not self._waits:
                raise
            return _Blocked.CALLS

    def _take(self, number: int) -> None:
        """Let so many tasks wait at least, if there are any more."""
        while len(self._journeys.pending) < number:
            task = next(self._more, None)
            if task is None:
                return
            try:
                self._journeys.add(task)
            except CallsSpentError:
                self._more = chain([task], self._more)
                raise

    def _look_at_others(self) -> None:
        flown = {journey.task.kind_path for journey in self._journeys.in_flight}
        kinds = [kind for kind in self._quota.lists.kinds if kind not in flown]
        self._quota.lists.look(kinds, older_than=_OTHER_LISTS_SECONDS * len(kinds))

    def _begin(self, journey: Journey) -> None:
        try:
            self._journeys.begin(journey)
        except QueueFullError as error:
            in_flight = self._journeys.in_flight
            if self._queue.is_given_up and not in_flight:
                raise
            self._queue.refused(at_least=_FULL_SECONDS if in_flight else 0.0)
            self._session.notice(f"{journey.task.name} waits: {error}")
        except QuotaExceededError as error:
            self._quota.refused(error)
        except ClientError as error:
            self._troubles = self._troubles + 1 if is_temporary(error) else 0
            if is_of_endpoint(error) or self._troubles >= _TROUBLES:
                raise
            self._journeys.give_up(journey, error)
        else:
            self._troubles = 0
            self._queue.entered()
            self._others_since = None
            self._pauses = self._pace.pauses()

    def _note_landing(self) -> None:
        self._queue.freed()
        self._landings += 1
        self._plan()

    # What can be begun

    def _next(self) -> Journey | _Blocked:
        """Return what is begun next, or what hinders it."""
        if self._queue_hinders():
            return _Blocked.QUEUE
        limit = self._quota.daily_bytes
        if limit is None:
            return self._journeys.pending[0]
        if self._quota.is_refused():
            return _Blocked.QUOTA
        if (journey := self._fitting(limit)) is not None:
            return journey
        if self._journeys.in_flight:
            return _Blocked.FLIGHT
        return _Blocked.OTHERS if self._quota.left() and self._quota.others() else _Blocked.QUOTA

    def _fitting(self, limit: int) -> Journey | None:
        """Return the first task that fits into what the day's quota has left."""
        today = quota_date(self._quota.moment())
        room = Room(
            limit=limit,
            used=self._quota.used(),
            in_flight=tuple(journey.foreseen for journey in self._journeys.in_flight),
            others=self._quota.others_bytes(),
        )
        pending = self._journeys.pending
        for number in range(_LOOK_AHEAD):
            self._take(number + 1)
            if len(pending) <= number:
                break
            journey = pending[number]
            if fits(self.foresight.size(journey.task), room, journey.refusals_before(today)):
                return journey
            journey.days_refused.add(today)
            if len(journey.days_refused) > 1:
                break  # it is begun before all others, as soon as possible
        return None

    def _queue_hinders(self) -> bool:
        in_flight = len(self._journeys.in_flight)
        if self._queue.is_waited_for or in_flight >= self._at_once:
            return True
        if in_flight + len(self._quota.others()) < self._at_once:
            return False
        self._queue.missing()
        # After so long a time the endpoint is asked whether the queue is really full.
        return in_flight > 0 or not self._queue.is_given_up

    # Waiting

    def _wait_out(self, blocked: _Blocked) -> None:
        """Wait until something may be begun. Nothing is in flight."""
        if blocked is _Blocked.QUEUE or (blocked is _Blocked.OTHERS and self._others_may_end()):
            pause = next(self._pauses)
            until = self._quota.moment() + timedelta(seconds=pause)
            self._watch.waiting(until, "other jobs are in the queue")
            self._patience.pause(pause)
            return
        until = self._quota.retry_at()
        if not self._waits or self._quota.daily_bytes == 0:
            raise QuotaSpentError(until, [journey.task for journey in self._journeys.pending])
        self._journeys.clear(settle=True)
        self._sleep(until, "the day's export quota is spent")

    def _sleep(self, until: datetime, why: str) -> None:
        """Sleep until the endpoint's clock shows a moment. Look at that clock now and then."""
        begin = self._patience.now()
        self._watch.waiting(until, why)
        while (seconds := (until - self._quota.moment()).total_seconds()) > 0:
            self._patience.pause(min(seconds, _LONGEST_SLEEP_SECONDS))
            with contextlib.suppress(CallsSpentError):
                self._quota.lists.look(self._quota.lists.kinds[:1])
        self._working_since += self._patience.now() - begin

    def _others_may_end(self) -> bool:
        """Return whether it is worth while to wait for jobs of others in the queue."""
        now = self._patience.now()
        self._others_since = now if self._others_since is None else self._others_since
        return now - self._others_since < self._pace.queue_wait

    # Forecasts

    def _plan(self) -> None:
        self._is_planned = True
        quota, limit = self._quota, self._quota.daily_bytes
        working = self._patience.now() - self._working_since
        today = Today(
            moment=quota.moment(),
            daily_bytes=limit,
            used=max(quota.used(), limit or 0) if quota.is_refused() else quota.used(),
            seconds_a_job=working / self._landings if self._landings else 0.0,
            guess=quota.guess(),
        )
        size = self.foresight.size
        in_flight = [size(journey.task) for journey in self._journeys.in_flight]
        left = [size(journey.task) for journey in self._journeys.pending]
        self._watch.planned(forecast(in_flight, left, today))
