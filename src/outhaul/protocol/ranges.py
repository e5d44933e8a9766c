"""The `Range` header of a file call (bulk-extract.md, RFC 9110 section 14)."""

import re
from typing import NamedTuple

_RANGE = re.compile(r"(\d+)\s*-\s*(\d*)|-\s*(\d+)", re.ASCII)
# Longer numbers are cut: no file is as large, and Python refuses integers of thousands of digits.
_DIGITS = 18


class ByteRange(NamedTuple):
    """Bytes `first` up to but not including `end` of a file."""

    first: int
    end: int

    @property
    def length(self) -> int:
        """Number of bytes."""
        return self.end - self.first

    def content_range(self, size: int) -> str:
        """Return the `Content-Range` of these bytes of a file of `size` bytes."""
        return f"bytes {self.first}-{self.end - 1}/{size}"


class UnsatisfiableRangeError(ValueError):
    """The range holds no byte of the file."""


def parse_range(header: str | None, size: int) -> ByteRange | None:
    """Return the bytes that a `Range` header requests from a file of `size` bytes.

    `None` means the whole file. It is returned without a header, and for headers that a server
    may ignore: a unit other than bytes, bad syntax, several ranges. Raises
    `UnsatisfiableRangeError` if the range begins at or after the end of the file.
    """
    if header is None:
        return None
    unit, _, ranges = header.partition("=")
    match = _RANGE.fullmatch(ranges.strip())
    if match is None or unit.strip().lower() != "bytes":
        return None
    first, last, suffix = match.groups()
    if suffix:
        return _suffix(_position(suffix), size)
    begin, end = _position(first), _position(last) + 1 if last else size
    if last and end <= begin:
        return None
    if begin >= size:
        raise UnsatisfiableRangeError(header)
    return ByteRange(begin, min(end, size))


def _position(digits: str) -> int:
    significant = digits.lstrip("0")
    return 10**_DIGITS if len(significant) > _DIGITS else int(significant or 0)


def _suffix(length: int, size: int) -> ByteRange:
    if length == 0 or size == 0:
        raise UnsatisfiableRangeError(f"the last {length} of {size} bytes")
    return ByteRange(max(0, size - length), size)
