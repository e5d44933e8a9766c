"""Requests that are answered before they are read, and requests that are malformed or unusual."""

import socket
from collections.abc import Iterator

import pytest
from tests.support.listening import Listening, answer, listening, request, rest
from tests.support.waiting import wait_for

MEGABYTE = 1_000_000
PLAIN = request("/")
CHUNK = b"%x\r\n%b\r\n" % (MEGABYTE, bytes(MEGABYTE))


@pytest.fixture(scope="module")
def server() -> Iterator[Listening]:
    with listening() as running:
        yield running


@pytest.fixture
def client(server: Listening) -> Iterator[socket.socket]:
    with server.connect() as connected:
        yield connected


@pytest.mark.parametrize("megabytes", [11, 100])
@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
def test_an_early_answer_reaches_a_client_that_sends_everything_first(
    client: socket.socket, megabytes: int, chunked: bool
) -> None:
    length = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {megabytes * MEGABYTE}"
    client.sendall(request("/early", length, method="POST"))
    for _ in range(megabytes):
        client.sendall(CHUNK if chunked else bytes(MEGABYTE))
    client.sendall(b"0\r\n\r\n" if chunked else b"")
    assert answer(client) == (200, b"/early")
    client.sendall(request("/next"))
    assert answer(client) == (200, b"/next")


def test_an_early_answer_is_not_lost_where_the_connection_closes(client: socket.socket) -> None:
    length = f"Content-Length: {100 * MEGABYTE}"
    client.sendall(request("/early", length, "Connection: close", method="POST"))
    for _ in range(100):
        client.sendall(bytes(MEGABYTE))
    assert answer(client) == (200, b"/early")
    assert rest(client) == b""


@pytest.mark.parametrize("bound", [{"discard_bytes": MEGABYTE}, {"discard_seconds": 0.1}])
def test_no_more_than_the_bound_is_taken_in(bound: dict[str, float]) -> None:
    with listening(**bound) as server:
        client = server.connect(request("/", f"Content-Length: {10**12}", method="POST"))
        with client, pytest.raises(OSError, match=r"reset|pipe"):
            client.sendall(bytes(1_000 * MEGABYTE))
        wait_for(lambda: server.open == 0)


def test_a_body_that_was_announced_and_not_sent_is_not_expected(client: socket.socket) -> None:
    client.sendall(request("/", "Content-Length: 9", "Expect: 100-continue", method="POST"))
    assert answer(client) == (200, b"/")
    assert rest(client) == b""


def test_a_client_is_told_to_send_the_body_that_it_announced(client: socket.socket) -> None:
    client.sendall(request("/read", "Content-Length: 9", "Expect: 100-continue", method="POST"))
    assert answer(client) == (100, b"")
    client.sendall(bytes(9))
    assert answer(client) == (200, b"9")


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"nonsense\r\n\r\n", 400),
        (bytes(100), 400),
        (b"\x16\x03\x01\x00\xc8\x01\x00\x00\xc4\x03\x03" + bytes(100), 400),  # TLS
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
        (request("a:1", method="CONNECT"), 400),
        (request("/\N{LATIN SMALL LETTER E WITH ACUTE}"), 400),
        (request("/", "Content-Length: 1", "Content-Length: 2", method="POST"), 400),
        (request("/", "Content-Length: -1", method="POST"), 400),
        (request("/", "Content-Length: 1", "Transfer-Encoding: chunked", method="POST"), 400),
        (request("/read", "Transfer-Encoding: chunked", method="POST") + b"zz\r\n", 400),
        (request("/" + "a" * MEGABYTE), 414),
        (b"GET /" + b"a" * 70_000, 414),
        (request("/", f"X: {'a' * MEGABYTE}"), 431),
        (b"GET / HTTP/1.1\r\nX: " + b"a" * 70_000, 431),
        (request("/", *(f"X-{n}: 1" for n in range(10_000))), 431),
    ],
    ids=range(15),
)
def test_a_request_that_cannot_be_served_is_refused(
    client: socket.socket, sent: bytes, status: int
) -> None:
    client.sendall(sent)
    assert answer(client)[0] == status
    assert rest(client) == b""


@pytest.mark.parametrize(
    "sent", [request("/", version="1.0"), request("/", "Connection: close")], ids=["1.0", "close"]
)
def test_a_connection_closes_where_it_cannot_be_reused(client: socket.socket, sent: bytes) -> None:
    client.sendall(sent)
    assert answer(client) == (200, b"/")
    assert rest(client) == b""


@pytest.mark.parametrize("version", ["h2c", "websocket"])
def test_an_offer_of_another_protocol_is_declined(client: socket.socket, version: str) -> None:
    client.sendall(request("/1", "Connection: Upgrade", f"Upgrade: {version}") + request("/2"))
    assert [answer(client), answer(client)] == [(200, b"/1"), (200, b"/2")]


def test_requests_on_one_connection_are_answered_in_order(client: socket.socket) -> None:
    client.sendall(b"".join(request(f"/{n}") for n in range(50)))
    assert [answer(client)[1] for _ in range(50)] == [b"/%d" % n for n in range(50)]


def test_answers_that_are_due_come_before_a_refusal(client: socket.socket) -> None:
    client.sendall(request("/1") + request("/2") + b"nonsense\r\n\r\n")
    assert [answer(client), answer(client)] == [(200, b"/1"), (200, b"/2")]
    assert rest(client) == b""


def test_a_client_that_has_sent_everything_is_answered(client: socket.socket) -> None:
    client.sendall(PLAIN * 3)
    client.shutdown(socket.SHUT_WR)
    assert [answer(client) for _ in range(3)] == [(200, b"/")] * 3
    assert rest(client) == b""


@pytest.mark.parametrize("sent", [b"GET / HT", request("/read", "Content-Length: 9") + b"1"])
def test_a_client_that_ends_amid_a_request_is_not_answered(
    client: socket.socket, sent: bytes
) -> None:
    client.sendall(sent)
    client.shutdown(socket.SHUT_WR)
    assert rest(client) == b""
