"""Which pieces of which parts make up a stretch of a file."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from outhaul.protocol.ranges import ByteRange


class Piece(NamedTuple):
    """`length` bytes of a part, from `first` on."""

    key: str
    first: int
    length: int


def pieces(parts: Sequence[tuple[str, int]], wanted: ByteRange, most: int) -> Iterator[Piece]:
    """Give the pieces that make up the bytes `wanted` of a file, each of `most` bytes at most.

    `parts` are key and size of each part of the file, in order.
    """
    begin = 0
    for key, size in parts:
        first = max(0, wanted.first - begin)
        end = min(size, wanted.end - begin)
        for place in range(first, end, most):
            yield Piece(key, place, min(most, end - place))
        begin += size
