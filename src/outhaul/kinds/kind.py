"""The declaration of a kind: records that can be loaded, described and exported.

`Records` can only be loaded. A `Kind` can be exported too. A `KindFamily` has a kind for each type
of its records; the types are entries of the catalog.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import polars as pl

from outhaul.errors import Error
from outhaul.kinds.describing import Description
from outhaul.kinds.filter import Context, Filter, Rule
from outhaul.kinds.loading import Loading
from outhaul.kinds.options import TypeOption
from outhaul.lake.clauses import Clause
from outhaul.lake.tables import Join, Table
from outhaul.protocol.body import read_object, read_texts, spelled
from outhaul.protocol.parameters import Parameter

if TYPE_CHECKING:
    from outhaul.catalog.store import Catalog

Declared = TypeVar("Declared")


class TypeUnknownError(LookupError):
    """The catalog has no type of this name."""

    def __init__(self, noun: str, name: str, known: Iterable[str]) -> None:
        self.noun, self.name, self.known = noun, name, ", ".join(known) or "none"
        super().__init__(f"the catalog has no {noun} {name!r}; it has {self.known}")


@dataclass(frozen=True, kw_only=True)
class Records(ABC):
    """Records that `outhaul load` can load."""

    name: str
    """The name of the commands for them, such as `program-members`, and of their jobs."""
    plural: str
    """The name in messages, such as "program members"."""
    load_help: str
    """The help of `outhaul load NAME`: a sentence, and an example."""

    @property
    def type_option(self) -> TypeOption | None:
        """The option that names the type of the records; `None` if there are no types."""
        return None

    @property
    @abstractmethod
    def infer_help(self) -> str | None:
        """The help of `--infer-fields`; `None` if the command has no such option."""

    @abstractmethod
    def tables(self, catalog: "Catalog") -> Collection[Table]:
        """Return the tables that hold the records."""

    @abstractmethod
    def loading_of(self, catalog: "Catalog", type_name: str | None) -> Loading:
        """Return the declaration for loading files of one type. Raises `TypeUnknownError`."""


@dataclass(frozen=True, kw_only=True)
class PlainRecords(Records):
    """Records of one table."""

    loading: Loading

    @property
    def table(self) -> Table:
        """The table that holds the records."""
        return self.loading.table

    @property
    def infer_help(self) -> str | None:
        return None if self.loading.inferring is None else self.loading.inferring.help

    def tables(self, catalog: "Catalog") -> Collection[Table]:  # noqa: ARG002
        return (self.table,)

    def loading_of(self, catalog: "Catalog", type_name: str | None) -> Loading:  # noqa: ARG002
        return self.loading


@dataclass(frozen=True, kw_only=True)
class Exported(ABC):
    """What a kind and a family of kinds have in common: how their records are exported."""

    path: str
    """The path of its export calls between `/bulk/v1/` and `/export`."""
    permissions: frozenset[str]
    """The caller needs one of these, to export and to describe."""
    filters: tuple[Filter, ...]
    rule: Rule
    """The rule over all filters of a request."""
    extract_help: str
    """The help of `outhaul extract NAME`: a sentence, and an example."""
    fields_example: str
    """An example for `--fields`, such as `id,email`."""
    default_fields: tuple[str, ...] = ()
    """Exported if a request names no fields. If this is empty, a request must name fields."""
    descriptions: tuple[Description, ...] = ()
    """The describe calls of the kind."""

    @property
    def type_parameter(self) -> Parameter | None:
        """The path parameter with the type of the records; `None` if there are no types."""
        return None

    def path_of(self, type_name: str | None) -> str:
        """Return `path` for a type of the records."""
        if self.type_parameter is None or type_name is None:
            return self.path
        return self.path.replace(f"{{{self.type_parameter.name}}}", type_name)

    @abstractmethod
    def kind_of(self, catalog: "Catalog", type_name: str | None) -> "Kind":
        """Return the kind for a type of the records. Raises `ApiError` if the type is unknown."""


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """The fields that a request names, and its filters, as the job stores them."""

    fields: list[str]
    filter: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Kind(PlainRecords, Exported):
    """A kind of records that can be exported."""

    fields: Callable[[Context], Mapping[str, pl.DataType]]
    """Returns the fields that a request may name, and their types."""
    stand_ins: Mapping[str, str] = field(default_factory=dict)
    """The text that is exported in place of null, by field, because some clients fail on null."""
    digits: Callable[[Context], Collection[str]] = lambda _: ()
    """Returns the boolean fields that are exported as 0 and 1."""
    first_fields: Callable[[Mapping[str, Any]], Collection[str]] = lambda _: ()
    """Returns the fields that come first in a file, even if the request does not name them.

    The argument is the filters of the request.
    """
    always: Callable[[Context], Sequence[Clause]] = lambda _: ()
    """Returns clauses that hold for the records of every export."""
    join: Join | None = None
    """Another table, whose fields a request may name too."""
    own_fields: Callable[[Context], Collection[str]] = lambda _: ()
    """Returns the fields of the kind's own table, if there is a join."""

    def kind_of(self, catalog: "Catalog", type_name: str | None) -> "Kind":  # noqa: ARG002
        return self

    def read(self, body: Mapping[str, Any], context: Context) -> Wanted:
        """Return what the body of a create call requests. Raises `ApiError` if it is invalid."""
        filters = self._filters(body.get("filter"), context)
        first = self.first_fields(filters)
        wanted = self._fields(body.get("fields"), context)
        fields = [*first, *(name for name in wanted if name not in first)]
        return Wanted(fields=fields, filter=filters)

    def clauses(self, filters: Mapping[str, Any], context: Context) -> list[Clause]:
        """Return the clauses of stored filters, and those of every export.

        An exported record matches all of them.
        """
        given = (entry for entry in self.filters if entry.name in filters)
        return [*(entry.clause(filters, context) for entry in given), *self.always(context)]

    def _filters(self, value: object, context: Context) -> Mapping[str, Any]:
        written = _one_object(value)
        # Clients write a filter that they do not use as null or as an empty array.
        given = {name: content for name, content in written.items() if content not in (None, [])}
        # If no other filter is left, an empty one was meant: its reader says that it is missing.
        given = given or dict(written)
        known = {entry.name: entry for entry in self.filters}
        for name in given:
            if name not in known:
                raise Error.INVALID(
                    parameter=f"filter.{name}",
                    problem=f"there is no such filter; there are {', '.join(known)}",
                )
        stored = {
            name: known[name].read(content, f"filter.{name}", context)
            for name, content in given.items()
        }
        self.rule.check(stored, context)
        return stored

    def _fields(self, value: object, context: Context) -> list[str]:
        if self.default_fields and value in (None, []):
            return list(self.default_fields)
        known = self.fields(context)
        fields = [spelled(name, known) for name in read_texts(value, "fields")]
        for n, name in enumerate(fields):
            if name not in known:
                raise Error.FIELD_UNKNOWN(field=name)
            if name in fields[:n]:
                raise Error.INVALID(parameter="fields", problem=f"'{name}' is there twice")
        return fields


