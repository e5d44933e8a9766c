"""Export jobs of one kind at an endpoint: create, enqueue, wait for the end."""

import contextlib
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import quote

from outhaul.client.answers import read
from outhaul.client.errors import (
    AnswerError,
    ClientError,
    JobFailedError,
    ProtocolError,
    QueueFullError,
)
from outhaul.client.jobs import Job
from outhaul.client.session import Session
from outhaul.protocol.answers.envelope import Page
from outhaul.protocol.answers.exports import ExportJob
from outhaul.protocol.states import State

_FIRST_PAUSE_SECONDS = 0.2
_PAUSE_GROWTH = 1.5
_PAGE = 300


def _quiet(_job: Job) -> None:
    pass


class Exports:
    """The export jobs of one kind.

    `kind_path` is `leads`, `activities`, `program/members` or `customobjects/<name>`.
    """

    def __init__(
        self, session: Session, kind_path: str, *, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._session = session
        self._path = f"/bulk/v1/{quote(kind_path.strip('/'))}/export"
        self._sleep = sleep

    def create(self, request: Mapping[str, Any]) -> Job:
        """Create a job for a request: `filter`, `fields`, `format`, `columnHeaderNames`.

        The call is repeated only after errors that cannot have created a job. Raises `ClientError`.
        """
        return self._one(self._session.call("POST", f"{self._path}/create.json", json=request))

    def enqueue(self, export_id: str) -> Job:
        """Put a job in the queue and return its new state.

        It is no error if an earlier attempt of this call has put the job in the queue already.
        Raises `QueueFullError`, `QuotaExceededError` and other `ClientError`s.
        """
        return self._step(export_id, "enqueue", lambda job: job.status is not State.CREATED)

    def cancel(self, export_id: str) -> Job:
        """Cancel a job that has not ended and return it. Raises `ClientError`."""
        return self._step(export_id, "cancel", lambda job: job.status is State.CANCELLED)

    def status(self, export_id: str) -> Job:
        """Return the current state of a job. Raises `ClientError`."""
        return self._one(self._session.call("GET", self._of(export_id, "status")))

    def jobs(self, status: Iterable[State] = ()) -> Iterator[Job]:
        """Yield the jobs of this API user, from all pages: those in these states, or all.

        Raises `ClientError`.
        """
        params: dict[str, str | int | list[str]] = {"batchSize": _PAGE}
        if states := [state.value for state in status]:
            params["status"] = states
        seen = set()
        while True:
            answer = self._session.call("GET", f"{self._path}.json", params)
            page = _read_page(answer)
            yield from map(Job.of, page.result)
            token = page.next_page_token
            if not token:
                return
            if token in seen:
                raise AnswerError("the list of jobs returns to an earlier page")
            seen.add(token)
            params["nextPageToken"] = token

    def file_path(self, export_id: str) -> str:
        """Return the path of a job's file, for `download`."""
        return self._of(export_id, "file")

    def run(
        self,
        request: Mapping[str, Any],
        on_status: Callable[[Job], None] = _quiet,
        *,
        poll_seconds: float = 5.0,
        queue_wait: float = 3600.0,
    ) -> Job:
        """Create a job, enqueue it, and return it when it is Completed.

        The pause between two status calls grows from 0.2 to `poll_seconds`; `on_status` gets the
        job of each answer. If the queue is full, `enqueue` is tried again for `queue_wait` seconds.
        Raises `JobFailedError` if the job ends in another state, and other `ClientError`s. A job is
        cancelled first if the endpoint refuses a call about it, or if the user interrupts.
        """
        job = self.create(request)
        return self._follow(job, on_status, poll_seconds, queue_wait, is_own=True)

    def resume(
        self,
        export_id: str,
        on_status: Callable[[Job], None] = _quiet,
        *,
        poll_seconds: float = 5.0,
        queue_wait: float = 3600.0,
    ) -> Job:
        """Take up an existing job, and return it when it is Completed.

        Works as `run` does from the state of the job on: a job in Created is enqueued. The job is
        never cancelled, because another program made it.
        """
        job = self.status(export_id)
        return self._follow(job, on_status, poll_seconds, queue_wait, is_own=False)

    def _follow(
        self,
        job: Job,
        on_status: Callable[[Job], None],
        poll_seconds: float,
        queue_wait: float,
        *,
        is_own: bool,
    ) -> Job:
        try:
            on_status(job)
            if job.status is State.CREATED:
                job = self._enqueue_patiently(job, on_status, poll_seconds, queue_wait)
            pauses = _pauses(poll_seconds)
            while not job.status.ended:
                self._sleep(next(pauses))
                job = self.status(job.export_id)
                on_status(job)
        except (ProtocolError, KeyboardInterrupt):
            if is_own:
                with contextlib.suppress(ClientError):
                    self.cancel(job.export_id)
            raise
        if job.status is not State.COMPLETED:
            raise JobFailedError(job.export_id, job.status, job.error_message)
        return job

    def _enqueue_patiently(
        self, job: Job, on_status: Callable[[Job], None], poll_seconds: float, queue_wait: float
    ) -> Job:
        waited = 0.0
        pauses = _pauses(poll_seconds)
        while True:
            try:
                queued = self.enqueue(job.export_id)
            except QueueFullError:
                if waited >= queue_wait:
                    raise
                pause = min(next(pauses), queue_wait - waited)
                self._sleep(pause)
                waited += pause
                on_status(job)
            else:
                on_status(queued)
                return queued

    def _step(self, export_id: str, action: str, is_done: Callable[[Job], bool]) -> Job:
        """Make a call about a job. It may be repeated after errors that leave its success unknown.

        The endpoint then refuses a repeated call if the earlier attempt succeeded. The error code
        depends on how far the job is, so the state of the job decides: `is_done` means success.
        """
        try:
            return self._one(
                self._session.call("POST", self._of(export_id, action), repeatable=True)
            )
        except ProtocolError as error:
            if error.repeated and is_done(job := self.status(export_id)):
                return job
            raise

    def _of(self, export_id: str, action: str) -> str:
        return f"{self._path}/{quote(export_id, safe='')}/{action}.json"

    @staticmethod
    def _one(answer: Mapping[str, Any]) -> Job:
        match _read_page(answer).result:
            case [found]:
                return Job.of(found)
        raise AnswerError("it does not describe one export job")


def _read_page(answer: Mapping[str, Any]) -> Page[ExportJob]:
    return read(Page[ExportJob], answer, "an answer about export jobs")


def _pauses(longest: float) -> Iterator[float]:
    """Yield the next pause in seconds; pauses grow up to `longest`."""
    pause = _FIRST_PAUSE_SECONDS
    while True:
        yield min(pause, longest)
        pause = min(pause * _PAUSE_GROWTH, longest)
