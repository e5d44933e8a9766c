"""How the endpoint's answers go over the wire, whole or not: an HTTP server on a free port."""

import json
import socket
import struct
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from enum import Enum, auto
from http.client import responses
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Protocol

from tests.support.misbehaving.journal import Call
from tests.support.ports import HOST

JSON_TYPE = "application/json;charset=UTF-8"


class Then(Enum):
    """What happens to the connection after the answer."""

    KEEP = auto()
    """The next call may use it."""
    CLOSE = auto()
    """It is closed."""
    RESET = auto()
    """It is reset: what the client has not read yet is lost."""
    HANG = auto()
    """Nothing more is sent, until the endpoint ends."""


@dataclass(frozen=True, kw_only=True)
class Reply:
    """An answer, and how it is sent."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    limit: int | None = None
    """How many bytes of the body are sent: `None` is all, -1 is not even the head."""
    at_once: int | None = None
    """How many bytes are written to the connection at once; `None` is all."""
    then: Then = Then.KEEP

    @property
    def content(self) -> Any:
        """The body, read as JSON."""
        return json.loads(self.body)


def json_reply(content: object, status: int = 200) -> Reply:
    return Reply(
        status=status, headers={"Content-Type": JSON_TYPE}, body=json.dumps(content).encode()
    )


class Answering(Protocol):
    """What decides on the answers."""

    def receive(
        self, method: str, target: str, headers: Mapping[str, str], body: bytes
    ) -> tuple[Call, Reply]:
        """Note a call, and return it with its answer."""

    def sent(self, call: Call) -> None:
        """Note that the answer of a call has been sent, as far as it goes."""


@contextmanager
def serving(endpoint: Answering) -> Iterator[str]:
    """Serve until the context is left. Yield the address."""
    server = _Server(endpoint)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://{HOST}:{server.server_address[1]}"
    finally:
        server.stop()
        thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = False
    block_on_close = True  # no thread of a connection outlives the endpoint
    request_queue_size = 128

    def __init__(self, endpoint: Answering) -> None:
        self.endpoint = endpoint
        self.ending = threading.Event()
        self.resetting: set[socket.socket] = set()
        """Connections that end with a reset."""
        self._connections: set[socket.socket] = set()
        self._lock = threading.Lock()
        super().__init__((HOST, 0), _Handler)

    def stop(self) -> None:
        self.shutdown()
        self.ending.set()
        with self._lock:
            for connection in self._connections:
                with suppress(OSError):  # the client was first
                    connection.shutdown(socket.SHUT_RDWR)
        self.server_close()

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._lock:
            self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._lock:
            self._connections.discard(request)
            reset = request in self.resetting
            self.resetting.discard(request)
        if reset:
            # With a linger time of 0, closing resets; the base class would send an orderly end.
            linger = struct.pack("ii", 1, 0)
            request.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            self.close_request(request)
        else:
            super().shutdown_request(request)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        call, reply = self.server.endpoint.receive(self.command, self.path, headers, body)
        with suppress(OSError):  # the client has gone
            self._send(reply)
        self.server.endpoint.sent(call)
        match reply.then:
            case Then.KEEP:
                return
            case Then.RESET:
                self.server.resetting.add(self.connection)
            case Then.HANG:
                self.server.ending.wait()
        self.close_connection = True

    do_GET = do_POST = do_HEAD = _answer  # noqa: N815 - the base class looks for these names

    def _send(self, reply: Reply) -> None:
        if reply.limit == -1:
            return
        phrase = responses.get(reply.status, "")
        headers = {"Content-Length": str(len(reply.body)), **reply.headers}
        head = "".join(f"{name}: {value}\r\n" for name, value in headers.items() if value)
        sent = reply.body[: reply.limit] if self.command != "HEAD" else b""
        whole = f"HTTP/1.1 {reply.status} {phrase}\r\n{head}\r\n".encode("latin-1") + sent
        step = reply.at_once or len(whole)
        for start in range(0, len(whole), step):
            self.connection.sendall(whole[start : start + step])

    def handle(self) -> None:
        with suppress(ConnectionError):  # the client has gone
            super().handle()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class names it
        pass
