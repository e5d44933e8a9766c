"""A session of the client with the misbehaving endpoint, without a network and without waiting."""

from collections.abc import Callable
from typing import Self

import httpx2
from tests.support.misbehaving import CLIENT_ID, CLIENT_SECRET, Endpoint

from outhaul.client import Backoff, Exports, Patience, Session


class Time:
    """A clock that moves on only by pauses."""

    def __init__(self) -> None:
        self.seconds = 1000.0
        self.pauses: list[float] = []

    def now(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.seconds += seconds


class Client:
    """The exports of leads of an endpoint. `time`, `notices` and `endings` are what a test sees."""

    def __init__(
        self, endpoint: Endpoint, *, attempts: int = 4, timeout: float | None = None
    ) -> None:
        self.time = Time()
        self.notices: list[str] = []
        self.session = Session(
            "http://host",
            CLIENT_ID,
            CLIENT_SECRET,
            transport=httpx2.MockTransport(answering(endpoint)),
            patience=Patience(timeout, clock=self.time.now, sleep=self.time.sleep),
            backoff=Backoff(attempts=attempts),
            notice=self.notices.append,
        )
        self.exports = Exports(self.session, "leads")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.session.close()


def answering(endpoint: Endpoint) -> Callable[[httpx2.Request], httpx2.Response]:
    """Return what answers requests as the endpoint does. A fault that breaks off is an error."""

    def answer(request: httpx2.Request) -> httpx2.Response:
        target = request.url.raw_path.decode()
        headers = {name.lower(): value for name, value in request.headers.items()}
        call, reply = endpoint.receive(request.method, target, headers, request.read())
        endpoint.sent(call)
        if reply.limit is not None:
            raise httpx2.ReadError("broken off")
        return httpx2.Response(reply.status, headers=dict(reply.headers), content=reply.body)

    return answer
