"""The tasks of a flight on their way: from the call that creates the job to its end."""

import contextlib
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date

from outhaul.client.calls import Calls
from outhaul.client.creation import Creation
from outhaul.client.doubles import SETTLE_SECONDS, Doubles
from outhaul.client.endings import ENDING_SECONDS, Open, all_ended
from outhaul.client.errors import (
    CallsSpentError,
    ClientError,
    JobFailedError,
    ProtocolError,
    QueueFullError,
    QuotaExceededError,
)
from outhaul.client.foresight import Foresight, Size
from outhaul.client.jobs import Job
from outhaul.client.queueing import enqueued
from outhaul.client.quota import Quota
from outhaul.client.retries import is_of_endpoint
from outhaul.client.session import Session
from outhaul.client.tasks import Landed, Task
from outhaul.client.watch import Watch
from outhaul.protocol.states import State, UnknownState

_SAME_LOOK_SECONDS = 0.1


@dataclass(eq=False, kw_only=True)
class Journey:
    """A task, and what is known of its job."""

    task: Task
    calls: Calls
    creation: Creation | None = None
    """Who creates the job; `None` if the job is taken up, or if nothing was begun yet."""
    job: Job | None = None
    """The job as it was seen last."""
    queued: float | None = None
    """When the job was put in the queue, in seconds of the client's clock."""
    foreseen: Size | None = None
    """The size that was foreseen when the job was put in the queue."""
    days_refused: set[date] = field(default_factory=set)
    """The quota days that had no room for the task."""

    @property
    def known(self) -> Job | None:
        """The job, also if the creation was interrupted just before its end."""
        if self.job is None and self.creation is not None:
            return self.creation.job
        return self.job

    def refusals_before(self, today: date) -> int:
        """Return how many earlier days had no room for the task."""
        return len(self.days_refused - {today})


