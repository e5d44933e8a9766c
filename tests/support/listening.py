"""A listener in a thread of this process, and clients that speak to it by bare sockets."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import uvloop
from starlette.types import Message, Receive, Scope, Send
from tests.support.waiting import PATIENCE

from outhaul.server.listener import Listener, listen
from outhaul.settings import Settings

PIECE = bytes(2**18)


@dataclass
class Answering:
    """An application with a path for each way to answer, which notes what it did."""

    running: int = 0
    """Calls in progress."""
    gone: int = 0
    """Calls whose client was gone before the body was complete."""
    produced: int = 0
    """Bytes of endless answers."""
    released: asyncio.Event = field(default_factory=asyncio.Event)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.running += 1
        try:
            if scope["path"] == "/endless":
                await self._endless(receive, send)
            elif scope["path"] == "/read":
                await self._read(receive, send)
            elif scope["path"] == "/late":
                await self.released.wait()
                await _say(send, b"late")
            else:
                await _say(send, scope["path"].encode())
        finally:
            self.running -= 1

    async def _read(self, receive: Receive, send: Send) -> None:
        size = 0
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                self.gone += 1
                return
            size += len(message["body"])
            if not message["more_body"]:
                break
        await _say(send, str(size).encode())

    async def _endless(self, receive: Receive, send: Send) -> None:
        async def until_gone() -> None:
            while (await receive())["type"] != "http.disconnect":
                pass

        async def produce() -> None:
            while True:
                await send({"type": "http.response.body", "body": PIECE, "more_body": True})
                self.produced += len(PIECE)
                await asyncio.sleep(0)

        await send({"type": "http.response.start", "status": 200, "headers": []})
        tasks = [asyncio.create_task(until_gone()), asyncio.create_task(produce())]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def _say(send: Send, body: bytes) -> None:
    start: Message = {
        "type": "http.response.start",
        "status": 200,
        "headers": [(b"content-length", str(len(body)).encode())],
    }
    await send(start)
    await send({"type": "http.response.body", "body": body})


@dataclass
class Listening:
    """A listener that runs."""

    address: tuple[str, int]
    app: Answering
    listener: Listener
    loop: asyncio.AbstractEventLoop

    @property
    def open(self) -> int:
        """The number of open connections."""
        return self.listener.open_connections

    def connect(self, *sent: bytes, receive_buffer: int | None = None) -> socket.socket:
        """Return a new connection on which some bytes were sent."""
        client = socket.socket()
        client.settimeout(PATIENCE)
        if receive_buffer is not None:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        client.connect(self.address)
        for each in sent:
            client.sendall(each)
        return client

    def stop(self, seconds: float) -> None:
        asyncio.run_coroutine_threadsafe(self.listener.stop(seconds), self.loop).result(PATIENCE)


@contextmanager
def listening(**settings: Any) -> Iterator[Listening]:
    """Run a listener with some settings. Times are an hour unless they are given."""
    times = ("idle", "head", "body", "answer", "discard")
    given = {f"{name}_seconds": 3_600.0 for name in times} | settings
    started: list[Listening] = []
    ready, ended = threading.Event(), asyncio.Event()

    async def run() -> None:
        with listen("127.0.0.1", 0) as bound:
            app = Answering()
            listener = Listener(app, Settings(data=Path("unused"), **given))
            await listener.start(bound)
            loop = asyncio.get_running_loop()
            started.append(Listening(bound.getsockname(), app, listener, loop))
            ready.set()
            await ended.wait()
            app.released.set()
            await listener.stop(0.1)

    thread = threading.Thread(target=lambda: uvloop.run(run()))
    thread.start()
    try:
        assert ready.wait(PATIENCE)
        yield started[0]
    finally:
        if started:
            started[0].loop.call_soon_threadsafe(ended.set)
        thread.join(PATIENCE)
        assert not thread.is_alive()


def request(path: str, *headers: str, method: str = "GET", version: str = "1.1") -> bytes:
    """Return the head of a request."""
    lines = (f"{method} {path} HTTP/{version}", "Host: server", *headers)
    return "".join(f"{line}\r\n" for line in (*lines, "")).encode()


def answer(client: socket.socket) -> tuple[int, bytes]:
    """Read one answer that has a length; return its status and its body."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        byte = client.recv(1)
        assert byte, f"closed after {head!r}"
        head += byte
    line, *headers = head.lower().split(b"\r\n")
    lengths = [int(each.split(b":")[1]) for each in headers if each.startswith(b"content-length")]
    body = b""
    while len(body) < sum(lengths):
        body += client.recv(sum(lengths) - len(body))
    return int(line.split()[1]), body


def rest(client: socket.socket) -> bytes:
    """Read until the connection is closed; return what came."""
    found = b""
    try:
        while piece := client.recv(2**16):
            found += piece
    except ConnectionResetError:
        pass
    return found
