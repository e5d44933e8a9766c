"""JSON Lines, an extension of the protocol: one JSON object in UTF-8 on a line for each record.

Numbers, booleans and null are those of JSON. Days and moments are texts, in the same form as in
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
    """JSON Lines. The column headers are the names in each object."""

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
