"""What a kind is: a path, permissions, filters, fields, a table, and one rule over its filters."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import polars as pl

from outhaul.catalog.store import Catalog
from outhaul.errors import Error
from outhaul.lake.clauses import Clause
from outhaul.lake.tables import Join, Table
from outhaul.protocol.body import read_object, read_texts
from outhaul.protocol.shapes import Shape
from outhaul.settings import Limits


@dataclass(frozen=True, kw_only=True)
class Context:
    """What the meaning of a request depends on beside the request."""

    catalog: Catalog
    limits: Limits
    moment: datetime
    """Now, as rules that speak of the past have it."""


@dataclass(frozen=True, kw_only=True)
class Filter:
    """A filter type: how its value is read from a request, and what it asks of a record.

    `shape` is the value's JSON Schema, for the published description.
    `read` takes the value, its parameter's name and the context, and returns the value as the job
    keeps it, plain data; it raises `ApiError`. `clause` takes all filters of a request, as they
    are kept, and returns what this one asks.
    """

    name: str
    shape: Shape
    read: Callable[[object, str, Context], Any]
    clause: Callable[[Mapping[str, Any], Context], Clause]


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What a request wants of a kind: fields, and filters as they are stored."""

    fields: list[str]
    filter: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A kind of records that can be exported."""

    name: str
    path: str
    """Between `/bulk/v1/` and `/export`; `{apiName}` stands for the type of the records."""
    permissions: frozenset[str]
    """A caller needs one of them."""
    table: Table
    filters: tuple[Filter, ...]
    check: Callable[[Mapping[str, Any], Context], None]
    """The rule over all filters of a request, which are given as they are kept."""
    rule_shape: Shape = field(default_factory=dict)
    """As much of that rule as JSON Schema can say, for the published description."""
    fields: Callable[[Context], Mapping[str, pl.DataType]]
    """The fields that may be asked for, and their types."""
    default_fields: tuple[str, ...] = ()
    """Exported where a request names no fields; if there are none, it must."""
    stand_ins: Mapping[str, str] = field(default_factory=dict)
    """What is exported in place of null, by field: some clients fail on it."""
    digits: Callable[[Context], Collection[str]] = lambda _: ()
    """The fields whose booleans are written 0 and 1."""
    first_fields: Callable[[Mapping[str, Any]], Collection[str]] = lambda _: ()
    """The fields that come first in the file of a request with these filters, asked for or not."""
    join: Join | None = None
    """Another table, whose fields may be asked for as well."""
    own_fields: Callable[[Context], Collection[str]] = lambda _: ()
    """The fields that are of the kind's own table, where there is a join."""
    of_type: "Callable[[Context, str], Kind] | None" = None
    """What the kind is for one type of its records, where its path names one as `{apiName}`.

    Raises `ApiError` for a type that there is not.
    """

    def job_kind(self, type_name: str | None) -> str:
        """Return what jobs of the kind are kept as: those of each type of records apart."""
        return self.name if type_name is None else f"{self.name}/{type_name}"

    def resolve(self, context: Context, type_name: str | None) -> "Kind":
        """Return the kind for a type of its records. Raises `ApiError` where there is none."""
        if self.of_type is None or type_name is None:
            return self
        return self.of_type(context, type_name)

    def read(self, body: Mapping[str, Any], context: Context) -> Wanted:
        """Return what a create call wants. Raises `ApiError` for anything that does not fit."""
        filters = self._filters(body.get("filter"), context)
        first = self.first_fields(filters)
        wanted = self._fields(body.get("fields"), context)
        fields = [*first, *(name for name in wanted if name not in first)]
        return Wanted(fields=fields, filter=filters)

    def clauses(self, filters: Mapping[str, Any], context: Context) -> list[Clause]:
        """Return what the filters of a request ask of a record: all of these clauses."""
        return [entry.clause(filters, context) for entry in self.filters if entry.name in filters]

    def _filters(self, value: object, context: Context) -> Mapping[str, Any]:
        given = _one_object(value)
        known = {entry.name: entry for entry in self.filters}
        for name in given:
            if name not in known:
                raise Error.INVALID(
                    parameter=f"filter.{name}",
                    problem=f"there is no such filter; there are {', '.join(known)}",
                )
        kept = {
            name: known[name].read(content, f"filter.{name}", context)
            for name, content in given.items()
        }
        self.check(kept, context)
        return kept

    def _fields(self, value: object, context: Context) -> list[str]:
        if self.default_fields and value in (None, []):
            return list(self.default_fields)
        fields = read_texts(value, "fields")
        known = self.fields(context)
        for n, name in enumerate(fields):
            if name not in known:
                raise Error.FIELD_UNKNOWN(field=name)
            if name in fields[:n]:
                raise Error.INVALID(parameter="fields", problem=f"'{name}' is there twice")
        return fields


def _one_object(value: object) -> Mapping[str, Any]:
    """Return the filters of a request, given as an object or as an array of objects.

    The seeds show an object and speak of an array (bulk activity extract, options).
    """
    if not isinstance(value, list):
        return read_object(value, "filter")
    together: dict[str, Any] = {}
    for n, entry in enumerate(value):
        for name, content in read_object(entry, f"filter[{n}]").items():
            if name in together:
                raise Error.INVALID(parameter=f"filter.{name}", problem="it is there twice")
            together[name] = content
    return together
