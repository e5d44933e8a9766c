"""Counting the records of an export file while its bytes arrive.

A file that is announced without a checksum can only be held against its size and its number of
records. The counters need no more than some memory for each piece, and pieces may end anywhere.
"""

import re
import zlib
from typing import Protocol

_QUOTE = b'"'
_LINE_FEED = b"\n"
_SEPARATORS = {"CSV": b",", "TSV": b"\t"}
_SEMICOLON = b";"
_SPACE = b" "
_GZIP = ".GZ"
_GZIP_WINDOW = 31
_MOST_UNPACKED = 1 << 20

_MARK = b"\x01"
"""Stands for a quote where a cell begins."""
_PAIR = _MARK + _QUOTE
_OTHERS = bytes(byte for byte in range(256) if bytes([byte]) not in {_MARK, _QUOTE, _LINE_FEED})
_QUOTED_CELL = re.compile(rb'\x01\n*[\x01"]')


class RecordCounter(Protocol):
    """Counts the records of a file of one format."""

    def update(self, piece: bytes) -> None:
        """Count the records in the next bytes. Raises `ValueError` if they are not gzip."""

    def records(self) -> int:
        """Return the number of records. Raises `ValueError` if the file ends too soon."""


def counter_of(file_format: str) -> RecordCounter | None:
    """Return a new counter for a format as in requests. `None`: records cannot be counted."""
    plain = file_format.removesuffix(_GZIP)
    counter: RecordCounter
    if plain == "JSONL":
        counter = LineCounter()
    elif plain in _SEPARATORS:
        counter = RowCounter(_SEPARATORS[plain])
    elif plain == "SSV":
        counter = SpacedRowCounter()
    else:
        return None
    return counter if plain == file_format else GzipCounter(counter)


class LineCounter:
    """Counts lines: JSON Lines. The last line may have no line feed."""

    def __init__(self) -> None:
        self._lines = 0
        self._ended = True

    def update(self, piece: bytes) -> None:
        if piece:
            self._lines += piece.count(_LINE_FEED)
            self._ended = piece.endswith(_LINE_FEED)

    def records(self) -> int:
        return self._lines + (not self._ended)


class RowCounter:
    """Counts the rows of delimited text after its header: line feeds outside quotes.

    A quote opens a cell only at the beginning of the cell, as in RFC 4180; other quotes outside a
    quoted cell are text. The last row may have no line feed.
    """

    def __init__(self, separator: bytes) -> None:
        self._separator = separator
        self._rows = 0
        self._ended = True
        self._quoted = False
        """Whether the bytes so far end within a quoted cell."""
        self._at_cell = True
        """Whether the bytes so far end where a cell begins. Only of interest outside quotes."""
        self._held = b""
        """The quotes at the end of the bytes so far: the next byte decides what they mean."""

    def update(self, piece: bytes) -> None:
        data = self._held + piece
        content = data.rstrip(_QUOTE)
        quotes = len(data) - len(content)
        # Two quotes in a row change nothing, so that one or two stand for all.
        self._held = _QUOTE * (2 - quotes % 2) if quotes else b""
        if _QUOTE in content:
            self._rows += self._with_quotes(content)
        elif not self._quoted:
            self._rows += content.count(_LINE_FEED)
        if content and not self._quoted:
            self._at_cell = content.endswith((self._separator, _LINE_FEED))
        if piece:
            self._ended = piece.endswith(_LINE_FEED)

    def records(self) -> int:
        # A line feed within quotes ends no row: such a file ends within one.
        rows = self._rows + (self._quoted or not self._ended)
        return max(0, rows - 1)

    def _with_quotes(self, content: bytes) -> int:
        """Return the number of rows that end in bytes with quotes, the last of which is none.

        The bytes are reduced to what matters: line feeds, quotes where a cell begins, and other
        quotes. A loop over all quotes would take several times as long.
        """
        text = content.replace(_QUOTE + _QUOTE, b"").replace(_MARK, b"x")
        if self._quoted:
            text = self._separator + _QUOTE + text
        elif self._at_cell:
            text = self._separator + text
        for before in (self._separator, _LINE_FEED):
            text = text.replace(before + _QUOTE, before + _MARK)
        text = text.translate(None, _OTHERS)
        quotes = text.translate(None, _LINE_FEED)
        pairs = len(quotes) // 2
        if quotes == _PAIR * pairs + _MARK * (len(quotes) % 2):
            # Every quoted cell ends before the next begins. Most of them have no line feed.
            text = text.replace(_PAIR, b"")
        outside = _QUOTED_CELL.sub(b"", text)
        before, opening, _ = outside.partition(_MARK)
        self._quoted = bool(opening)
        return before.count(_LINE_FEED)


class SpacedRowCounter:
    """Counts the rows of SSV, whose separator is a semicolon or a space, as its header shows."""

    def __init__(self) -> None:
        self._header = b""
        self._counter: RowCounter | None = None

    def update(self, piece: bytes) -> None:
        if self._counter is None:
            self._header += piece
            if _LINE_FEED not in piece:
                return
            piece = self._header
            header, _, _ = piece.partition(_LINE_FEED)
            self._counter = RowCounter(_SEMICOLON if _SEMICOLON in header else _SPACE)
        self._counter.update(piece)

    def records(self) -> int:
        return 0 if self._counter is None else self._counter.records()


class GzipCounter:
    """Counts the records in gzip members, of which a file may have several."""

    def __init__(self, counter: RecordCounter) -> None:
        self._counter = counter
        self._member = zlib.decompressobj(_GZIP_WINDOW)
        self._is_begun = False

    def update(self, piece: bytes) -> None:
        while piece:
            if self._member.eof:
                self._member = zlib.decompressobj(_GZIP_WINDOW)
            self._is_begun = True
            try:
                # Bounded, because a small piece may unpack to a thousand times its size.
                self._counter.update(self._member.decompress(piece, _MOST_UNPACKED))
            except zlib.error as error:
                raise ValueError(f"it is not gzip: {error}") from None
            piece = self._member.unconsumed_tail or self._member.unused_data

    def records(self) -> int:
        if self._is_begun and not self._member.eof:
            raise ValueError("its gzip data end too soon")
        return self._counter.records()
