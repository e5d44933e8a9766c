"""An endpoint whose clock moves on by the pauses of its client only, for many jobs and days.

The body of `create` says what the job will be: `{"size": bytes, "seconds": of processing}`. Two
jobs are processed at a time. The quota and the queue are checked as outhaul checks them.
"""

import heapq
import itertools
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any
from urllib.parse import parse_qs

import httpx2

from outhaul.client import Backoff, Patience, Session
from outhaul.protocol.quota_days import quota_day

BEGIN = datetime(2026, 1, 20, 18, tzinfo=UTC)
"""Noon in America/Chicago."""


@dataclass(kw_only=True)
class SimulatedJob:
    """A job. `user` is whose it is: the lists show those of `me`."""

    id: str
    kind: str
    request: dict[str, Any]
    created_at: datetime
    state: str = "Created"
    user: str = "me"
    queued_at: datetime | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None

    @property
    def size(self) -> int:
        return int(self.request.get("size", 0))

    @property
    def seconds(self) -> float:
        return float(self.request.get("seconds", 60))

    @property
    def course(self) -> str:
        """The state in which it ends."""
        return str(self.request.get("ends", "Completed"))

    def to_answer(self) -> dict[str, Any]:
        entry: dict[str, Any] = {
            "exportId": self.id,
            "format": "CSV",
            "status": self.state,
            "createdAt": _text(self.created_at),
            "queuedAt": _text(self.queued_at),
            "startedAt": _text(self.started_at),
            "finishedAt": _text(self.finished_at),
        }
        if self.state == "Completed":
            entry |= {"fileSize": self.size, "numberOfRecords": self.size // 100}
        return {name: value for name, value in entry.items() if value is not None}


class Simulated:
    """The endpoint, with a clock of its own and a journal of its calls."""

    def __init__(
        self,
        *,
        quota_mb: int | None = 500,
        queue_limit: int = 10,
        lanes: int = 2,
        begin: datetime = BEGIN,
    ) -> None:
        self.quota_mb = quota_mb
        self.queue_limit = queue_limit
        self.lanes = lanes
        self.begin = begin
        self.passed = 0.0
        self.jobs: list[SimulatedJob] = []
        self.journal: list[tuple[datetime, str, str]] = []
        """When each call came, its name, and the code of its answer or `ok`."""
        self.fault: Callable[[str, int], httpx2.Response | None] = lambda _name, _nth: None
        """Called with the name and the number of each call before it has an effect; may raise."""
        self.after: Callable[[str, int], object] = lambda _name, _nth: None
        """Called when a call has had its effect; may raise."""
        self.queued: Callable[[SimulatedJob], object] = lambda _job: None
        """Called with each job that the client puts in the queue."""
        self._counts: dict[str, int] = {}
        self._events: list[tuple[datetime, int, Callable[[], object]]] = []
        self._number = itertools.count()

    # What a test does

    def at(self, moment: datetime, action: Callable[[], object]) -> None:
        """Let something happen at a moment."""
        heapq.heappush(self._events, (moment, next(self._number), action))

    def later(self, seconds: float, action: Callable[[], object]) -> None:
        """Let something happen so many seconds from now."""
        self.at(self.now() + timedelta(seconds=seconds), action)

    def add(
        self, state: str, kind: str = "leads", user: str = "me", **request: Any
    ) -> SimulatedJob:
        """Add a job of another run, in a state."""
        job = self._new(kind, request, user)
        if state != "Created":
            self._queue(job)
        if state == "Completed":
            job.state, job.started_at, job.finished_at = state, self.now(), self.now()
        return job

    def session(self, *, limit: float | None = None, attempts: int = 4, **more: Any) -> Session:
        return Session(
            "http://host",
            "id",
            "secret",
            transport=httpx2.MockTransport(self.answer),
            patience=Patience(limit, clock=lambda: self.passed, sleep=self.sleep),
            backoff=Backoff(attempts=attempts),
            **more,
        )

    def now(self) -> datetime:
        return self.begin + timedelta(seconds=self.passed)

    def sleep(self, seconds: float) -> None:
        self.passed += seconds

    def codes(self) -> set[str]:
        return {code for _, _, code in self.journal}

    def count(self, name: str) -> int:
        return self._counts.get(name, 0)

    def used(self) -> int:
        begin, end = quota_day(self.now())
        return sum(
            job.size
            for job in self.jobs
            if job.state == "Completed" and job.finished_at and begin <= job.finished_at < end
        )

    def open(self, user: str | None = None) -> list[SimulatedJob]:
        """Return the jobs that have not ended."""
        return [
            job
            for job in self.jobs
            if job.state in ("Created", "Queued", "Processing") and user in (None, job.user)
        ]

    # What the endpoint does

    def answer(self, request: httpx2.Request) -> httpx2.Response:
        self._move_on()
        path = request.url.path
        name, kind, export_id = _parse(path)
        self._counts[name] = nth = self._counts.get(name, 0) + 1
        headers = {"Date": format_datetime(self.now(), usegmt=True)}
        faulty = self.fault(name, nth)
        if faulty is not None:
            self.journal.append((self.now(), name, "fault"))
            return faulty
        try:
            body = self._do(name, kind, export_id, request)
            code = "ok"
        except _RefusedError as error:
            code, message = error.args
            body = {"success": False, "errors": [{"code": code, "message": message}]}
        self.journal.append((self.now(), name, code))
        self.after(name, nth)
        return httpx2.Response(200, headers=headers, json={"requestId": "r", **body})

    def _do(self, name: str, kind: str, export_id: str, request: httpx2.Request) -> dict[str, Any]:
        match name:
            case "token":
                return {"access_token": "token", "token_type": "bearer", "expires_in": 3600}
            case "list":
                query = parse_qs(request.url.query.decode())
                wanted = query.get("status", [])
                since = self.now() - timedelta(days=7)
                jobs = [
                    job.to_answer()
                    for job in self.jobs
                    if job.kind == kind
                    and job.user == "me"
                    and job.created_at >= since
                    and (not wanted or job.state in wanted)
                ]
                return {"success": True, "result": jobs}
            case "create":
                self._check_quota()
                job = self._new(kind, json.loads(request.read()), "me")
            case "enqueue":
                job = self._find(kind, export_id)
                if job.state != "Created":
                    raise _RefusedError("1029", "Job already queued")
                self._check_quota()
                if sum(j.state in ("Queued", "Processing") for j in self.jobs) >= self.queue_limit:
                    raise _RefusedError("1029", "Too many jobs in queue")
                self.queued(job)
                self._queue(job)
            case "cancel":
                job = self._find(kind, export_id)
                if job not in self.open():
                    raise _RefusedError("1003", f"{job.state} cannot be cancelled")
                job.state, job.finished_at = "Cancelled", self.now()
            case "status":
                job = self._find(kind, export_id)
            case _:
                raise _RefusedError("610", "Requested resource not found")
        return {"success": True, "result": [job.to_answer()]}

    def _new(self, kind: str, request: dict[str, Any], user: str) -> SimulatedJob:
        job = SimulatedJob(
            id=f"{next(self._number):08x}",
            kind=kind,
            request=request,
            created_at=self.now(),
            user=user,
        )
        self.jobs.append(job)
        return job

    def _queue(self, job: SimulatedJob) -> None:
        job.state, job.queued_at = "Queued", self.now()
        self._start(self.now())

    def _start(self, moment: datetime) -> None:
        """Start the jobs that a free lane has room for."""
        for job in self.jobs:
            if sum(each.state == "Processing" for each in self.jobs) >= self.lanes:
                return
            if job.state == "Queued":
                job.state, job.started_at = "Processing", moment
                end = moment + timedelta(seconds=job.seconds)
                self.at(end, lambda job=job, end=end: self._finish(job, end))  # type: ignore[misc]

    def _finish(self, job: SimulatedJob, moment: datetime) -> None:
        if job.state == "Processing":
            job.state, job.finished_at = job.course, moment
        self._start(moment)

    def _move_on(self) -> None:
        while self._events and self._events[0][0] <= self.now():
            _, _, action = heapq.heappop(self._events)
            action()

    def _find(self, kind: str, export_id: str) -> SimulatedJob:
        for job in self.jobs:
            if (job.id, job.kind, job.user) == (export_id, kind, "me"):
                return job
        raise _RefusedError("1003", f"Export job '{export_id}' not found")

    def _check_quota(self) -> None:
        if self.quota_mb is not None and self.used() >= self.quota_mb * 1_000_000:
            raise _RefusedError("1029", f"Export daily quota {self.quota_mb}MB exceeded")


class _RefusedError(Exception):
    """A code and a message."""


def _parse(path: str) -> tuple[str, str, str]:
    """Return the name of a call, the kind, and the id of the job."""
    if path == "/identity/oauth/token":
        return "token", "", ""
    kind, _, rest = path.removeprefix("/bulk/v1/").partition("/export")
    if rest == ".json":
        return "list", kind, ""
    if rest == "/create.json":
        return "create", kind, ""
    if rest.count("/") == 2:
        _, export_id, action = rest.split("/")
        return action.removesuffix(".json"), kind, export_id
    return "unknown", "", ""


def _text(moment: datetime | None) -> str | None:
    return None if moment is None else f"{moment:%Y-%m-%dT%H:%M:%SZ}"
