"""Division of a range of a file into pieces of its parts."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from outhaul.protocol.ranges import ByteRange


class Piece(NamedTuple):
    """`length` bytes of a part, from `first` on."""

    key: str
    first: int
    length: int


def pieces(parts: Sequence[tuple[str, int]], wanted: ByteRange, most: int) -> Iterator[Piece]:
    """Yield the pieces that make up the bytes `wanted` of a file, each of `most` bytes at most.

    `parts` has the key and the size of each part of the file, in order.
    """
    begin = 0
    for key, size in parts:
        first = max(0, wanted.first - begin)
        end = min(size, wanted.end - begin)
        for position in range(first, end, most):
            yield Piece(key, position, min(most, end - position))
        begin += size
