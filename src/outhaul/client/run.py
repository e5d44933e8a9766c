"""One run: a job from its creation, or from where it is taken up, to its end."""

from collections.abc import Callable, Mapping
from typing import Any

from outhaul.client.calls import Calls
from outhaul.client.creation import Creation
from outhaul.client.doubles import SETTLE_SECONDS, Doubles
from outhaul.client.endings import ENDING_SECONDS, Ending, ended, left_to_others
from outhaul.client.errors import JobFailedError, QueueFullError
from outhaul.client.jobs import Job
from outhaul.client.queueing import Pace, enqueued
from outhaul.protocol.states import State, UnknownState


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
        doubles = Doubles(self._calls)
        creation = Creation(self._calls, request, doubles)
        try:
            job = self._follow(self._enqueued(creation.make()))
            self._clear(doubles, settle=True)
        except BaseException as error:
            self._job = self._job or creation.job
            is_hurried = False
            if self._job is not None:
                calls = self._calls.within(ENDING_SECONDS)
                ending = ended(calls, self._job, error)
                is_hurried = ending.interrupted
                self._tell(error, ending)
            if not is_hurried:
                self._clear(doubles, settle=False)
            raise
        return _completed(job)

    def of_job(self, export_id: str) -> Job:
        """Take up an existing job and return it when it is Completed. Raises `ClientError`."""
        try:
            job = self._follow(self._calls.status(export_id))
        except BaseException as error:
            if self._job is not None:
                self._tell(error, left_to_others(self._job))
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
                queued = enqueued(self._calls, job.export_id)
            except QueueFullError:
                self._queue_was_full = True
                if waited >= self._pace.queue_wait:
                    raise
                pause = min(next(pauses), self._pace.queue_wait - waited)
                self._calls.session.patience.pause(pause)
                waited += pause
                self._see(job)
            else:
                self._see(queued)
                return queued

    def _clear(self, doubles: Doubles, *, settle: bool) -> None:
        calls = self._calls.within(ENDING_SECONDS + (SETTLE_SECONDS if settle else 0))
        doubles.clear(calls, queue_was_full=self._queue_was_full, settle=settle)

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
