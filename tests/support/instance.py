"""An instance of the service in this process: the real app, over a data folder of its own."""

import gzip
import json
import posixpath
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import anyio
import httpx2
from starlette.datastructures import Headers
from starlette.routing import BaseRoute
from starlette.testclient import TestClient
from tests.support.description import UNDESCRIBED, Description
from tests.support.schemas import HEALTH, Contract

from outhaul import sample
from outhaul.accounts.services import Credentials
from outhaul.api import create_app
from outhaul.api.lookups.unstored import UNSTORED
from outhaul.database.engine import Database
from outhaul.jobs.queue import Queue
from outhaul.settings import Settings
from outhaul.worker import Worker

NOW = datetime(2026, 1, 20, 12, tzinfo=UTC)
"""Where the sample ends, and clocks begin."""

WINDOW = {"startAt": "2025-12-21T12:00:00Z", "endAt": "2026-01-20T12:00:00Z"}
"""30 days that hold all activities, and a third of the leads."""

LEADS: Mapping[str, Any] = {"fields": ["id", "email"], "filter": {"createdAt": WINDOW}}
ACTIVITIES: Mapping[str, Any] = {"filter": {"createdAt": WINDOW}}
KINDS = ("leads", "activities")
MEMBERS: Mapping[str, Any] = {
    "fields": ["leadId", "statusName", "email"],
    "filter": {"programId": 1004},
}
BOATS: Mapping[str, Any] = {
    "fields": ["marketoGUID", "leadId", "boatName"],
    "filter": {"updatedAt": WINDOW},
}
BODIES = {
    "leads": LEADS,
    "activities": ACTIVITIES,
    "program/members": MEMBERS,
    "customobjects/boat_c": BOATS,
}

OK = 200
JSON = "application/json;charset=UTF-8"
TOKEN = "/identity/oauth/token"
UNKNOWN_ID = "00000000-0000-4000-8000-000000000000"

USERS = {
    "etl": ("Read-Only Lead", "Read-Only Activity", "Read-Only Custom Object"),
    "writer": ("Read-Write Lead", "Read-Write Activity"),
    "leads": ("Read-Only Lead",),
    "activities": ("Read-Only Activity",),
    "objects": ("Read-Only Custom Object",),
    "nobody": ("Read-Only Assets",),
    "marketer": ("Read-Write Assets", "Read-Only Campaign", "Read-Only Named Account"),
    "sales": (
        "Read-Only Activity Metadata",
        "Read-Only Named Account List",
        "Read-Only Opportunity",
        "Read-Write Sales Person",
    ),
}
"""API users by name, and what they may do."""

LEAD_COUNT = 300
ACTIVITY_COUNT = 3_000
STATIC_LIST = sample.catalog()["staticLists"][0]


class Clock:
    """A clock that stands still until a test sets it."""

    def __init__(self, moment: datetime = NOW) -> None:
        self.moment = moment

    def __call__(self) -> datetime:
        return self.moment

    def advance(self, **by: float) -> None:
        self.moment += timedelta(**by)

    def timer(self) -> float:
        """Return seconds that pass only when a test sets the clock."""
        return self.moment.timestamp()


@dataclass(frozen=True)
class RawAnswer:
    """An answer to a call that no well-behaved HTTP client would make."""

    status: int
    headers: Headers
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


