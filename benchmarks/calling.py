"""A client that costs little, so that a load is the server's: HTTP/1.1 over one connection."""

import asyncio
import hashlib
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

CONNECT_SECONDS = 30


@dataclass(frozen=True)
class Answered:
    """An answer that has been read to its end."""

    status: int
    body: bytes
    size: int
    """Bytes of the body, which a download does not retain."""
    sha256: str

    def json(self) -> dict[str, Any]:
        """Return the body, a JSON object."""
        found = json.loads(self.body)
        assert isinstance(found, dict)
        return found


class Connection:
    """One connection, opened again when the server has closed it."""

    def __init__(self, host: str, port: int) -> None:
        self._host = host
        self._port = port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def call(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes = b""
    ) -> tuple[Answered, float]:
        """Make a call; return its answer, and the seconds to its end. Raises `OSError`."""
        lines = [f"{method} {path} HTTP/1.1", f"Host: {self._host}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        if method == "POST":
            lines.append(f"Content-Length: {len(body)}")
        head = "\r\n".join([*lines, "", ""]).encode()
        began = time.perf_counter()
        try:
            reader, writer = await self._open()
            writer.write(head + body)
            answered = await _read(reader, retained=not path.endswith("/file.json"))
        except (OSError, EOFError, ValueError) as error:
            self.close()
            raise OSError(f"{type(error).__name__}: {error}") from error
        return answered, time.perf_counter() - began

    def close(self) -> None:
        """Close the connection."""
        if self._streams is not None:
            self._streams[1].transport.abort()
            self._streams = None

    async def _open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._streams is None or self._streams[0].at_eof():
            opening = asyncio.open_connection(self._host, self._port)
            self._streams = await asyncio.wait_for(opening, CONNECT_SECONDS)
        return self._streams


async def _read(reader: asyncio.StreamReader, *, retained: bool) -> Answered:
    line, *headers = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    fields = dict(each.lower().split(": ", 1) for each in headers if each)
    left = size = int(fields["content-length"])
    body, digest = bytearray(), hashlib.sha256()
    while left:
        piece = await reader.read(min(left, 2**18))
        if not piece:
            raise EOFError(f"{left} of {size} bytes are missing")
        left -= len(piece)
        digest.update(piece)
        if retained:
            body += piece
    return Answered(int(line.split()[1]), bytes(body), size, digest.hexdigest())
