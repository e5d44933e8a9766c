"""The quotes of delimited text, read strictly (RFC 4180, section 2).

A cell is either in quotes, in which a quote is doubled, or has no quotes. After a cell comes the
delimiter or the end of the line. Other readers guess what anything else means, and then a value is
changed without a word. Here it is a problem.
"""

import re
import struct
from dataclasses import dataclass
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

UNCLOSED = "a quote that is never closed"

_QUOTED = re.compile(rb'"[^"]*+(?:""[^"]*+)*+"')
_LINES_TRIED = 1_000
_BARE = r'[^"{mark}\r\n]*+'


class Flaw(NamedTuple):
    """What is wrong with the quotes of a record."""

    start: int
    """The position at which the record begins."""
    reason: str


@dataclass(frozen=True)
class Row:
    """The first row of a text."""

    end: int
    """The position after its end of line."""
    cells: list[bytes]
    line_end: bytes
    """LF, CR and LF, or CR; nothing at the end of the text."""


class Quoting:
    """The rules for the texts of one file.

    Lines end in LF, with or without CR. If `returns`, they end in CR only, as old files have it.
    The other character can then be in quotes only.
    """

    def __init__(self, delimiter: str, *, returns: bool = False) -> None:
        mark = re.escape(delimiter)
        line_end = r"\r" if returns else r"\r?\n"
        self.last = b"\r" if returns else b"\n"
        """The last byte of a line."""
        self._stray = (
            "a line feed outside quotes" if returns else "a carriage return outside quotes"
        )
        # This one is for another engine (RE2), which reads each byte once, without going back.
        self._strict = rf'\A(?:(?:"(?:[^"]|"")*"|[^"{mark}\r\n]*)(?:{mark}|{line_end}))*\z'
        bare = _BARE.format(mark=mark)
        cell = f"(?:{_QUOTED.pattern.decode()}|{bare})"
        self._records = re.compile(f"(?:(?:{cell}{mark})*+{cell}{line_end})*+".encode())
        self._cells = re.compile(f"(?:{cell}{mark})*+".encode())
        self._delimited = re.compile(f"{cell}{mark}".encode())
        self._bare = re.compile(bare.encode())

    def cut(self, content: bytes | bytearray) -> int:
        """Return the position after the last complete record, which is 0 if there is none.

        `content` begins with a record. Its quotes are taken as correct.
        """
        # Most often, one of the last lines ends a record.
        end = len(content)
        in_quotes = content.count(b'"') % 2 == 1
        for _ in range(_LINES_TRIED):
            found = content.rfind(self.last, 0, end)
            if found < 0:
                return 0
            if content.count(b'"', found, end) % 2 == 1:
                in_quotes = not in_quotes
            if not in_quotes:
                return found + 1
            end = found
        return _end(self._records, content, 0)

    def is_strict(self, records: bytes) -> bool:
        """Return whether these are complete records, with correct quotes. This is fast."""
        offsets = pa.py_buffer(struct.pack("qq", 0, len(records)))
        text = pa.Array.from_buffers(pa.large_binary(), 1, [None, offsets, pa.py_buffer(records)])
        return bool(pc.match_substring_regex(text, self._strict)[0].as_py())

    def flaw(self, content: bytes | bytearray, *, is_end: bool) -> Flaw | None:
        """Return the first flaw of a text that begins with a record. This is slow.

        The last record may be incomplete, unless `is_end` says that the file ends here.
        """
        start = _end(self._records, content, 0)
        reached = _end(self._cells, content, start)
        number = 1 + sum(1 for _ in self._delimited.finditer(content, start, reached))
        is_quoted = content[reached : reached + 1] == b'"'
        cell = (_QUOTED if is_quoted else self._bare).match(content, reached)
        if cell is None:
            return Flaw(start, f"{UNCLOSED}, in cell {number}") if is_end else None
        rest = bytes(content[cell.end() : cell.end() + 2])
        if not rest or (rest == b"\r" and not is_end):
            return None
        if is_quoted:
            return Flaw(start, f"text after a closing quote, in cell {number}")
        if rest[:1] == b'"':
            return Flaw(start, f"a quote in cell {number}, which does not begin with a quote")
        return Flaw(start, f"{self._stray} in cell {number}")


def read_row(content: bytes, delimiter: str, *, is_end: bool) -> Row | Flaw | None:
    """Return the first row of a text, which says how lines end, or its flaw.

    Return `None` if the row does not end in this text, and the file has more.
    """
    bare = re.compile(_BARE.format(mark=re.escape(delimiter)).encode())
    mark = delimiter.encode()
    cells: list[bytes] = []
    position = 0
    while True:
        is_quoted = content[position : position + 1] == b'"'
        cell = (_QUOTED if is_quoted else bare).match(content, position)
        if cell is None:
            return Flaw(0, UNCLOSED) if is_end else None
        position = cell.end()
        rest = content[position : position + 2]
        if not is_end and rest in (b"", b"\r"):
            return None
        text = cell.group()
        cells.append(text[1:-1].replace(b'""', b'"') if is_quoted else text)
        if rest[:1] == mark:
            position += 1
        elif rest in (b"", b"\r\n"):
            return Row(position + len(rest), cells, rest)
        elif rest[:1] in (b"\n", b"\r"):
            return Row(position + 1, cells, rest[:1])
        elif is_quoted:
            return Flaw(0, f"text after a closing quote, in cell {len(cells)}")
        else:
            return Flaw(0, f"a quote in cell {len(cells)}, which does not begin with a quote")


def _end(pattern: re.Pattern[bytes], content: bytes | bytearray, start: int) -> int:
    found = pattern.match(content, start)
    assert found is not None  # noqa: S101 - these patterns match nothing too
    return found.end()
