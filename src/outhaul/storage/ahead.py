"""Reading of a file in large ranges, some of them ahead of the client, within a bound."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from itertools import islice

from outhaul.protocol.ranges import ByteRange
from outhaul.storage.pieces import Piece, pieces
from outhaul.storage.store import SENT_BYTES

RANGE_BYTES = 4 * 2**20
"""Bytes that one request reads. Each request waits tens of milliseconds before its first byte."""

RANGES_AHEAD = 4
"""Ranges that are read for one download at a time."""

RANGES_IN_MEMORY = 64
"""Ranges that all downloads of a process hold at most: 256 MiB."""


class ReadAhead:
    """Streams files. `read` returns the bytes of a piece. Use it from one event loop only.

    Clients that do not read could otherwise fill the memory with what was read for them. Once all
    ranges are in use, a download reads small pieces, one at a time.
    """

    def __init__(
        self, read: Callable[[Piece], Awaitable[bytes]], ranges: int = RANGES_IN_MEMORY
    ) -> None:
        self._read = read
        self._free = ranges

    async def stream(
        self, parts: Sequence[tuple[str, int]], wanted: ByteRange
    ) -> AsyncGenerator[bytes, None]:
        """Yield the bytes `wanted` of a file. `parts` has the key and size of each part."""
        to_read = pieces(parts, wanted, RANGE_BYTES)
        ahead: deque[asyncio.Future[bytes]] = deque()

        def begin() -> None:
            count = min(RANGES_AHEAD - len(ahead), self._free)
            begun = [asyncio.ensure_future(self._read(each)) for each in islice(to_read, count)]
            ahead.extend(begun)
            self._free -= len(begun)

        try:
            while True:
                begin()
                if ahead:
                    content = await ahead[0]
                    for first in range(0, len(content), SENT_BYTES):
                        yield content[first : first + SENT_BYTES]
                    del content
                    ahead.popleft()
                    self._free += 1
                elif (piece := next(to_read, None)) is not None:
                    for first in range(0, piece.length, SENT_BYTES):
                        length = min(SENT_BYTES, piece.length - first)
                        yield await self._read(Piece(piece.key, piece.first + first, length))
                else:
                    return
        finally:
            self._free += len(ahead)
            for each in ahead:
                each.cancel()
            await asyncio.gather(*ahead, return_exceptions=True)
