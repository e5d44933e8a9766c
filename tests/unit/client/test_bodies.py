"""Reading bodies: from the HTTP library, or from the connection itself."""

from collections.abc import Iterator

import httpcore2
import httpx2
import pytest

from outhaul.client.bodies import pieces_of

LARGE = b"".join(number.to_bytes(4, "big") for number in range(1_250_000))
HEAD = 1000
"""How much of a body the library has read together with the head."""


class Library(httpx2.SyncByteStream):
    """A body as the library hands it out. It has read its first bytes only."""

    def __init__(self, body: bytes) -> None:
        self.body = body
        self.closed = False

    def __iter__(self) -> Iterator[bytes]:
        for start in range(0, len(self.body), HEAD):
            yield self.body[start : start + HEAD]

    def close(self) -> None:
        self.closed = True


class Connection:
    """A connection with the rest of a body, and what follows it."""

    def __init__(self, rest: bytes, error: Exception | None = None) -> None:
        self.rest = rest
        self.error = error
        self.seconds: set[float | None] = set()

    def read(self, most: int, seconds: float | None = None) -> bytes:
        self.seconds.add(seconds)
        count = min(most, 77_777)
        piece, self.rest = self.rest[:count], self.rest[count:]
        if not piece and self.error is not None:
            raise self.error
        return piece


def answer(
    connection: Connection | None, body: bytes = LARGE, version: bytes = b"HTTP/1.1", **headers: str
) -> httpx2.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    request = httpx2.Request("GET", "http://host/", extensions={"timeout": {"read": 7.0}})
    extensions = {"http_version": version}
    if connection is not None:
        extensions["network_stream"] = connection  # type: ignore[assignment]
    return httpx2.Response(
        200, headers=named, stream=Library(body), request=request, extensions=extensions
    )


def test_a_large_body_is_read_from_its_connection() -> None:
    connection = Connection(LARGE[HEAD:] + b"of the next answer")
    response = answer(connection, Content_Length=str(len(LARGE)))
    assert b"".join(pieces_of(response)) == LARGE
    assert connection.rest == b"of the next answer"
    assert connection.seconds == {7.0}


@pytest.mark.parametrize(
    ("headers", "version", "body"),
    [
        ({"Content_Length": "4000"}, b"HTTP/1.1", LARGE[:4000]),
        ({}, b"HTTP/1.1", LARGE),
        ({"Content_Length": "x"}, b"HTTP/1.1", LARGE),
        ({"Content_Length": str(len(LARGE)), "Transfer_Encoding": "chunked"}, b"HTTP/1.1", LARGE),
        ({"Content_Length": str(len(LARGE))}, b"HTTP/2", LARGE),
    ],
)
def test_other_bodies_are_left_to_the_library(
    headers: dict[str, str], version: bytes, body: bytes
) -> None:
    connection = Connection(b"never read")
    assert b"".join(pieces_of(answer(connection, body, version, **headers))) == body
    assert connection.rest == b"never read"


def test_a_body_without_a_connection() -> None:
    response = answer(None, Content_Length=str(len(LARGE)))
    assert b"".join(pieces_of(response)) == LARGE


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (None, httpx2.RemoteProtocolError),
        (httpcore2.ReadTimeout("slow"), httpx2.ReadTimeout),
        (httpcore2.ReadError("reset"), httpx2.ReadError),
    ],
)
def test_a_connection_that_breaks(error: Exception | None, told: type[httpx2.RequestError]) -> None:
    response = answer(Connection(LARGE[HEAD:-1], error), Content_Length=str(len(LARGE)))
    got: list[bytes] = []
    with pytest.raises(told):
        got.extend(pieces_of(response))
    assert b"".join(got) == LARGE[:-1]
