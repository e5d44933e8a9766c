"""A reverse proxy on the loopback that notes down every call that passes through it."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

PIECE_BYTES = 64 * 1024

# What concerns one connection, of which there are two here (RFC 9110, 7.6.1).
_OF_THE_CONNECTION = frozenset({"connection", "keep-alive", "transfer-encoding"})


@dataclass(frozen=True, kw_only=True)
class Call:
    """One call and its answer; the names of `headers`, the answer's, are in lower case."""

    method: str
    path: str
    """As the client sent it, with the query."""
    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Recorder:
    """Where clients call, and the calls so far."""

    url: str
    calls: list[Call] = field(default_factory=list)


@contextmanager
def recorded(target: str) -> Iterator[Recorder]:
    """Pass on calls to `target` meanwhile; at the end all calls are noted down."""
    with _Proxy(target) as proxy:
        thread = threading.Thread(target=proxy.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield proxy.recorder
        finally:
            proxy.shutdown()
            thread.join()


class _Proxy(ThreadingHTTPServer):
    daemon_threads = False  # so that closing waits for the calls that are under way

    def __init__(self, target: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.target = urlsplit(target).netloc
        self.recorder = Recorder(f"http://127.0.0.1:{self.server_port}")


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Proxy

    def do_GET(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        upstream = HTTPConnection(self.server.target)
        try:
            upstream.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
            for name, value in self.headers.items():
                if name.lower() not in _OF_THE_CONNECTION:
                    upstream.putheader(name, value)
            upstream.endheaders(body)
            self._answer(upstream)
        finally:
            upstream.close()
            self.close_connection = True

    do_POST = do_GET  # noqa: N815 - http.server's name

    def _answer(self, upstream: HTTPConnection) -> None:
        with upstream.getresponse() as answer:
            headers = [
                (name, value)
                for name, value in answer.getheaders()
                if name.lower() not in _OF_THE_CONNECTION
            ]
            self.send_response_only(answer.status, answer.reason)
            for name, value in headers:
                self.send_header(name, value)
            self.send_header("Connection", "close")
            self.end_headers()
            body = bytearray()
            while piece := answer.read(PIECE_BYTES):
                self.wfile.write(piece)
                body += piece
        self.server.recorder.calls.append(
            Call(
                method=self.command,
                path=self.path,
                status=answer.status,
                headers={name.lower(): value for name, value in headers},
                body=bytes(body),
            )
        )

    def log_message(self, *_: object) -> None:
        pass
