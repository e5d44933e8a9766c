"""JSON Lines, an extension of ours: a JSON object for each record, in UTF-8, one a line.

Null is `null`; numbers and booleans are JSON's own; days and moments are the texts that they are in
CSV. `attributes` is a text that holds JSON, byte for byte as it was loaded.
"""

from collections.abc import Sequence
from typing import IO, cast

import polars as pl

from outhaul.errors import Error
from outhaul.export.formats.format import Format
from outhaul.lake.conversions import render
from outhaul.storage.store import Writable


class JsonLines(Format):
    """JSON Lines; the names in an object are the column headers."""

    name = "JSONL"
    media_type = "application/x-ndjson"
    extension = ".jsonl"

    def check_headers(self, headers: Sequence[str]) -> None:
        for n, header in enumerate(headers):
            if header in headers[:n]:
                raise Error.INVALID(
                    parameter="columnHeaderNames",
                    problem=f"two columns are named '{header}'; {self.name} cannot tell them apart",
                )

    def cell(self, value: pl.Expr, of: pl.DataType, *, digits: bool) -> pl.Expr:  # noqa: ARG002
        return render(value, of) if of.is_temporal() else value

    def header(self, headers: Sequence[str]) -> bytes:  # noqa: ARG002 - each record names its columns
        return b""

    def batch(self, records: pl.DataFrame, headers: Sequence[str], target: Writable) -> None:
        named = records.rename(dict(zip(records.columns, headers, strict=True)))
        named.write_ndjson(cast("IO[bytes]", target))


JSON_LINES = JsonLines()
