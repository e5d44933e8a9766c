"""A connection to one client. Time, memory and bytes that a client can cost are bounded.

uvicorn reads requests and writes answers. This class adds what uvicorn lacks: bounds on the time
that a request or an answer may take, on the size of a request head, and on what is read of a
request after its answer.
"""

import asyncio
import fcntl
import socket
import struct
import termios
from collections import deque
from enum import Enum, auto
from http import HTTPStatus
from typing import Any

import httptools
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from outhaul.server.window import Window
from outhaul.settings import Settings

WRITE_BUFFER_BYTES = 64 * 1024
"""An answer stops being produced while more bytes than this wait to be written."""


class Reading(Enum):
    """What is expected next from the client."""

    NOTHING = auto()
    """A new request, of which no byte has arrived."""
    HEAD = auto()
    """The rest of a request head."""
    BODY = auto()
    """The rest of a request body."""
    DISCARDED = auto()
    """Bytes that nobody needs, because the connection is about to close."""


class OpenConnections(ServerState):
    """The connections of a server."""

    def __init__(self) -> None:
        super().__init__()
        self.waiting: dict[Connection, None] = {}
        """Connections that have no request to be served, the longest waiting first."""
        self.all_closed = asyncio.Event()

    def all(self) -> "list[Connection]":
        """Return the open connections."""
        return [each for each in self.connections if isinstance(each, Connection)]


