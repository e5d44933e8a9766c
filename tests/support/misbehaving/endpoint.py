"""The endpoint: what it answers, right or by a fault, and what it remembers."""

import re
import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any
from urllib.parse import parse_qs, unquote

from tests.support.misbehaving.faults import Fault
from tests.support.misbehaving.jobs import QUEUED, RUNNING, ExportJob, Script
from tests.support.misbehaving.journal import Call
from tests.support.misbehaving.wire import Reply, Then, json_reply, serving
from tests.support.waiting import PATIENCE

from outhaul.protocol.ranges import ByteRange, UnsatisfiableRangeError, parse_range

CLIENT_ID = "client-id"
CLIENT_SECRET = "client-secret"
QUEUE_LIMIT = 10
PAGE = 300

_KIND = r"/bulk/v1/(?P<kind>leads|activities|program/members|customobjects/[^/]+)/export"
_PATHS: Sequence[tuple[str, re.Pattern[str]]] = [
    ("token", re.compile(r"/identity/oauth/token")),
    ("create", re.compile(_KIND + r"/create\.json")),
    ("list", re.compile(_KIND + r"\.json")),
    *(
        (name, re.compile(_KIND + rf"/(?P<job>[^/]+)/{name}\.json"))
        for name in ("enqueue", "status", "cancel", "file")
    ),
]
_TEXT = {"Content-Type": "text/plain"}


class RefusedError(Exception):
    """A call is refused with a code of the protocol."""


