"""Which pieces of which parts make up a stretch of a file."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from outhaul.files.store import READ_BYTES
from outhaul.protocol.ranges import ByteRange


class Piece(NamedTuple):
    """`length` bytes of a part, from `first` on."""

    key: str
    first: int
    length: int


def pieces(parts: Sequence[tuple[str, int]], wanted: ByteRange) -> Iterator[Piece]:
    """Give the pieces that make up the bytes `wanted` of a file, each of 1 MiB at most.

    `parts` are key and size of each part of the file, in order.
    """
    begin = 0
    for key, size in parts:
        first = max(0, wanted.first - begin)
        end = min(size, wanted.end - begin)
        for place in range(first, end, READ_BYTES):
            yield Piece(key, place, min(READ_BYTES, end - place))
        begin += size