class Connection(HttpToolsProtocol):
    """Serves the requests of one client, one after the other. `check` enforces the bounds."""

    server_state: OpenConnections

    def __init__(self, config: Config, server_state: OpenConnections, settings: Settings) -> None:
        super().__init__(config, server_state, {}, asyncio.get_running_loop())
        self._settings = settings
        self._socket: asyncio.Transport
        self._writing: _GentleTransport
        self._descriptor = -1
        self._reading = Reading.NOTHING
        self._since = self.loop.time()
        """When the current state of `_reading` began, or the latest answer was sent."""
        self._closing = False
        self._first_request = True
        self._head_bytes = 0
        self._parsed_bytes = 0
        self._refusal = HTTPStatus.BAD_REQUEST
        """Why the parser was stopped. The default is its own reason: a malformed request."""
        self._received = 0
        self._discarded = 0
        self._body_window = Window(settings.body_seconds, settings.body_least_bytes)
        self._answer_window = Window(settings.answer_seconds, settings.answer_least_bytes)
        self._unanswered: deque[RequestResponseCycle] = deque()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self._socket = transport
        transport.set_write_buffer_limits(high=WRITE_BUFFER_BYTES)
        self._descriptor = transport.get_extra_info("socket").fileno()
        self._writing = _GentleTransport(transport, self)
        super().connection_made(self._writing)
        self.server_state.waiting[self] = None

    def connection_lost(self, exc: Exception | None) -> None:
        state = self.server_state
        state.waiting.pop(self, None)
        for cycle in self._unanswered:
            self._give_up(cycle)
        self._unanswered.clear()
        super().connection_lost(exc)
        if not state.connections:
            state.all_closed.set()

    def data_received(self, data: bytes) -> None:
        if self._reading is Reading.DISCARDED:
            self._discard(len(data))
            return
        if self._reading is Reading.BODY:
            self._received += len(data)
        else:
            self._head_bytes += len(data)
        try:
            self._parse(data)
        except httptools.HttpParserError:
            self._refuse(self._refusal)
            return
        if self._reading is Reading.HEAD and self._head_bytes > self._settings.head_bytes:
            self._refuse(self._too_large())

    def _parse(self, data: bytes) -> None:
        while data:
            try:
                self.parser.feed_data(data)
            except httptools.HttpParserUpgrade as upgrade:
                # An offer of another protocol, which is declined by continuing in this one.
                data = data[upgrade.args[0] :]
            else:
                return

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._reading = Reading.HEAD
        self._since = self.loop.time()

    def on_url(self, url: bytes) -> None:
        super().on_url(url)
        self._bound_head(len(self.url))

    def on_header(self, name: bytes, value: bytes) -> None:
        super().on_header(name, value)
        self._parsed_bytes += len(name) + len(value)
        self._bound_head(self._parsed_bytes)

    def on_headers_complete(self) -> None:
        super().on_headers_complete()
        if self.expect_100_continue:
            # A client that was not told to continue may leave the body out. The next request
            # would then be taken for the body.
            self.cycle.keep_alive = False
        self._unanswered.append(self.cycle)
        self._reading = Reading.BODY
        self._first_request = False
        self._body_window.restart()
        self.server_state.waiting.pop(self, None)

    def on_body(self, body: bytes) -> None:
        if self.cycle.response_complete:
            self._discard(len(body))
        super().on_body(body)

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._reading = Reading.NOTHING
        self._head_bytes = 0
        self._parsed_bytes = 0
        self._since = self.loop.time()
        self._note_waiting()

    def on_response_complete(self) -> None:
        self._unanswered.popleft()
        self._since = self.loop.time()
        super().on_response_complete()
        self._unset_keepalive_if_required()  # `check` closes idle connections
        self._note_waiting()

    def eof_received(self) -> bool | None:  # type: ignore[override]
        """Finish the answers that are due to a client that sends nothing more."""
        if not self._unanswered or self._reading in {Reading.HEAD, Reading.BODY}:
            return None
        self.cycle.keep_alive = False
        return True

    def shutdown(self) -> None:
        """Close the connection, after the answer to a request that has been received."""
        if self._unanswered:
            self.cycle.keep_alive = False
        else:
            self._socket.close()

    def abort(self) -> None:
        """Reset the connection. What is not sent is lost."""
        # Otherwise the system would retain what is in its buffer for some minutes.
        endpoint = self._socket.get_extra_info("socket")
        endpoint.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._socket.abort()

    def check(self, now: float) -> None:
        """Close the connection if the client exceeds a time limit. `now` is of the loop's clock."""
        settings = self._settings
        unsent = self._socket.get_write_buffer_size()
        if unsent:
            if not self._answer_window.moves(now, self._taken(unsent)):
                self.abort()
            return
        self._answer_window.restart()
        waited = now - self._since
        if self._unanswered:
            if self._reading is Reading.BODY:
                self._check_body(now)
        elif self._reading in {Reading.BODY, Reading.DISCARDED}:
            if waited >= settings.discard_seconds:
                self.abort()
        elif self._reading is Reading.HEAD:
            if waited >= settings.head_seconds:
                self._refuse(HTTPStatus.REQUEST_TIMEOUT)
        elif waited >= (settings.head_seconds if self._first_request else settings.idle_seconds):
            self._socket.close()

    def close_gently(self) -> None:
        """Close the connection once the client has read the answer, also while it still sends.

        Closing a socket that has unread bytes resets the connection. The client may then lose
        an answer that it has not read yet.
        """
        if self.is_closing:
            return
        if self._reading is Reading.NOTHING:
            self._socket.close()
            return
        self._closing = True
        self._reading = Reading.DISCARDED
        self._since = self.loop.time()
        self.flow.resume_reading()
        self._socket.write_eof()

    @property
    def is_closing(self) -> bool:
        """Whether nothing more can be written."""
        return self._closing or self._socket.is_closing()

    def _note_waiting(self) -> None:
        if not self._unanswered and self._reading in {Reading.NOTHING, Reading.HEAD}:
            self.server_state.waiting[self] = None

    def _bound_head(self, size: int) -> None:
        if size > self._settings.head_bytes:
            self._refusal = self._too_large()
            raise ValueError  # stops the parser

    def _too_large(self) -> HTTPStatus:
        if len(self.url) > self._settings.head_bytes // 2:
            return HTTPStatus.REQUEST_URI_TOO_LONG
        return HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE

    def _check_body(self, now: float) -> None:
        cycle = self.cycle
        if self.flow.read_paused or cycle.response_started or cycle.waiting_for_100_continue:
            self._body_window.restart()  # the client waits for the server
        elif not self._body_window.moves(now, self._received):
            self._refuse(HTTPStatus.REQUEST_TIMEOUT)

    def _refuse(self, status: HTTPStatus) -> None:
        """Answer a request that cannot be served, and close the connection."""
        if self._reading is Reading.BODY and not self.cycle.response_started:
            self._give_up(self._unanswered.pop())
        if self._unanswered:
            # These answers come first. The connection closes after them.
            self._unanswered[-1].keep_alive = False
            self._reading = Reading.DISCARDED
            return
        if self._reading is not Reading.BODY or not self.cycle.response_complete:
            self._socket.write(_refusal(status))
        self.close_gently()

    def _give_up(self, cycle: RequestResponseCycle) -> None:
        if not cycle.response_complete:
            cycle.disconnected = True
        cycle.message_event.set()

    def _discard(self, count: int) -> None:
        self._discarded += count
        if self._discarded > self._settings.discard_bytes:
            self.abort()

    def _taken(self, unsent: int) -> int:
        """Return the bytes of answers that the client's machine has taken."""
        unread: int
        (unread,) = struct.unpack("i", fcntl.ioctl(self._descriptor, termios.TIOCOUTQ, bytes(4)))
        return self._writing.written - unsent - unread


class _GentleTransport(asyncio.Transport):
    """The transport of a connection as uvicorn uses it. Closing it does not lose the answer."""

    def __init__(self, transport: asyncio.Transport, connection: Connection) -> None:
        super().__init__()
        self._transport = transport
        self._connection = connection
        self.written = 0
        """Bytes written so far."""

    def get_extra_info(self, name: str, default: Any = None) -> Any:  # noqa: ANN401 - as asyncio
        return self._transport.get_extra_info(name, default)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if not self._connection.is_closing:
            self.written += len(data)
            self._transport.write(data)

    def pause_reading(self) -> None:
        self._transport.pause_reading()

    def resume_reading(self) -> None:
        self._transport.resume_reading()

    def is_closing(self) -> bool:
        return self._connection.is_closing

    def close(self) -> None:
        self._connection.close_gently()


def _refusal(status: HTTPStatus) -> bytes:
    body = f"{status.phrase}\n"
    return (
        f"HTTP/1.1 {status.value} {status.phrase}\r\ncontent-type: text/plain\r\n"
        f"content-length: {len(body)}\r\nconnection: close\r\n\r\n{body}"
    ).encode()
