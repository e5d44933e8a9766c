"""The calls about export jobs of one kind."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Self
from urllib.parse import quote

from outhaul.client.answers import read
from outhaul.client.errors import AnswerError, ProtocolError
from outhaul.client.jobs import Job
from outhaul.client.retries import is_harmless, is_temporary, may_pass
from outhaul.client.session import Call, Session
from outhaul.protocol.answers.envelope import Page
from outhaul.protocol.answers.exports import ExportJob
from outhaul.protocol.states import State

_PAGE = 300


class Calls:
    """The calls about the export jobs of one kind.

    `kind_path` is `leads`, `activities`, `program/members` or `customobjects/<name>`. An answer
    that cannot be read, or that describes another job, is treated as a temporary error: the call is
    repeated, and raises `AnswerError` in the end.
    """

    def __init__(self, session: Session, kind_path: str) -> None:
        self.session = session
        self._kind_path = kind_path
        self._path = f"/bulk/v1/{quote(kind_path.strip('/'))}/export"

    def within(self, seconds: float) -> Self:
        """Return the same calls with a limit of their own, for those that tidy up at the end."""
        return type(self)(self.session.within(seconds), self._kind_path)

    def create(self, request: Mapping[str, Any]) -> Job:
        """Create a job for a request: `filter`, `fields`, `format`, `columnHeaderNames`.

        The call is repeated only after errors that cannot have created a job. Raises `ClientError`.
        """
        return self.session.ask(_created, self._creating(request), on=is_harmless)

    def create_once(
        self, request: Mapping[str, Any], run: Callable[[Callable[[], Job]], Job]
    ) -> Job:
        """Create a job for a request. The call is not repeated. `run` is that of `Session.once`."""
        return self.session.once(_created, self._creating(request), run)

    def enqueue(self, export_id: str) -> Job:
        """Put a job in the queue and return its new state.

        It is no error if an earlier attempt of this call has put the job in the queue already.
        Raises `QueueFullError`, `QuotaExceededError` and other `ClientError`s.
        """
        return self._step(export_id, "enqueue", lambda job: job.status is not State.CREATED)

    def cancel(self, export_id: str) -> Job:
        """Cancel a job that has not ended and return it. Raises `ClientError`."""
        return self._step(export_id, "cancel", lambda job: job.status is State.CANCELLED)

    def status(self, export_id: str, *, exists: bool = False) -> Job:
        """Return the current state of a job. Raises `ClientError`.

        If the job certainly exists, the call is also repeated after HTTP errors such as 404.
        """
        call = Call(method="GET", path=self._of(export_id, "status"))
        on = may_pass if exists else is_temporary
        return self.session.ask(_reader(export_id), call, on=on)

    def jobs(self, status: Iterable[State] = (), *, exists: bool = False) -> Iterator[Job]:
        """Yield the jobs of this API user, from all pages: those in these states, or all.

        If the list certainly exists, the call is also repeated after HTTP errors such as 404.
        Raises `ClientError`.
        """
        on = may_pass if exists else is_temporary
        params: dict[str, str | int | list[str]] = {"batchSize": _PAGE}
        if states := [state.value for state in status]:
            params["status"] = states
        seen = set()
        while True:
            call = Call(method="GET", path=f"{self._path}.json", params=dict(params))
            page = self.session.ask(_page, call, on=on)
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

    def _step(self, export_id: str, action: str, is_done: Callable[[Job], bool]) -> Job:
        """Make a call about a job. It may be repeated after errors that leave its success unknown.

        The endpoint then refuses a repeated call if the earlier attempt succeeded. The error code
        depends on how far the job is, so the state of the job decides: `is_done` means success.
        """
        call = Call(method="POST", path=self._of(export_id, action))
        try:
            return self.session.ask(_reader(export_id), call, on=may_pass)
        except ProtocolError as error:
            if error.repeated and is_done(job := self.status(export_id, exists=True)):
                return job
            raise

    def _creating(self, request: Mapping[str, Any]) -> Call:
        return Call(method="POST", path=f"{self._path}/create.json", json=request)

    def _of(self, export_id: str, action: str) -> str:
        return f"{self._path}/{quote(export_id, safe='')}/{action}.json"


def _page(answer: Mapping[str, Any]) -> Page[ExportJob]:
    return read(Page[ExportJob], answer, "an answer about export jobs")


def _one(answer: Mapping[str, Any]) -> Job:
    match _page(answer).result:
        case [found]:
            return Job.of(found)
    raise AnswerError("it does not describe one export job")


def _created(answer: dict[str, Any]) -> Job:
    """Return the job of an answer to `create`: a job without a state is in Created."""
    match answer.get("result"):
        case [dict() as entry] if "status" not in entry:
            return _one({**answer, "result": [{**entry, "status": State.CREATED.value}]})
    return _one(answer)


def _reader(export_id: str) -> Callable[[dict[str, Any]], Job]:
    def read_one(answer: dict[str, Any]) -> Job:
        job = _one(answer)
        if job.export_id.casefold() != export_id.casefold():
            raise AnswerError(f"it describes the job {job.export_id!r}, not {export_id!r}")
        return job

    return read_one
