"""The formats of export files, and the table that names all of them."""

from collections.abc import Mapping

from outhaul.errors import Error
from outhaul.export.formats.delimited import CSV, SSV, TSV
from outhaul.export.formats.format import Format
from outhaul.export.formats.gzipped import Gzipped
from outhaul.export.formats.json_lines import JSON_LINES
from outhaul.protocol.body import read_text

_PLAIN = (CSV, TSV, SSV, JSON_LINES)

FORMATS: Mapping[str, Format] = {
    each.name: each for each in (*_PLAIN, *(Gzipped(inner) for inner in _PLAIN))
}
"""All formats by their name in requests. CSV, TSV and SSV belong to the protocol."""


def read_format(value: object) -> Format:
    """Return the format that a request names, or CSV if it names none. Raises `ApiError`."""
    if value is None or (isinstance(value, str) and not value.strip()):
        return CSV
    text = read_text(value, "format")
    found = FORMATS.get(text.strip().upper())
    if found is None:
        raise Error.INVALID(parameter="format", problem=f"'{text}' is none of {', '.join(FORMATS)}")
    return found


__all__ = ["CSV", "FORMATS", "JSON_LINES", "SSV", "TSV", "Format", "Gzipped", "read_format"]
