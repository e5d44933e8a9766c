"""Cutting the bytes of an export file into its header and its records, and records into cells.

A record is never decoded and written again: its bytes stay as they are. Memory depends on the
longest record only.
"""

import gzip
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import BinaryIO, cast

_BLOCK = 128 << 10
_QUOTE = b'"'
_LINE_FEED = b"\n"
_GZIP = ".GZ"
_SEPARATORS = {"CSV": b",", "TSV": b"\t", "SSV": b" ;"}
"""The separator of each format. That of SSV is one of two, as the header shows."""


class CutError(ValueError):
    """The file is not of its format."""


def is_packed(file_format: str) -> bool:
    """Return whether files of a format are compressed."""
    return file_format.endswith(_GZIP)


def open_plain(path: Path, file_format: str) -> BinaryIO:
    """Open a file to read its bytes, unpacked if its format is a compressed one."""
    return cast("BinaryIO", gzip.open(path)) if is_packed(file_format) else path.open("rb")


def separators_of(file_format: str) -> bytes:
    """Return the bytes that can separate the cells of a format: none for JSON Lines.

    Raises `CutError` for a format that is not known.
    """
    plain = file_format.removesuffix(_GZIP)
    if plain == "JSONL":
        return b""
    if plain not in _SEPARATORS:
        raise CutError(f"files of the format {file_format} cannot be joined")
    return _SEPARATORS[plain]


class Records:
    """The records of a file, without the line feeds between them. `header` has its line feed.

    A quote opens a cell only where the cell begins, as in RFC 4180. `separators` are the bytes that
    separate cells; without any, each line is a record, and there is no header. Raises `CutError`.
    """

    def __init__(self, stream: BinaryIO, separators: bytes) -> None:
        self._stream = stream
        self._separators = separators
        self._rest = b""
        self._ended = False
        self.header = self._read_header() if separators else b""

    def blocks(self) -> Iterator[list[bytes]]:
        """Yield the records in order, some at a time."""
        while (whole := self._whole()) or self._more():
            if whole:
                yield whole

    def remaining(self) -> Iterator[bytes]:
        """Yield all bytes after the header, as they are."""
        if self._rest:
            yield self._rest
        while piece := self._stream.read(_BLOCK):
            yield piece

    def _more(self) -> bool:
        """Read on. Return whether there is anything that was not cut into records yet."""
        if self._ended:
            if self._rest:
                raise CutError("it ends within a quoted cell")
            return False
        # A record that is longer than a block is looked at a few times only.
        piece = self._stream.read(max(_BLOCK, len(self._rest)))
        self._rest += piece
        if not piece:
            self._ended = True
            if self._rest and not self._rest.endswith(_LINE_FEED):
                self._rest += _LINE_FEED
        return bool(self._rest)

    def _read_header(self) -> bytes:
        row = row_pattern(self._separators)
        while True:
            if found := row.match(self._rest):
                self._rest = self._rest[found.end() :]
                return found[0]
            if not self._more():
                return b""

    def _whole(self) -> list[bytes]:
        """Return the records that are there as a whole."""
        content, records, position = self._rest, list[bytes](), 0
        if not self._separators or _QUOTE not in content:
            lines, position = _lines(content, 0, len(content))
            self._rest = content[position:]
            return lines
        row = row_pattern(self._separators)
        while (quote := content.find(_QUOTE, position)) >= 0:
            lines, position = _lines(content, position, quote)
            records += lines
            found = row.match(content, position)
            if found is None:
                break
            records.append(found[0][:-1])
            position = found.end()
        else:
            lines, position = _lines(content, position, len(content))
            records += lines
        self._rest = content[position:]
        return records


def _lines(content: bytes, begin: int, end: int) -> tuple[list[bytes], int]:
    """Return the lines that end before `end`, and where the last of them ends."""
    last = content.rfind(_LINE_FEED, begin, end)
    return ([], begin) if last < 0 else (content[begin:last].split(_LINE_FEED), last + 1)


@cache
def cell_pattern(separators: bytes) -> bytes:
    """Return the source of a pattern for one cell, which may be empty."""
    other = b"[^" + re.escape(separators) + rb"\n]*+"
    quoted = rb'"[^"]*+(?:""[^"]*+)*+"' + other
    return b"(?:" + quoted + b"|(?!" + _QUOTE + b")" + other + b")"


@cache
def row_pattern(separators: bytes) -> re.Pattern[bytes]:
    """Return the pattern of one row with its line feed. It does not match a part of a row."""
    cell = cell_pattern(separators)
    between = b"[" + re.escape(separators) + b"]"
    return re.compile(cell + b"(?:" + between + cell + rb")*+\n")


def cells(row: bytes, separator: bytes) -> list[bytes]:
    """Return the cells of a row as they are written, with their quotes."""
    line = row.rstrip(b"\r\n") if row.endswith(_LINE_FEED) else row
    if _QUOTE not in line:
        return line.split(separator)
    found = re.finditer(
        b"(?:^|" + re.escape(separator) + b")(" + cell_pattern(separator) + b")", line
    )
    return [each[1] for each in found]


def unquoted(cell: bytes) -> bytes:
    """Return the text that a cell stands for."""
    if cell.startswith(_QUOTE) and cell.endswith(_QUOTE) and len(cell) > 1:
        return cell[1:-1].replace(b'""', _QUOTE)
    return cell
