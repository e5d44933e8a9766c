"""An output: the fields, the headers and the format of an export file."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import polars as pl

from outhaul.export.formats import FORMATS, Format


@dataclass(frozen=True, kw_only=True)
class Output:
    """How records are written to an export file."""

    fields: Sequence[str]
    """The fields to write, in order. A field that is a column of no table is null."""
    headers: Sequence[str]
    """The names of the columns in the file, one for each field."""
    format: Format
    stand_ins: Mapping[str, str]
    """Texts to write instead of null, by field."""
    digits: Sequence[str] = ()
    """The boolean fields to write as 0 and 1, in formats that have no booleans."""

    def cells(self, columns: Mapping[str, pl.DataType]) -> list[pl.Expr]:
        """Return the expressions of the cells of a record, given its columns with their types."""
        return [self._cell(name, columns.get(name)) for name in self.fields]

    def _cell(self, name: str, of: pl.DataType | None) -> pl.Expr:
        if of is None:
            value = pl.lit(None, dtype=pl.String)
        else:
            value = self.format.cell(pl.col(name), of, digits=name in self.digits)
        if name in self.stand_ins:
            value = value.fill_null(self.stand_ins[name])
        return value.alias(name)

    def to_json(self) -> dict[str, Any]:
        """Return the output as plain data."""
        return {
            "fields": list(self.fields),
            "headers": list(self.headers),
            "format": self.format.name,
            "options": dict(self.format.options()),
            "standIns": dict(self.stand_ins),
            "digits": list(self.digits),
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        """Return the output that `to_json` gave."""
        return cls(
            fields=content["fields"],
            headers=content["headers"],
            format=FORMATS[content["format"]].with_options(content["options"]),
            stand_ins=content["standIns"],
            digits=content["digits"],
        )
