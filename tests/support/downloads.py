"""Downloads for tests: from answers that a test makes, into an empty folder."""

import hashlib
import io
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import httpx2

from outhaul.client import Backoff, Job, Patience, Session, download, download_to
from outhaul.protocol.states import State

FILE = b"".join(number.to_bytes(4, "big") for number in range(75_000))
PATH = "/bulk/v1/leads/export/job-1/file.json"
CSV = {"Content-Type": "text/csv;charset=UTF-8"}


def job_of(file: bytes, export_id: str = "job-1", *, checksum: bool = True) -> Job:
    return Job(
        export_id=export_id,
        status=State.COMPLETED,
        file_size=len(file),
        checksum="sha256:" + hashlib.sha256(file).hexdigest() if checksum else None,
    )


class Breaking(httpx2.SyncByteStream):
    """A body whose connection breaks after some bytes."""

    def __init__(self, body: bytes, after: int) -> None:
        self.body, self.after = body, after

    def __iter__(self) -> Iterator[bytes]:
        for start in range(0, min(self.after, len(self.body)), 1000):
            yield self.body[start : min(start + 1000, self.after)]
        if self.after < len(self.body):
            raise httpx2.RemoteProtocolError("peer closed connection")


Handler = Callable[[httpx2.Request], httpx2.Response]


class Fetch:
    """Downloads from an endpoint to a target in an empty folder."""

    def __init__(self, folder: Path) -> None:
        self.target = folder / "leads.csv"
        self.seen: list[int] = []
        self.stream = io.BytesIO()

    def __call__(self, endpoint: Handler, job: Job) -> bytes:
        with self.session(endpoint) as session:
            download(session, PATH, job, self.target, self.seen.append)
        return self.target.read_bytes()

    def to_stream(self, endpoint: Handler, job: Job) -> bytes:
        with self.session(endpoint) as session:
            download_to(session, PATH, job, self.stream, self.seen.append)
        return self.stream.getvalue()

    @staticmethod
    def session(endpoint: Handler, clock: Callable[[], float] = time.monotonic) -> Session:
        return Session(
            "http://host",
            "id",
            "s",
            transport=httpx2.MockTransport(endpoint),
            patience=Patience(clock=clock, sleep=lambda _seconds: None),
            backoff=Backoff(attempts=4),
        )

    @property
    def left(self) -> list[str]:
        return sorted(path.name for path in self.target.parent.iterdir())


class Answers:
    """An endpoint that gives these answers to file calls, in turn."""

    def __init__(self, *answers: httpx2.Response) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[str | None, str | None]] = []

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        if request.url.path == "/identity/oauth/token":
            return httpx2.Response(200, json={"access_token": "t", "expires_in": 3600})
        self.asked.append((request.headers.get("Range"), request.headers.get("If-Range")))
        return self.answers.pop(0)


def answer(
    body: bytes, status: int = 200, *, breaks: bool = False, **headers: str
) -> httpx2.Response:
    """Return an answer with these bytes, after which the connection may break."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    stream = Breaking(body + b"?" * breaks, len(body))
    return httpx2.Response(status, headers={**CSV, **named}, stream=stream)


class Pieces(httpx2.SyncByteStream):
    """A body in these pieces."""

    def __init__(self, pieces: Sequence[bytes]) -> None:
        self.pieces = pieces

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.pieces)