@dataclass(frozen=True, kw_only=True)
class KindFamily(Records, Exported, Generic[Declared]):
    """A kind for each type of its records. The path of calls and an option name the type."""

    noun: str
    """The name of a type in messages, such as "custom object type"."""
    parameter: Parameter
    """The path parameter with the type."""
    option: TypeOption
    types: Callable[["Catalog"], Mapping[str, Declared]]
    """Returns the types in a catalog, by name."""
    make_kind: Callable[[Declared], Kind]
    """Returns the kind of a type."""

    @property
    def type_option(self) -> TypeOption | None:
        return self.option

    @property
    def type_parameter(self) -> Parameter | None:
        return self.parameter

    @property
    def infer_help(self) -> str | None:
        return None

    def tables(self, catalog: "Catalog") -> Collection[Table]:
        return [self.make_kind(declared).table for declared in self.types(catalog).values()]

    def loading_of(self, catalog: "Catalog", type_name: str | None) -> Loading:
        return self._kind(catalog, type_name).loading

    def kind_of(self, catalog: "Catalog", type_name: str | None) -> Kind:
        try:
            return self._kind(catalog, type_name)
        except TypeUnknownError as error:
            raise Error.INVALID(
                parameter=self.parameter.name,
                problem=f"there is no {error.noun} '{error.name}'; there are {error.known}",
            ) from None

    def _kind(self, catalog: "Catalog", type_name: str | None) -> Kind:
        types = self.types(catalog)
        if type_name is None or type_name not in types:
            raise TypeUnknownError(self.noun, type_name or "", types)
        return self.make_kind(types[type_name])


def _one_object(value: object) -> Mapping[str, Any]:
    """Return the filters of a request, given as an object or as an array of objects.

    The protocol's page shows an object, and mentions an array (bulk activity extract, options).
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
