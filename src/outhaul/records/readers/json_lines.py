"""JSON Lines files: one JSON object on a line for each record."""

import io
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import polars as pl

from outhaul.records.json_objects import may_repeat, names_of, text_of
from outhaul.records.readers.names import problem_of_names
from outhaul.records.readers.reader import (
    BATCH_BYTES,
    BATCH_RECORDS,
    UNDECODED,
    FileError,
    Problem,
    Report,
)
from outhaul.records.readers.sources import BOM, RECORD_BYTES, TOO_LONG, check_text, opened

_PEEKED = 8
_ONE_A_LINE = "one object on each line is expected"

# Half of a surrogate pair, which JSON can contain and UTF-8 cannot.
_HALF_PAIR = re.compile(
    rb"\\u[dD][89abAB]..(?!\\u[dD][c-fC-F])|(?<!\\u[dD][89abAB]..)\\u[dD][c-fC-F]", re.DOTALL
)


class JsonLinesReader:
    """Reads a file of JSON objects, one a line. A column that a line does not have is null."""

    def __init__(self, path: Path, batch_bytes: int | None = None) -> None:
        self.path = path
        self._batch_bytes = batch_bytes or BATCH_BYTES
        self._decoder = msgspec.json.Decoder(dict[str, msgspec.Raw])
        self._names: dict[str, None] = {}
        self._first = 0
        self._lines: list[int] = []

    @property
    def names(self) -> list[str]:
        return list(self._names)

    def batches(self, report: Report) -> Iterator[pl.DataFrame]:
        """Yield the records in order. All values are texts; objects and arrays are not parsed.

        Raises `FileError` for lines that are not JSON objects.
        """
        records: list[dict[str, str | None]] = []
        size = 0
        with opened(self.path) as source:
            check_text(self.path, source.content.peek(_PEEKED))
            for line, content in self._read(source.content):
                records.append(self._record(content, line))
                self._lines.append(line)
                size += len(content)
                if len(records) >= BATCH_RECORDS or size >= self._batch_bytes:
                    report(source.share())
                    yield _text_frame(records)
                    self._first += len(records)
                    self._lines, records, size = [], [], 0
        if records:
            report(1.0)
            yield _text_frame(records)

    def line_of(self, record: int) -> int:
        return self._lines[record - self._first]

    def _read(self, source: io.BufferedReader) -> Iterator[tuple[int, bytes]]:
        """Yield the lines that are not blank, with their numbers."""
        line = 0
        while content := source.readline(RECORD_BYTES + 1):
            line += 1
            if len(content) > RECORD_BYTES:
                raise FileError(self.path, [Problem(line, TOO_LONG)])
            if line == 1:
                content = content.removeprefix(BOM)
            if content and not content.isspace():
                yield line, content

    def _record(self, content: bytes, line: int) -> dict[str, str | None]:
        try:
            members = self._decoder.decode(content)
            values = [bytes(raw) for raw in members.values()]
            problem = self._problem(content, members, values)
            if problem is not None:
                raise FileError(self.path, [Problem(line, problem)])
            return dict(zip(members, map(text_of, values), strict=True))
        except UnicodeDecodeError as error:
            raise FileError(self.path, [Problem(line, UNDECODED)]) from error
        except RecursionError as error:
            raise FileError(self.path, [Problem(line, "nested too deeply")]) from error
        except msgspec.DecodeError as error:
            reason = f"not a JSON object: {error}"
            if _HALF_PAIR.search(content):
                reason = "a text holds half a surrogate pair"
            elif content.lstrip().startswith(b"["):
                reason += f"; is it a JSON array? {_ONE_A_LINE.capitalize()}"
            elif content.lstrip().startswith(b"{"):
                reason += f"; {_ONE_A_LINE}"
            raise FileError(self.path, [Problem(line, reason)]) from error

    def _problem(
        self, content: bytes, members: Mapping[str, Any], values: Sequence[bytes]
    ) -> str | None:
        """Return the problem with the names of an object, or `None`."""
        if may_repeat(content, members, values):
            return problem_of_names(names_of(content))
        if not members.keys() <= self._names.keys():
            problem = problem_of_names(list(members))
            if problem is not None:
                return problem
            self._names |= dict.fromkeys(members)
        return None


def _text_frame(records: list[dict[str, str | None]]) -> pl.DataFrame:
    names = dict.fromkeys(name for record in records for name in record)
    if not names:
        return pl.DataFrame(height=len(records))
    return pl.DataFrame(
        {name: [record.get(name) for record in records] for name in names},
        schema=dict.fromkeys(names, pl.String),
    )
