"""Delimited text: how a row of cells becomes a line.

Null is the bare word `null`. A cell is quoted if it holds the delimiter, a quote or a line break.
It is also quoted if it is the text "null" or empty, so that a reader can tell these from null.
"""

from collections.abc import Iterable

NULL = "null"
DATE_FORMAT = "%Y-%m-%d"
DATETIME_FORMAT = "%Y-%m-%dT%H:%M:%SZ"

MEDIA_TYPE = "text/csv;charset=UTF-8"


def cell(value: str | None, separator: str) -> str:
    """Return the text of one value in a file."""
    if value is None:
        return NULL
    if value in ("", NULL) or any(mark in value for mark in (separator, '"', "\n", "\r")):
        return '"' + value.replace('"', '""') + '"'
    return value


def line(values: Iterable[str | None], separator: str) -> str:
    """Return the text of a row in a file, with its line feed."""
    return separator.join(cell(value, separator) for value in values) + "\n"
