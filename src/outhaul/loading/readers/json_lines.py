"""JSON Lines files: one JSON object on a line for each record."""

import re
from collections.abc import Iterator
from pathlib import Path

import msgspec
import polars as pl

from outhaul.lake.numbers import number_text
from outhaul.loading.readers.reader import BATCH_RECORDS, UNDECODED, FileError, Problem, Report

_NUMBER_STARTS = b"-0123456789"

# Half of a surrogate pair, which JSON can contain and UTF-8 cannot.
_HALF_PAIR = re.compile(
    rb"\\u[dD][89abAB]..(?!\\u[dD][c-fC-F])|(?<!\\u[dD][89abAB]..)\\u[dD][c-fC-F]", re.DOTALL
)


class JsonLinesReader:
    """Reads a file of JSON objects, one a line. A column that a line does not have is null."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._decoder = msgspec.json.Decoder(dict[str, msgspec.Raw])
        self._text = msgspec.json.Decoder(str)
        self._lines: list[tuple[int, int]] = []

    def batches(self, report: Report) -> Iterator[pl.DataFrame]:
        """Yield the records in order. All values are texts; objects and arrays are not parsed.

        Raises `FileError` for lines that are not JSON objects.
        """
        size = self.path.stat().st_size
        self._lines = []
        records: list[dict[str, str | None]] = []
        first = 0
        with self.path.open("rb") as source:
            for line, content in enumerate(source, 1):
                if content.isspace():
                    continue
                if not self._lines or self._lines[-1][1] + first + len(records) != line:
                    self._lines.append((first + len(records), line - first - len(records)))
                records.append(self._record(content, line))
                if len(records) >= BATCH_RECORDS:
                    report(source.tell() / size)
                    yield _text_frame(records)
                    first += len(records)
                    records = []
        if records:
            report(1.0)
            yield _text_frame(records)

    def line_of(self, record: int) -> int:
        """Return the line of a record that `batches` has returned."""
        shift = max((entry for entry in self._lines if entry[0] <= record), default=(0, 1))[1]
        return record + shift

    def _record(self, content: bytes, line: int) -> dict[str, str | None]:
        try:
            return {
                name: self._value(bytes(raw)) for name, raw in self._decoder.decode(content).items()
            }
        except UnicodeDecodeError as error:
            raise FileError(self.path, [Problem(line, UNDECODED)]) from error
        except RecursionError as error:
            raise FileError(self.path, [Problem(line, "nested too deeply")]) from error
        except msgspec.DecodeError as error:
            reason = f"not a JSON object: {error}"
            if _HALF_PAIR.search(content):
                reason = "a text holds half a surrogate pair"
            raise FileError(self.path, [Problem(line, reason)]) from error

    def _value(self, raw: bytes) -> str | None:
        if raw == b"null":
            return None
        if raw[:1] == b'"':
            return self._text.decode(raw)
        return number_text(raw.decode()) if raw[:1] in _NUMBER_STARTS else raw.decode()


def _text_frame(records: list[dict[str, str | None]]) -> pl.DataFrame:
    names = dict.fromkeys(name for record in records for name in record)
    if not names:
        return pl.DataFrame(height=len(records))
    return pl.DataFrame(
        {name: [record.get(name) for record in records] for name in names},
        schema=dict.fromkeys(names, pl.String),
    )
