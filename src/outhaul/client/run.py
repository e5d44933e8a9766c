"""One run: a job from its creation, or from where it is taken up, to its end."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from outhaul.client.calls import Calls
from outhaul.client.creation import SETTLE_SECONDS, Creation
from outhaul.client.errors import (
    AlreadyQueuedError,
    CallsSpentError,
    ClientError,
    JobFailedError,
    OutOfTimeError,
    QueueFullError,
)
from outhaul.client.jobs import Job
from outhaul.protocol.states import State, UnknownState
from outhaul.protocol.texts import one_line

_FIRST_PAUSE_SECONDS = 0.2
_PAUSE_GROWTH = 1.5
_ENDING_SECONDS = 10.0
_SHOWN = 240


class Fate(StrEnum):
    """What became of the job of a run that broke off."""

    CANCELLED = "cancelled"
    ENDED = "ended"
    """The job is Failed or Cancelled without this run."""
    COMPLETED = "completed"
    """The job is Completed: its file can be fetched."""
    LEFT = "left"
    """The job has not ended, as far as is known."""


@dataclass(frozen=True, kw_only=True)
class Ending:
    """What became of the job of a run that broke off. `text` says it in words, with the id."""

    export_id: str
    fate: Fate
    text: str
    interrupted: bool = False
    """Whether the cancel was interrupted, so that its success is not known."""


@dataclass(frozen=True, kw_only=True)
class Pace:
    """How a run waits.

    The pause between two status calls grows from 0.2 to `poll_seconds`. If the queue is full,
    `enqueue` is tried again for `queue_wait` seconds.
    """

    poll_seconds: float = 5.0
    queue_wait: float = 3600.0

    def pauses(self) -> Iterator[float]:
        """Yield the next pause in seconds."""
        pause = _FIRST_PAUSE_SECONDS
        while True:
            yield min(pause, self.poll_seconds)
            pause = min(pause * _PAUSE_GROWTH, self.poll_seconds)


class Run:
    """One run. `on_status` gets the job of each answer.

    If the run breaks off, by an error or an interrupt, it ends the job that it has created. A note
    of the exception says what became of the job, and `on_end` gets the same.
    """

    def __init__(
        self,
        calls: Calls,
        pace: Pace,
        on_status: Callable[[Job], None],
        on_end: Callable[[Ending], None],
    ) -> None:
        self._calls = calls
        self._pace = pace
        self._on_status = on_status
        self._on_end = on_end
        self._job: Job | None = None
        self._queue_was_full = False

    def of_request(self, request: Mapping[str, Any]) -> Job:
        """Create a job and return it when it is Completed. Raises `ClientError`."""
        creation = Creation(self._calls, request)
        try:
            job = self._follow(self._enqueued(creation.make()))
            self._clear(creation, settle=True)
        except BaseException as error:
            self._job = self._job or creation.job
            is_hurried = False
            if self._job is not None:
                calls = self._calls.within(_ENDING_SECONDS)
                ending = _ended(calls, self._job, error)
                is_hurried = ending.interrupted
                self._tell(error, ending)
            if not is_hurried:
                self._clear(creation, settle=False)
            raise
        return _completed(job)

    def of_job(self, export_id: str) -> Job:
        """Take up an existing job and return it when it is Completed. Raises `ClientError`."""
        try:
            job = self._follow(self._calls.status(export_id))
        except BaseException as error:
            if self._job is not None:
                self._tell(error, _left_to_others(self._job))
            raise
        return _completed(job)

    def _enqueued(self, job: Job) -> Job:
        """Enqueue a new job, also if the endpoint gives it a state of its own."""
        if not isinstance(job.status, UnknownState):
            return job
        self._see(job)
        return self._enqueue(job)

    def _follow(self, job: Job) -> Job:
        self._see(job)
        if job.status is State.CREATED:
            job = self._enqueue(job)
        pauses = self._pace.pauses()
        while not job.status.ended:
            self._calls.session.patience.pause(next(pauses))
            job = self._calls.status(job.export_id, exists=True)
            self._see(job)
        return job

    def _enqueue(self, job: Job) -> Job:
        waited = 0.0
        pauses = self._pace.pauses()
        while True:
            try:
                queued = self._calls.enqueue(job.export_id)
            except QueueFullError:
                self._queue_was_full = True
                if waited >= self._pace.queue_wait:
                    raise
                pause = min(next(pauses), self._pace.queue_wait - waited)
                self._calls.session.patience.pause(pause)
                waited += pause
                self._see(job)
            except AlreadyQueuedError:
                # A proxy may have sent the call twice, or another program was first.
                queued = self._calls.status(job.export_id, exists=True)
                if queued.status is State.CREATED:
                    raise
                return queued
            else:
                self._see(queued)
                return queued

    def _clear(self, creation: Creation, *, settle: bool) -> None:
        calls = self._calls.within(_ENDING_SECONDS + (SETTLE_SECONDS if settle else 0))
        creation.clear(calls, queue_was_full=self._queue_was_full, settle=settle)

    def _see(self, job: Job) -> None:
        self._job = job
        self._on_status(job)

    def _tell(self, error: BaseException, ending: Ending) -> None:
        error.add_note(ending.text)
        self._on_end(ending)


def _completed(job: Job) -> Job:
    if job.status is not State.COMPLETED:
        raise JobFailedError(job.export_id, str(job.status), job.error_message)
    return job


def _ended(calls: Calls, job: Job, error: BaseException) -> Ending:
    """End the job of a run that broke off, and return what became of it."""
    if job.status.ended:
        return _as_it_is(job)
    if isinstance(error, CallsSpentError):
        reason = "the day's calls are spent, so that a cancel would be refused too"
        return _left(job, f"was not cancelled: {reason}")
    try:
        calls.cancel(job.export_id)
        return Ending(
            export_id=job.export_id,
            fate=Fate.CANCELLED,
            text=f"{_name(job)} was cancelled",
        )
    except OutOfTimeError as over:
        problem = one_line(over.last_problem, _SHOWN) or "no answer"
        reason = f"{problem} (tried for {over.limit:g} s)"
    except ClientError as refused:
        reason = one_line(str(refused), _SHOWN)
    except Exception as problem:  # noqa: BLE001 - it must not hide what ended the run
        reason = f"{type(problem).__name__}: {one_line(str(problem), _SHOWN)}"
    except BaseException:  # noqa: BLE001 - what ended the run is raised
        left = _left(job, "may not be cancelled: the run was interrupted again")
        return replace(left, interrupted=True)
    return _found(calls, job) or _left(job, f"could not be cancelled: {reason}")


def _found(calls: Calls, job: Job) -> Ending | None:
    """Return how a job that cannot be cancelled has ended, or `None` if it has not."""
    try:
        found = calls.status(job.export_id)
    except BaseException:  # noqa: BLE001 - what ended the run is raised
        return None
    return _as_it_is(found) if found.status.ended else None


def _as_it_is(job: Job) -> Ending:
    fate = Fate.COMPLETED if job.status is State.COMPLETED else Fate.ENDED
    return Ending(export_id=job.export_id, fate=fate, text=f"{_name(job)} is {job.status} already")


def _left(job: Job, why: str) -> Ending:
    where = (
        "it is still in Created, and takes no place in the endpoint's queue"
        if job.status is State.CREATED
        else "it is still in the endpoint's queue"
    )
    return Ending(export_id=job.export_id, fate=Fate.LEFT, text=f"{_name(job)} {why}; {where}")


def _left_to_others(job: Job) -> Ending:
    if job.status.ended:
        return _as_it_is(job)
    text = f"{_name(job)} was left as it is, because this run did not create it"
    return Ending(export_id=job.export_id, fate=Fate.LEFT, text=text)


def _name(job: Job) -> str:
    return f"job {one_line(job.export_id)}"