class Endpoint:
    """A bulk extract endpoint with its jobs, its tokens, its faults and a journal of its calls.

    `script` is what becomes of each job that is created. `quota_bytes` is what the files of
    Completed jobs may have together. `clock` shows what answers give as `Date` and `createdAt`.
    """

    def __init__(  # noqa: PLR0913 - each says how the endpoint behaves
        self,
        *,
        script: Script | None = None,
        faults: Sequence[Fault] = (),
        queue_limit: int = QUEUE_LIMIT,
        quota_bytes: int | None = None,
        token_seconds: int = 3600,
        ranges: bool = True,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.script = script or Script()
        self.faults = list(faults)
        self.queue_limit = queue_limit
        self.quota_bytes = quota_bytes
        self.token_seconds = token_seconds
        self.ranges = ranges
        """Whether file calls heed `Range`."""
        self.clock = clock
        self.on_hang: Callable[[], object] = lambda: None
        """Called when an answer hangs: a test whose clock is no real one lets it move on."""
        self.jobs: list[ExportJob] = []
        self.calls: list[Call] = []
        self.url = ""
        self._tokens: dict[str, bool] = {}
        self._counts: Counter[str] = Counter()
        self._used: set[int] = set()
        self._changed = threading.Condition(threading.RLock())

    # What a test does

    def serving(self) -> AbstractContextManager[str]:
        """Serve on a free port until the context is left. The context is the address."""
        return serving(self)

    def add_job(
        self,
        state: str = "Created",
        kind: str = "leads",
        request: Any = None,
        *,
        age: float = 0,
    ) -> ExportJob:
        """Add a job that another run of the same API user made `age` seconds ago."""
        with self._changed:
            job = ExportJob(
                id=f"{len(self.jobs) + 1:08x}-0000-4000-8000-000000000000",
                kind=kind,
                script=self.script,
                created_at=self.clock() - timedelta(seconds=age),
                request=request,
                state=state,
            )
            self.jobs.append(job)
            return job

    def expire_tokens(self) -> None:
        """Let all tokens that were issued expire."""
        with self._changed:
            self._tokens = dict.fromkeys(self._tokens, False)

    def wait_for(self, name: str, nth: int = 1, *, answered: bool = False) -> Call:
        """Return a call as soon as it has arrived, or has been answered."""

        def found() -> Call | None:
            for call in self.calls:
                if call.name == name and call.nth == nth and (call.answered or not answered):
                    return call
            return None

        with self._changed:
            self._changed.wait_for(found, PATIENCE)
            call = found()
        assert call is not None, f"{name} call {nth} did not come: {self.told()}"
        return call

    @property
    def states(self) -> list[str]:
        """The states of all jobs, in the order in which they were made."""
        return [job.state for job in self.jobs]

    @property
    def running(self) -> list[ExportJob]:
        """The jobs that have not ended."""
        return [job for job in self.jobs if job.state in RUNNING]

    @property
    def unused(self) -> list[Fault]:
        """The faults that no call has met. What such a fault was to show was not shown."""
        return [fault for number, fault in enumerate(self.faults) if number not in self._used]

    def count(self, name: str) -> int:
        """Return how many calls of a name have come."""
        return self._counts[name]

    def of(self, name: str) -> list[Call]:
        """Return the calls of a name."""
        return [call for call in self.calls if call.name == name]

    def told(self) -> str:
        """Return all calls, a line for each, for messages of tests."""
        return "\n".join(map(str, self.calls))

    # What the server does

    def receive(
        self, method: str, target: str, headers: Mapping[str, str], body: bytes
    ) -> tuple[Call, Reply]:
        with self._changed:
            call = self._note(method, target, headers, body)
            met = next((n for n, fault in enumerate(self.faults) if fault.meets(call)), None)
            fault = None if met is None else self.faults[met]
            if met is not None:
                self._used.add(met)
            if fault is not None and fault.meanwhile is not None:
                fault.meanwhile(self)
            if fault is None:
                reply = self._right(call)
            else:
                call.faulty = True
                reply = fault.answer.reply(self._right(call) if fault.takes_effect else Reply())
            if "Date" not in reply.headers:
                date = format_datetime(self.clock(), usegmt=True)
                reply = replace(reply, headers={"Date": date, **reply.headers})
            if reply.then is Then.HANG:
                self.on_hang()
            call.status = None if reply.limit == -1 else reply.status
            self._changed.notify_all()
            return call, reply

    def sent(self, call: Call) -> None:
        with self._changed:
            call.answered = True
            self._changed.notify_all()

    def _note(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Call:
        path = target.partition("?")[0]
        name, groups = "unknown", {}
        for known, pattern in _PATHS:
            if match := pattern.fullmatch(path):
                name, groups = known, match.groupdict()
                break
        self._counts[name] += 1
        job = groups.get("job")
        call = Call(
            name=name,
            nth=self._counts[name],
            method=method,
            target=target,
            headers=headers,
            body=body,
            kind=unquote(groups.get("kind") or ""),
            job=unquote(job) if job else None,
        )
        self.calls.append(call)
        return call

    def _right(self, call: Call) -> Reply:
        """Do what a call asks for, and return the right answer."""
        if call.name == "token":
            return self._token(call)
        try:
            self._check_token(call)
            answers: Mapping[str, Callable[[Call], Reply]] = {
                "create": self._create,
                "enqueue": self._enqueue,
                "status": self._status,
                "cancel": self._cancel,
                "list": self._list,
                "file": self._file,
            }
            return answers.get(call.name, _unknown)(call)
        except RefusedError as error:
            code, message = error.args
            errors = [{"code": code, "message": message}]
            return json_reply({"requestId": "1#1", "success": False, "errors": errors})

    def _token(self, call: Call) -> Reply:
        given = {**call.query, **parse_qs(call.body.decode("latin-1"))}
        pair = (given.get("client_id", [""])[0], given.get("client_secret", [""])[0])
        if pair != (CLIENT_ID, CLIENT_SECRET):
            problem = {"error": "invalid_client", "error_description": "Bad client credentials"}
            return json_reply(problem, 401)
        valid = [token for token, live in self._tokens.items() if live]
        token = valid[0] if valid else f"token-{len(self._tokens) + 1}"
        self._tokens[token] = True
        return json_reply(
            {
                "access_token": token,
                "token_type": "bearer",
                "expires_in": self.token_seconds,
                "scope": "tests@example.com",
            }
        )

    def _check_token(self, call: Call) -> None:
        if not call.token:
            raise RefusedError("603", "Access denied: no access token was sent")
        if call.token not in self._tokens:
            raise RefusedError("601", "Access token invalid")
        if not self._tokens[call.token]:
            raise RefusedError("602", "Access token expired")

    def _create(self, call: Call) -> Reply:
        if call.method != "POST":
            raise RefusedError("605", f"Request method '{call.method}' not supported")
        self._check_quota()
        job = self.add_job(kind=call.kind, request=call.json)
        call.job = job.id
        return _about(job)

    def _enqueue(self, call: Call) -> Reply:
        job = self._job(call)
        if job.state != "Created":
            raise RefusedError("1029", "Job already queued")
        self._check_quota()
        if sum(each.state in QUEUED for each in self.jobs) >= self.queue_limit:
            raise RefusedError("1029", "Too many jobs in queue")
        job.state = "Queued"
        return _about(job)

    def _status(self, call: Call) -> Reply:
        job = self._job(call)
        job.look()
        return _about(job)

    def _cancel(self, call: Call) -> Reply:
        job = self._job(call)
        if job.state not in RUNNING:
            message = f"Export job '{job.id}' is {job.state} and cannot be cancelled"
            raise RefusedError("1003", message)
        job.state = "Cancelled"
        return _about(job)

    def _list(self, call: Call) -> Reply:
        wanted = {name for text in call.query.get("status", ()) for name in text.split(",")}
        size = min(int(call.query.get("batchSize", [str(PAGE)])[0]), PAGE)
        begin = int(call.query.get("nextPageToken", ["0"])[0])
        jobs = [
            job
            for job in self.jobs
            if job.kind == call.kind and (not wanted or job.state in wanted)
        ]
        page = jobs[begin : begin + size]
        more = {"nextPageToken": str(begin + size)} if begin + size < len(jobs) else {}
        result = [job.to_answer() for job in page]
        return json_reply({"requestId": "1#1", "success": True, "result": result, **more})

    def _file(self, call: Call) -> Reply:
        job = next((job for job in self.jobs if job.id == call.job), None)
        if job is None or job.state != "Completed":
            return Reply(status=404, headers=_TEXT, body=b"Not Found\n")
        size = len(job.file)
        headers = {"Content-Type": "text/csv;charset=UTF-8", "Accept-Ranges": "bytes"}
        try:
            span = parse_range(call.headers.get("range") if self.ranges else None, size)
        except UnsatisfiableRangeError:
            return Reply(status=416, headers={**_TEXT, "Content-Range": f"bytes */{size}"})
        if span is None:
            return Reply(headers=headers, body=job.file)
        begin, end = span
        headers["Content-Range"] = ByteRange(begin, end).content_range(size)
        return Reply(status=206, headers=headers, body=job.file[begin:end])

    def _job(self, call: Call) -> ExportJob:
        for job in self.jobs:
            if job.id == call.job and job.kind == call.kind:
                return job
        raise RefusedError("1003", f"Export job '{call.job}' not found")

    def _check_quota(self) -> None:
        done = sum(len(job.file) for job in self.jobs if job.state == "Completed")
        if self.quota_bytes is not None and done >= self.quota_bytes:
            megabytes = self.quota_bytes // 1_000_000
            raise RefusedError("1029", f"Export daily quota {megabytes}MB exceeded")


def _unknown(call: Call) -> Reply:
    raise RefusedError("610", f"Requested resource not found: {call.path}")


def _about(job: ExportJob) -> Reply:
    return json_reply({"requestId": "1#1", "success": True, "result": [job.to_answer()]})