class Journeys:
    """The tasks of one flight: those that wait, those in flight, and those that have landed.

    `on_landing` is called after each task that has landed.
    """

    def __init__(
        self,
        session: Session,
        quota: Quota,
        foresight: Foresight,
        watch: Watch,
        on_landing: Callable[[], None],
    ) -> None:
        self.pending: deque[Journey] = deque()
        """Those that wait. A job that the queue or the quota has refused stays in Created."""
        self.landed: deque[Landed] = deque()
        """Those of which the caller has not been told yet."""
        self._begun: list[Journey] = []
        """Those that may have a job at the endpoint, which has not ended."""
        self._session = session
        self._quota = quota
        self._foresight = foresight
        self._watch = watch
        self._on_landing = on_landing
        self._doubles: dict[str, Doubles] = {}
        self._queue_was_full = False
        self._is_hurried = False

    @property
    def in_flight(self) -> list[Journey]:
        """Those whose job is in the queue, in the order in which they were put there."""
        return [journey for journey in self._begun if journey.queued is not None]

    # On the way

    def add(self, task: Task) -> None:
        """Let a task wait, or take up its job. Raises `ClientError`."""
        journey = Journey(task=task, calls=self._quota.lists.calls(task.kind_path))
        if task.export_id is None:
            self.pending.append(journey)
            return
        try:
            job = journey.calls.status(task.export_id)
        except ClientError as error:
            if is_of_endpoint(error):
                raise
            self._land(journey, error)
            return
        self._begun.append(journey)
        if job.status is State.CREATED:
            self._see(journey, job)
            self.pending.append(journey)
            return
        self._fly(journey, job)
        if job.status.ended:
            self._finish(journey, job)

    def look(self) -> None:
        """Look at the jobs in flight, by the list of each kind. Raises `ClientError`."""
        in_flight, lists = self.in_flight, self._quota.lists
        kinds = dict.fromkeys(journey.task.kind_path for journey in in_flight)
        lists.look(kinds, older_than=_SAME_LOOK_SECONDS)
        for journey in in_flight:
            kind, seen = journey.task.kind_path, journey.job
            if seen is None or journey.queued is None or lists.asked(kind) <= journey.queued:
                continue
            try:
                # A list shows the jobs of some days only, and may be a little behind.
                job = lists.find(kind, seen.export_id)
                job = job or journey.calls.status(seen.export_id, exists=True)
            except ProtocolError as error:
                if is_of_endpoint(error):
                    raise
                self.give_up(journey, error)
                continue
            self._see(journey, job)
            if job.status.ended:
                self._finish(journey, job)

    def begin(self, journey: Journey) -> None:
        """Create the job of a task that waits, and put it in the queue. Raises `ClientError`.

        The task waits on if it was refused because of the queue, the quota, or the day's calls.
        """
        self.pending.remove(journey)
        try:
            job = journey.job or self._created(journey)
            if job.status is State.CREATED or isinstance(job.status, UnknownState):
                job = enqueued(journey.calls, job.export_id)
        except (QueueFullError, QuotaExceededError, CallsSpentError) as error:
            self._queue_was_full = self._queue_was_full or isinstance(error, QueueFullError)
            if journey.known is None:
                journey.creation = None
                self._begun.remove(journey)
            self.pending.appendleft(journey)
            raise
        self._fly(journey, job)

    def give_up(self, journey: Journey, error: ClientError) -> None:
        """Land a task with an error, and leave nothing of it at the endpoint."""
        if (job := journey.known) is not None:
            is_own = journey.creation is not None
            (ending,) = all_ended([Open(calls=journey.calls, job=job, is_own=is_own)], error)
            error.add_note(ending.text)
            self._watch.ended(journey.task, ending)
        self._land(journey, error)

    def _created(self, journey: Journey) -> Job:
        task = journey.task
        doubles = self._doubles.setdefault(task.kind_path, Doubles(journey.calls))
        journey.creation = creation = Creation(journey.calls, task.request, doubles)
        # It is noted before the call, so that an interrupt leaves nothing behind.
        self._begun.append(journey)
        job = creation.make()
        self._see(journey, job)
        self._watch.created(task, job)
        return job

    def _fly(self, journey: Journey, job: Job) -> None:
        journey.foreseen = self._foresight.size(journey.task)
        journey.queued = self._session.patience.now()
        self._see(journey, job)

    def _see(self, journey: Journey, job: Job) -> None:
        journey.job = job
        self._quota.note(job)
        self._watch.seen(journey.task, job)

    def _finish(self, journey: Journey, job: Job) -> None:
        error = None
        if job.status is State.COMPLETED:
            self._foresight.learn(journey.task, job)
        else:
            error = JobFailedError(job.export_id, str(job.status), job.error_message)
        self._land(journey, error)

    def _land(self, journey: Journey, error: ClientError | None = None) -> None:
        job = journey.known
        path = "" if job is None or error else journey.calls.file_path(job.export_id)
        self.landed.append(Landed(task=journey.task, job=job, error=error, path=path))
        if journey in self._begun:
            self._begun.remove(journey)
        self._on_landing()

    # The end

    def end(self, error: BaseException | None) -> None:
        """End the jobs in flight, and clear their doubles. Say what became of each."""
        left = [(journey, job) for journey in self._begun if (job := journey.known) is not None]
        endings = all_ended(
            (
                Open(calls=journey.calls, job=job, is_own=journey.creation is not None)
                for journey, job in left
            ),
            error,
        )
        self._begun.clear()
        self.pending.clear()
        self._is_hurried = self._is_hurried or any(each.interrupted for each in endings)
        tell: Callable[[str], None] = self._session.notice if error is None else error.add_note
        for ending in endings:
            with contextlib.suppress(OSError):
                tell(ending.text)
        for (journey, _), ending in zip(left, endings, strict=True):
            self._watch.ended(journey.task, ending)
        if not self._is_hurried and not isinstance(error, CallsSpentError):
            self.clear(settle=error is None)

    def clear(self, *, settle: bool) -> None:
        """Cancel the doubles of jobs, if answers to `create` were lost (see `Doubles.clear`)."""
        for kind, doubles in self._doubles.items():
            if doubles.possible:
                seconds = ENDING_SECONDS + (SETTLE_SECONDS if settle else 0)
                calls = self._quota.lists.calls(kind).within(seconds)
                doubles.clear(calls, queue_was_full=self._queue_was_full, settle=settle)
