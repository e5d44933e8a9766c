"""What a kind is: records that can be loaded, described and exported, in one declaration.

`Records` can be loaded. A `Kind` can be exported as well. A `KindFamily` is a kind for each type
of its records; the types are entries of the catalog.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Mapping
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
from outhaul.protocol.body import read_object, read_texts
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
    """Records that `outhaul load` takes."""

    name: str
    """The name of their commands, such as `program-members`, and of their jobs."""
    plural: str
    """What people read, such as "program members"."""
    load_help: str
    """The help of `outhaul load NAME`: a sentence, and an example."""

    @property
    def type_option(self) -> TypeOption | None:
        """The option that names the type of the records, where there are types."""
        return None

    @property
    @abstractmethod
    def infer_help(self) -> str | None:
        """The help of `--infer-fields`; `None` where the command has no such option."""

    @abstractmethod
    def tables(self, catalog: "Catalog") -> Collection[Table]:
        """Return the tables that hold the records."""

    @abstractmethod
    def loading_of(self, catalog: "Catalog", type_name: str | None) -> Loading:
        """Return how files of one type are loaded. Raises `TypeUnknownError`."""


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
    """What a kind and a family of kinds have in common: how their records are asked for."""

    path: str
    """Between `/bulk/v1/` and `/export`."""
    permissions: frozenset[str]
    """A caller needs one of them, to export and to describe."""
    filters: tuple[Filter, ...]
    rule: Rule
    """The rule over all filters of a request."""
    extract_help: str
    """The help of `outhaul extract NAME`: a sentence, and an example."""
    fields_example: str
    """Some fields as `--fields` takes them, such as `id,email`."""
    default_fields: tuple[str, ...] = ()
    """Exported where a request names no fields; if there are none, a request must name some."""
    descriptions: tuple[Description, ...] = ()
    """Its describe calls."""

    @property
    def type_parameter(self) -> Parameter | None:
        """The parameter of the path that names the type of the records, where there are types."""
        return None

    def path_of(self, type_name: str | None) -> str:
        """Return the path for a type of the records."""
        if self.type_parameter is None or type_name is None:
            return self.path
        return self.path.replace(f"{{{self.type_parameter.name}}}", type_name)

    @abstractmethod
    def kind_of(self, catalog: "Catalog", type_name: str | None) -> "Kind":
        """Return the kind for a type of the records. Raises `ApiError` where there is none."""


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What a request wants of a kind: fields, and filters as they are stored."""

    fields: list[str]
    filter: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Kind(PlainRecords, Exported):
    """A kind of records that can be exported."""

    fields: Callable[[Context], Mapping[str, pl.DataType]]
    """The fields that may be asked for, and their types."""
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

    def kind_of(self, catalog: "Catalog", type_name: str | None) -> "Kind":  # noqa: ARG002
        return self

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
        stored = {
            name: known[name].read(content, f"filter.{name}", context)
            for name, content in given.items()
        }
        self.rule.check(stored, context)
        return stored

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


@dataclass(frozen=True, kw_only=True)
class KindFamily(Records, Exported, Generic[Declared]):
    """A kind for each type of its records. The path names the type, and so does an option."""

    noun: str
    """What a type is called, such as "custom object type"."""
    parameter: Parameter
    """The parameter of the path that names the type."""
    option: TypeOption
    types: Callable[["Catalog"], Mapping[str, Declared]]
    """The types by name, as the catalog declares them."""
    make_kind: Callable[[Declared], Kind]

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
