"""A network that fails at random: a proxy that breaks off, delays, cuts and alters answers.

What happens to a call depends on the seed and on the number of the call only.
"""

import asyncio
import queue
import random
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit

from tests.support.ports import HOST

_CHUNK = 1 << 16


class Harm(StrEnum):
    """What the network does to a call."""

    NONE = "none"
    LOSE = "lose"
    """The request does not arrive, and the connection is reset."""
    RESET = "reset"
    """The connection is reset somewhere in the answer."""
    END = "end"
    """The connection ends somewhere in the answer."""
    SHORTEN = "shorten"
    """The answer has fewer bytes, and says so."""
    DELAY = "delay"
    """The answer comes late, and stops for a while in the middle."""
    ALTER = "alter"
    """Some bytes of the body are others."""


CHANCES: Mapping[Harm, float] = {
    Harm.NONE: 70,
    Harm.LOSE: 4,
    Harm.RESET: 7,
    Harm.END: 5,
    Harm.SHORTEN: 3,
    Harm.DELAY: 4,
    Harm.ALTER: 7,
}


@dataclass
class BadNetwork:
    """A proxy in front of the server at `url`."""

    url: str
    seed: int = 0
    chances: Mapping[Harm, float] = field(default_factory=lambda: CHANCES)
    delay: float = 0.02
    """Seconds of a delay."""
    latency: float = 0.0
    """Seconds before each answer."""
    rate: float = 0.0
    """Bytes a second of each connection; 0 is no bound."""
    done: Counter[Harm] = field(default_factory=Counter)
    _calls: int = 0
    _tasks: set[asyncio.Task[Any] | None] = field(default_factory=set)

    @contextmanager
    def serving(self) -> Iterator[str]:
        """Serve on a free port until the context is left. Yield the address."""
        ports: queue.SimpleQueue[int] = queue.SimpleQueue()
        ends: list[Callable[[], object]] = []

        async def serve() -> None:
            ended = asyncio.Event()
            loop = asyncio.get_running_loop()
            ends.append(lambda: loop.call_soon_threadsafe(ended.set))
            server = await asyncio.start_server(self._connected, HOST, 0)
            ports.put(server.sockets[0].getsockname()[1])
            await ended.wait()
            server.close()
            for task in asyncio.all_tasks() - {asyncio.current_task()}:
                task.cancel()
            # What was cancelled closes its connections, and that takes a few turns of the loop.
            await asyncio.sleep(0.05)

        thread = threading.Thread(target=asyncio.run, args=(serve(),))
        thread.start()
        try:
            yield f"http://{HOST}:{ports.get()}"
        finally:
            ends[0]()
            thread.join()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # The loop itself refers to its tasks weakly.
        self._tasks.add(task := asyncio.current_task())
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
                await self._exchange(reader, writer)
        finally:
            self._tasks.discard(task)
            writer.close()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass on one call with its answer. The connection ends after it."""
        head = await reader.readuntil(b"\r\n\r\n")
        body = await reader.readexactly(_length(head))
        self._calls += 1
        chance = random.Random(f"{self.seed} {self._calls}")  # noqa: S311 - no secret
        harm = chance.choices(list(self.chances), list(self.chances.values()))[0]
        self.done[harm] += 1
        if harm is Harm.LOSE:
            writer.transport.abort()
            return
        where = urlsplit(self.url)
        answers, requests = await asyncio.open_connection(where.hostname, where.port)
        try:
            requests.write(_closing(head) + body)
            answer = await answers.readuntil(b"\r\n\r\n")
            size = _length(answer)
            await asyncio.sleep(self.latency + (self.delay if harm is Harm.DELAY else 0))
            cut = chance.randrange(size) if size else 0
            if harm is Harm.SHORTEN:
                answer = answer.replace(b"%d\r\n" % size, b"%d\r\n" % cut, 1)
            writer.write(_closing(answer))
            await self._pass_on(answers, writer, harm, cut, chance)
        finally:
            requests.close()

    async def _pass_on(
        self,
        answers: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        harm: Harm,
        cut: int,
        chance: random.Random,
    ) -> None:
        """Pass on the body of an answer, with the harm at the byte `cut`."""
        at = 0
        while chunk := await answers.read(_CHUNK):
            here = cut - at
            if harm is not Harm.NONE and 0 <= here < len(chunk):
                if harm is Harm.ALTER:
                    other = chance.choice(b'0123456789abcdefghijklmnopqrstuvwxyz",:{} ')
                    chunk = chunk[:here] + bytes([other]) + chunk[here + 1 :]
                elif harm is Harm.DELAY:
                    await asyncio.sleep(self.delay)
                else:
                    writer.write(chunk[:here])
                    await writer.drain()
                    if harm is Harm.RESET:
                        writer.transport.abort()
                    return
            writer.write(chunk)
            await writer.drain()
            if self.rate:
                await asyncio.sleep(len(chunk) / self.rate)
            at += len(chunk)


def _length(head: bytes) -> int:
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-length":
            return int(value)
    return 0


def _closing(head: bytes) -> bytes:
    """Return the head of a message after which the connection ends."""
    lines = head.removesuffix(b"\r\n\r\n").split(b"\r\n")
    others = [line for line in lines if not line.lower().startswith(b"connection:")]
    return b"\r\n".join([*others, b"Connection: close", b"", b""])
