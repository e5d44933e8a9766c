"""Where the records of a kind have the key that orders them, and what is asked for to have it.

The records of one job are in the order of the protocol: leads by id, members by program and lead,
custom objects by marketoGUID. The windows of a longer extract are merged by the same key. If the
request does not name the key among its fields, it is asked for as well, and cut out again.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from outhaul.client.cutting import CutError, cell_pattern, cells, separators_of, unquoted

Key = tuple[int | bytes, ...]
Line = bytes
"""A record without its line feed."""

_PROGRAM = "programId"
_ADDED = "outhaulKey"
_TEXT_KEYS = frozenset({"marketoGUID"})
_JSON_TEXT = rb'"(?:[^"\\]|\\.)*+"'


def key_fields(kind_path: str, filters: Mapping[str, Any]) -> Sequence[str]:
    """Return the fields that order the records of a kind, or none if windows are its order.

    The windows of activities follow each other as the activities do, by their date.
    """
    kind = kind_path.strip("/")
    if kind == "leads":
        return ["id"]
    if kind == "program/members":
        return [*_first(kind_path, filters), "leadId"]
    if kind.startswith("customobjects/"):
        return ["marketoGUID"]
    return []


@dataclass(frozen=True, kw_only=True)
class Layout:
    """The columns of the files of a request, and which of them are its key."""

    request: Mapping[str, Any]
    """What is asked for: with the key, and without a window."""
    file_format: str
    columns: Sequence[str]
    """The fields in the order of the files; none if there is no key."""
    keys: Sequence[int]
    """The columns of the key."""
    added: int | None
    """The column that was not wished for, and is cut out again."""

    @classmethod
    def of(cls, kind_path: str, request: Mapping[str, Any]) -> "Layout":
        """Return the layout of a request's files."""
        file_format = str(request.get("format") or "CSV").upper()
        filters = request.get("filter") or {}
        fields = [str(name) for name in request.get("fields") or ()]
        wanted = key_fields(kind_path, filters)
        if not wanted or not fields:
            return cls(request=request, file_format=file_format, columns=(), keys=(), added=None)
        first = _first(kind_path, filters)
        known = {name.casefold() for name in (*first, *fields)}
        added = [name for name in wanted if name.casefold() not in known]
        request = {**request, "fields": [*added, *fields]}
        if added:
            headers = request.get("columnHeaderNames") or {}
            request["columnHeaderNames"] = {**headers, added[0]: _free(headers.values(), fields)}
        rest = [name for name in fields if name.casefold() not in map(str.casefold, first)]
        columns = [*first, *added, *rest]
        places = [name.casefold() for name in columns]
        return cls(
            request=request,
            file_format=file_format,
            columns=columns,
            keys=[places.index(name.casefold()) for name in wanted],
            added=len(first) if added else None,
        )

    def separator(self, header: bytes) -> bytes:
        """Return the separator of a file with this header; JSON Lines have none.

        Raises `CutError` if the columns are not those that were asked for.
        """
        possible = separators_of(self.file_format)
        for number in possible:
            separator = bytes([number])
            if len(cells(header, separator)) == len(self.columns):
                return separator
        if not possible:
            return b""
        raise CutError(
            f"it does not have the {len(self.columns)} columns {', '.join(self.columns)}"
        )

    def keys_of(self, separator: bytes) -> Callable[[Sequence[Line]], list[Key]]:
        """Return what finds the keys of records. It raises `CutError` if one has none."""
        find = (
            _in_row(self.keys, separator) if separator else _in_object(self.keys, len(self.columns))
        )
        readers = [_text if self.columns[column] in _TEXT_KEYS else int for column in self.keys]

        def key(record: Line) -> Key:
            try:
                return tuple(read(text) for read, text in zip(readers, find(record), strict=True))
            except (ValueError, IndexError, AttributeError, RecursionError):
                names = ", ".join(self.columns[column] for column in self.keys)
                shown = record[:60].decode("utf-8", "replace")
                raise CutError(f"there is no {names} in the record {shown!r}") from None

        def first_integers(records: Sequence[Line]) -> list[Key]:
            # The usual case, in a quarter of the time.
            try:
                return [(int(record[: record.index(separator)]),) for record in records]
            except ValueError:
                return list(map(key, records))

        if separator and list(self.keys) == [0] and readers == [int]:
            return first_integers
        return lambda records: list(map(key, records))

    def without_added(self, separator: bytes) -> Callable[[Line], Line] | None:
        """Return what cuts the column out that was not wished for, or `None` if there is none."""
        if self.added is None:
            return None
        if separator:
            cell = cell_pattern(separator) + re.escape(separator)
            pattern = re.compile(b"((?:" + cell + b"){%d})" % self.added + cell)
        else:
            member = _JSON_TEXT + rb"\s*:\s*(?:" + _JSON_TEXT + rb'|[^,"{\[]*+)\s*,\s*'
            pattern = re.compile(rb"(\s*\{\s*(?:" + member + b"){%d})" % self.added + member)

        def cut(record: Line) -> Line:
            found = pattern.match(record)
            if found is None:
                shown = record[:60].decode("utf-8", "replace")
                raise CutError(f"the key cannot be cut out of the record {shown!r}")
            return found[1] + record[found.end() :]

        return cut


def _first(kind_path: str, filters: Mapping[str, Any]) -> list[str]:
    """Return the column that comes first although no request names it."""
    return (
        [_PROGRAM] if kind_path.strip("/") == "program/members" and "programIds" in filters else []
    )


def _free(*taken: Any) -> str:  # noqa: ANN401 - names
    names = {str(name) for some in taken for name in some}
    return next(name for n in range(len(names) + 1) if (name := _ADDED + str(n or "")) not in names)


def _in_row(columns: Sequence[int], separator: bytes) -> Callable[[Line], Sequence[bytes]]:
    def find(record: Line) -> Sequence[bytes]:
        found = cells(record, separator)
        return [found[column] for column in columns]

    return find


def _in_object(columns: Sequence[int], count: int) -> Callable[[Line], Sequence[bytes]]:
    def find(record: Line) -> Sequence[bytes]:
        values = list(json.loads(record).values())
        if len(values) != count:
            raise ValueError("it has other columns than those that were asked for")
        # Quoted as in a row, so that both are read alike.
        return [_quoted(values[column]) for column in columns]

    return find


def _quoted(value: object) -> bytes:
    if isinstance(value, str):
        return b'"%s"' % value.encode().replace(b'"', b'""')
    return b"null" if value is None else str(value).encode()


def _text(written: bytes) -> bytes:
    text = unquoted(written.rstrip(b"\r"))
    if not text or written == b"null":
        raise ValueError("a key is missing")
    return text
