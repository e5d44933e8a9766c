"""The formats of an export file: how a row of cells becomes a line of text.

Null is the bare word `null`; a cell is quoted where it holds the delimiter, a quote or a line
break, where it is the text "null", and where it is empty, so that nothing is lost.
"""

from collections.abc import Iterable
from enum import StrEnum

NULL = "null"
DATE_FORMAT = "%Y-%m-%d"
DATETIME_FORMAT = "%Y-%m-%dT%H:%M:%SZ"


class Format(StrEnum):
    """The formats that a job may ask for (bulk lead extract, options)."""

    CSV = "CSV"
    TSV = "TSV"
    SSV = "SSV"


def delimiter(file_format: Format, ssv: str = "space") -> str:
    """Return what separates the cells of a file; `ssv` is a subscription's choice for SSV."""
    match file_format:
        case Format.CSV:
            return ","
        case Format.TSV:
            return "\t"
        case Format.SSV:
            return " " if ssv == "space" else ";"


def cell(value: str | None, separator: str) -> str:
    """Return one value as it stands in a file."""
    if value is None:
        return NULL
    if value in ("", NULL) or any(mark in value for mark in (separator, '"', "\n", "\r")):
        return '"' + value.replace('"', '""') + '"'
    return value


def line(values: Iterable[str | None], separator: str) -> str:
    """Return a row as it stands in a file, with its line feed."""
    return separator.join(cell(value, separator) for value in values) + "\n"
