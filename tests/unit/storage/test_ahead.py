"""Reading ahead of clients: the right bytes, and no more memory than permitted."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outhaul.protocol.ranges import ByteRange
from outhaul.storage.ahead import RANGE_BYTES, RANGES_AHEAD, ReadAhead
from outhaul.storage.pieces import Piece
from outhaul.storage.store import SENT_BYTES

SIZES = (3, 2 * RANGE_BYTES + 1, 0, SENT_BYTES, RANGE_BYTES)
PARTS = [(str(number), size) for number, size in enumerate(SIZES)]
CONTENTS = {key: bytes([65 + int(key)]) * size for key, size in PARTS}
WHOLE = b"".join(CONTENTS.values())
EVERYTHING = ByteRange(0, len(WHOLE))


class Source:
    """Reads pieces, and notes how many bytes were read."""

    def __init__(self) -> None:
        self.read = 0
        self.broken = False

    async def piece(self, piece: Piece) -> bytes:
        await asyncio.sleep(0)
        if self.broken:
            raise OSError("broken")
        self.read += piece.length
        return CONTENTS[piece.key][piece.first : piece.first + piece.length]


async def joined(stream: AsyncGenerator[bytes, None]) -> bytes:
    found = [each async for each in stream]
    assert all(len(each) <= SENT_BYTES for each in found)
    return b"".join(found)


@given(st.integers(0, len(WHOLE)), st.integers(0, len(WHOLE)), st.integers(0, 6))
def test_any_range_is_the_slice_of_the_whole(one: int, other: int, ranges: int) -> None:
    first, end = sorted((one, other))
    ahead = ReadAhead(Source().piece, ranges)
    assert asyncio.run(joined(ahead.stream(PARTS, ByteRange(first, end)))) == WHOLE[first:end]


@pytest.mark.parametrize("clients", [1, 3, 40])
def test_clients_that_do_not_read_hold_a_bounded_number_of_ranges(clients: int) -> None:
    ranges = 2 * RANGES_AHEAD
    source = Source()

    async def stall() -> None:
        ahead = ReadAhead(source.piece, ranges)
        stalled = [ahead.stream(PARTS, EVERYTHING) for _ in range(clients)]
        for each in stalled:
            await anext(each)
        await asyncio.sleep(0.01)
        assert source.read <= ranges * RANGE_BYTES + clients * SENT_BYTES
        async with aclosing(ahead.stream(PARTS, EVERYTHING)) as other:
            assert await joined(other) == WHOLE
        assert b"".join([WHOLE[:3], await joined(stalled[0])]) == WHOLE
        for each in stalled:
            await each.aclose()

    asyncio.run(stall())


def test_what_a_download_held_is_free_after_it() -> None:
    source = Source()

    async def run() -> None:
        ahead = ReadAhead(source.piece, RANGES_AHEAD)
        for _ in range(3):
            async with aclosing(ahead.stream(PARTS, EVERYTHING)) as left:
                await anext(left)
            assert await joined(ahead.stream(PARTS, EVERYTHING)) == WHOLE
            source.broken = True
            with pytest.raises(OSError, match="broken"):
                await joined(ahead.stream(PARTS, EVERYTHING))
            source.broken = False
        source.read = 0
        async with aclosing(ahead.stream(PARTS, EVERYTHING)) as last:
            await anext(last)
            await asyncio.sleep(0.01)
            assert source.read == sum(SIZES[:2])  # the first four pieces: all ranges are free
        assert len(asyncio.all_tasks()) == 1

    asyncio.run(run())