class Instance:
    """The app; every JSON answer that comes through here is held against the protocol."""

    def __init__(
        self,
        settings: Settings,
        clock: Clock,
        credentials: Mapping[str, Credentials],
        contract: Contract | None,
    ) -> None:
        self.settings = settings
        self.clock = clock
        self.credentials = credentials
        self._contract = contract
        self._app = create_app(settings, clock, clock.timer)
        self._tokens: dict[str, tuple[str, datetime]] = {}
        self.client = TestClient(self._app, follow_redirects=False)
        self.client.event_hooks = {"response": [self._check]}

    @property
    def database(self) -> Database:
        database: Database = self._app.state.service.database
        return database

    def openapi(self) -> dict[str, Any]:
        return self._app.openapi()

    def routes(self) -> Sequence[BaseRoute]:
        return self._app.routes

    @property
    def description(self) -> Description:
        """The description; it is the same of all instances, and made once."""
        return _description(self._app.openapi)

    @contextmanager
    def running(self) -> Iterator["Instance"]:
        try:
            with self.client:
                yield self
        finally:
            self._app.state.service.close()

    # Calls

    def call(
        self, method: str, path: str, *, user: str | None = "etl", **request: Any
    ) -> httpx2.Response:
        """Make a call, with the token of a user if any; `request` is as for httpx2."""
        headers = httpx2.Headers(request.pop("headers", None))
        if user is not None and "authorization" not in headers:
            headers["Authorization"] = f"Bearer {self.token(user)}"
        return self.client.request(method, path, headers=headers, **request)

    def get(self, path: str, **request: Any) -> httpx2.Response:
        return self.call("GET", path, **request)

    def post(self, path: str, **request: Any) -> httpx2.Response:
        return self.call("POST", path, **request)

    def raw(  # noqa: PLR0913 - all that a call has
        self,
        method: str,
        path: str,
        *,
        query: bytes = b"",
        headers: Iterable[tuple[bytes, bytes]] = (),
        body: Sequence[bytes] = (b"",),
        user: str | None = "etl",
    ) -> RawAnswer:
        """Make a call byte for byte; `body` is what it comes in, piece by piece."""
        headers = [(name.lower(), value) for name, value in headers]
        if user is not None and not any(name == b"authorization" for name, _ in headers):
            headers.append((b"authorization", f"Bearer {self.token(user)}".encode()))
        scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": path,
            "raw_path": quote(path).encode(),
            "root_path": "",
            "query_string": query,
            "headers": headers,
            "client": ("127.0.0.1", 50_000),
            "server": ("testserver", 80),
            "state": {},
        }
        assert self.client.portal is not None
        answer: RawAnswer = self.client.portal.call(_exchange, self._app, scope, body)
        compressed = answer.headers.get("content-encoding") == "gzip"
        content = gzip.decompress(answer.body) if compressed else answer.body
        self._hold(method, path, answer.status, answer.headers, content)
        return answer

    def token(self, user: str) -> str:
        """Return an access token that is good now."""
        text, until = self._tokens.get(user, ("", self.clock()))
        if until <= self.clock():
            answer = self.ask_token(user).json()
            text = answer["access_token"]
            until = self.clock() + timedelta(seconds=answer["expires_in"])
            self._tokens[user] = text, until
        return text

    def ask_token(self, user: str) -> httpx2.Response:
        return self.client.get(TOKEN, params=self.grant(user))

    def grant(self, user: str) -> dict[str, str]:
        """Return the parameters of the token endpoint."""
        known = self.credentials[user]
        return {
            "grant_type": "client_credentials",
            "client_id": known.client_id,
            "client_secret": known.client_secret,
        }

    # Export jobs

    def create(self, kind: str = "leads", *, user: str = "etl", **changes: Any) -> httpx2.Response:
        """Ask for a job; `changes` take the place of parts of the ordinary body."""
        body = {**BODIES[kind], **changes}
        return self.post(f"{base(kind)}/create.json", json=body, user=user)

    def created(self, kind: str = "leads", *, user: str = "etl", **changes: Any) -> str:
        """Make a job; return its id."""
        job = only(self.create(kind, user=user, **changes))
        return str(job["exportId"])

    def enqueue(self, export_id: str, kind: str = "leads", **request: Any) -> httpx2.Response:
        return self.post(f"{base(kind)}/{export_id}/enqueue.json", **request)

    def cancel(self, export_id: str, kind: str = "leads", **request: Any) -> httpx2.Response:
        return self.post(f"{base(kind)}/{export_id}/cancel.json", **request)

    def status(self, export_id: str, kind: str = "leads", **request: Any) -> httpx2.Response:
        return self.get(f"{base(kind)}/{export_id}/status.json", **request)

    def file(self, export_id: str, kind: str = "leads", **request: Any) -> httpx2.Response:
        return self.get(f"{base(kind)}/{export_id}/file.json", **request)

    def jobs(self, kind: str = "leads", **request: Any) -> httpx2.Response:
        return self.get(f"{base(kind)}.json", **request)

    def queued(self, kind: str = "leads", *, user: str = "etl", **changes: Any) -> str:
        export_id = self.created(kind, user=user, **changes)
        assert only(self.enqueue(export_id, kind, user=user))["status"] == "Queued"
        return export_id

    def claim(self) -> str | None:
        """Take a job up as a worker does that never gets on with it; return its id."""
        job = Queue(self.database, self.settings, "stuck").claim(self.clock())
        return job.id if job else None

    def completed(self, kind: str = "leads", **changes: Any) -> dict[str, Any]:
        """Make a job and have it run; return how it ended."""
        export_id = self.queued(kind, **changes)
        self.work(export_id, kind)
        job = only(self.status(export_id, kind))
        assert job["status"] == "Completed", job
        return job

    def work(self, export_id: str, kind: str) -> None:
        """Have a worker run until a job has ended."""
        worker = Worker(self.settings, clock=self.clock)
        thread = threading.Thread(target=worker.run)
        thread.start()
        try:
            deadline = time.monotonic() + 60
            while only(self.status(export_id, kind))["status"] in ("Queued", "Processing"):
                assert time.monotonic() < deadline, "the worker does not get on with the job"
                time.sleep(0.01)
        finally:
            worker.stop()
            thread.join()

    # What every answer is held against

    def _check(self, response: httpx2.Response) -> None:
        response.read()
        request = response.request
        headers = Headers(raw=response.headers.raw)
        self._hold(
            request.method, request.url.path, response.status_code, headers, response.content
        )

    def _hold(self, method: str, path: str, status: int, headers: Headers, body: bytes) -> None:
        __tracebackhide__ = True
        assert status < 500
        self.description.check(method, path, status, headers, body)
        if path in UNDESCRIBED or "/json" not in headers.get("content-type", "") or not body:
            return
        if ("GET", posixpath.normpath(path)) in HEALTH and status == OK:
            return
        assert headers["content-type"] == JSON
        answer = json.loads(body)
        assert "611" not in [error["code"] for error in answer.get("errors", ())]
        if self._contract is not None:
            self._contract.check(method, posixpath.normpath(path), status, answer)


