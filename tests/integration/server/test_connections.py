"""Many connections at once, and clients that are slow, silent or gone."""

import resource
import socket
import time
from collections.abc import Iterator

import pytest
from tests.support.listening import PIECE, Listening, answer, listening, request, rest
from tests.support.waiting import wait_for

from outhaul.server import listener
from outhaul.server.listener import RESERVED_DESCRIPTORS, connections_possible

HASTY = 0.1
BODY = request("/read", "Content-Length: 100000", method="POST")


@pytest.fixture
def patient() -> Iterator[Listening]:
    with listening() as server:
        yield server


def test_idle_and_dripping_connections_do_not_hold_up_others(patient: Listening) -> None:
    idle = [patient.connect(request("/idle")) for _ in range(500)]
    silent = [patient.connect() for _ in range(500)]
    dripping = [patient.connect(b"G") for _ in range(150)] + [
        patient.connect(BODY) for _ in range(150)
    ]
    assert all(answer(client) == (200, b"/idle") for client in idle)
    for byte in (b"E", b"T"):
        for client in dripping:
            client.sendall(byte)
        with patient.connect(request("/new")) as caller:
            assert answer(caller) == (200, b"/new")
    assert patient.open >= 1_300
    for client in [*idle, *silent, *dripping]:
        client.close()
    wait_for(lambda: patient.open == 0)
    wait_for(lambda: patient.app.running == 0)


@pytest.mark.parametrize("begun", [b"G", b"GET / HTTP/1.1\r\nHost: se"])
def test_a_head_that_is_not_complete_in_time_is_refused(begun: bytes) -> None:
    with listening(head_seconds=HASTY) as server, server.connect(begun) as client:
        assert answer(client) == (408, b"Request Timeout\n")
        assert rest(client) == b""


def test_a_head_after_an_answer_has_a_time_of_its_own() -> None:
    with listening(head_seconds=HASTY) as server, server.connect(request("/")) as client:
        answer(client)
        client.sendall(b"GET ")
        assert answer(client)[0] == 408


def test_a_connection_without_a_request_is_closed() -> None:
    with listening(head_seconds=HASTY) as server, server.connect() as client:
        assert rest(client) == b""


def test_an_idle_connection_is_closed() -> None:
    with listening(idle_seconds=HASTY) as server, server.connect(request("/")) as client:
        answer(client)
        assert rest(client) == b""


def test_a_call_takes_as_long_as_it_needs() -> None:
    hasty = dict.fromkeys(("head_seconds", "idle_seconds", "body_seconds", "answer_seconds"), HASTY)
    with (
        listening(**hasty) as server,
        server.connect(request("/late")) as late,
        server.connect() as other,
    ):
        rest(other)  # by then, the time of the first is up too
        server.loop.call_soon_threadsafe(server.app.released.set)
        assert answer(late) == (200, b"late")


@pytest.mark.parametrize("part", [b"", bytes(4_999)])
def test_a_body_that_stalls_is_refused(part: bytes) -> None:
    with listening(body_seconds=HASTY) as server, server.connect(BODY + part) as client:
        assert answer(client)[0] == 408
        assert rest(client) == b""
        wait_for(lambda: server.app.gone == 1)


def test_a_download_that_stalls_is_reset() -> None:
    with listening(answer_seconds=HASTY) as server, server.connect(request("/endless")) as client:
        wait_for(lambda: server.app.produced)
        wait_for(lambda: server.open == 0)
        wait_for(lambda: server.app.running == 0)
        rest(client)


def test_little_is_produced_for_a_client_that_does_not_read(patient: Listening) -> None:
    with patient.connect(request("/endless"), receive_buffer=2**16) as client:
        client.recv(1)
        produced = -1
        while produced != (produced := patient.app.produced):
            with patient.connect(request("/")) as other:
                answer(other)
        assert produced <= 2**20
        received = 0
        while received <= 2 * produced + len(PIECE):
            received += len(client.recv(2**20))


def test_nothing_is_left_of_clients_that_leave(patient: Listening) -> None:
    for _ in range(300):
        with patient.connect(request("/endless") + request("/")) as client:
            client.recv(1)
    wait_for(lambda: patient.open == 0)
    wait_for(lambda: patient.app.running == 0)


def test_the_connection_that_waits_longest_gives_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listener, "connections_possible", lambda: 4)
    with listening() as server:
        busy = server.connect(request("/late"))
        wait_for(lambda: server.app.running == 1)
        oldest, idle, begun = server.connect(), server.connect(request("/")), server.connect(b"G")
        answer(idle)
        with server.connect(request("/new")) as caller:
            assert answer(caller) == (200, b"/new")
        assert rest(oldest) == b""
        for client in (idle, begun):
            client.sendall(b"GET"[1 if client is begun else 0 :] + request("/kept")[3:])
            assert answer(client) == (200, b"/kept")
        server.loop.call_soon_threadsafe(server.app.released.set)
        assert answer(busy) == (200, b"late")
        for client in (busy, oldest, idle, begun):
            client.close()


@pytest.mark.parametrize("sent", [b"", b"G", request("/")], ids=["silent", "begun", "idle"])
def test_each_new_connection_replaces_one(monkeypatch: pytest.MonkeyPatch, sent: bytes) -> None:
    monkeypatch.setattr(listener, "connections_possible", lambda: 4)
    with listening() as server:
        clients = []
        for _ in range(100):
            clients.append(server.connect(sent))
            if sent.endswith(b"\r\n\r\n"):
                answer(clients[-1])
        with server.connect(request("/new")) as caller:
            assert answer(caller) == (200, b"/new")
        wait_for(lambda: server.open <= 4)
        assert all(rest(client) == b"" for client in clients[:96])
        for client in clients:
            client.close()


def test_a_burst_of_connections_replaces_as_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listener, "connections_possible", lambda: 50)
    with listening() as server:
        clients = [server.connect() for _ in range(50)]
        wait_for(lambda: server.open == 50)
        server.loop.call_soon_threadsafe(time.sleep, 0.2)  # so that all are accepted at once
        clients += [server.connect() for _ in range(50)]
        assert all(rest(client) == b"" for client in clients[:50])
        for client in clients:
            client.close()


def test_the_limit_on_open_files_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    limits = [(1_024, 20_000)]
    monkeypatch.setattr(resource, "getrlimit", lambda _: limits[-1])
    monkeypatch.setattr(resource, "setrlimit", lambda _, found: limits.append(found))
    assert connections_possible() == 20_000 - RESERVED_DESCRIPTORS
    assert limits[-1] == (20_000, 20_000)


def test_a_stop_waits_for_answers_and_for_nobody_else(patient: Listening) -> None:
    late = patient.connect(request("/late"))
    stalled = patient.connect(request("/endless"))
    wait_for(lambda: patient.app.running == 2)
    others = [patient.connect(), patient.connect(b"G"), patient.connect(request("/"))]
    assert answer(others[-1]) == (200, b"/")
    wait_for(lambda: patient.open == 5)
    patient.loop.call_soon_threadsafe(patient.app.released.set)
    patient.stop(0.5)
    assert answer(late) == (200, b"late")
    wait_for(lambda: patient.open == 0)
    assert all(rest(client) == b"" for client in others)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(patient.address)
    for client in (late, stalled, *others):
        client.close()