Serve = Callable[..., Instance]


_DESCRIPTIONS: list[Description] = []


def _description(openapi: Callable[[], Mapping[str, Any]]) -> Description:
    if not _DESCRIPTIONS:
        _DESCRIPTIONS.append(Description(openapi()))
    return _DESCRIPTIONS[0]


async def _exchange(app: Any, scope: dict[str, Any], body: Sequence[bytes]) -> RawAnswer:
    pieces = [
        {"type": "http.request", "body": piece, "more_body": n < len(body)}
        for n, piece in enumerate(body, 1)
    ]
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        if not pieces:
            await anyio.sleep_forever()  # the client stays until it has its answer
        return pieces.pop(0)

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    await app(scope, receive, send)
    start, *rest = sent
    return RawAnswer(
        status=start["status"],
        headers=Headers(raw=start["headers"]),
        body=b"".join(message.get("body", b"") for message in rest),
    )


def base(kind: str) -> str:
    return f"/bulk/v1/{kind}/export"


def different_calls(instance: Instance) -> dict[str, Any]:
    """Return the described paths. Of the look-ups of what is not stored, all alike, only some."""
    alike = {lookup.path for lookup in UNSTORED[3:]}
    paths = instance.openapi()["paths"]
    assert alike <= paths.keys()
    return {path: methods for path, methods in paths.items() if path not in alike}


def result(answer: httpx2.Response | RawAnswer) -> list[dict[str, Any]]:
    """Return the result of a call that went well."""
    body = answer.json()
    assert body["success"] is True, body
    found: list[dict[str, Any]] = body["result"]
    return found


def only(answer: httpx2.Response | RawAnswer) -> dict[str, Any]:
    """Return the one job that an answer is about."""
    (job,) = result(answer)
    return job


def refusal(answer: httpx2.Response | RawAnswer, *, status: int = 200) -> tuple[str, str]:
    """Return code and message of a call that was refused."""
    assert (answer.status if isinstance(answer, RawAnswer) else answer.status_code) == status
    body = answer.json()
    assert body["success"] is False, body
    (error,) = body["errors"]
    return error["code"], error["message"]
