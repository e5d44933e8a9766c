"""All kinds: the built-in ones, and those that other packages declare.

Another package declares an entry point of the group `outhaul.kinds` that names its kind. Every
process of outhaul reads the entry points once, before it looks for a kind.
"""

import threading
from collections.abc import Iterator, Mapping
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Any, TypeAlias

from outhaul.kinds.activities import ACTIVITIES
from outhaul.kinds.custom_objects import CUSTOM_OBJECTS
from outhaul.kinds.filter import Context
from outhaul.kinds.kind import Kind, KindFamily, PlainRecords, Records
from outhaul.kinds.leads import LEADS
from outhaul.kinds.list_members import LIST_MEMBERS
from outhaul.kinds.program_members import PROGRAM_MEMBERS
from outhaul.lake.tables import DELETED_LEADS, MERGED_LEADS, Table

if TYPE_CHECKING:
    from outhaul.catalog.store import Catalog

GROUP = "outhaul.kinds"
"""The group of entry points."""

AnyKind: TypeAlias = Kind | KindFamily[Any]

_BUILT_IN: tuple[Records, ...] = (
    LEADS,
    ACTIVITIES,
    LIST_MEMBERS,
    PROGRAM_MEMBERS,
    CUSTOM_OBJECTS,
)


class KindError(Exception):
    """A kind is unknown, or cannot be registered."""


def _loaded(point: EntryPoint) -> Records:
    try:
        found = point.load()
    except Exception as error:
        raise KindError(
            f"the entry point {point.name!r} of the group {GROUP!r}, {point.value}, "
            f"cannot be loaded: {type(error).__name__}: {error}"
        ) from error
    if not isinstance(found, Records):
        raise KindError(
            f"the entry point {point.name!r} of the group {GROUP!r}, {point.value}, names no kind"
        )
    return found


def _names(records: Records) -> set[str]:
    """Return what must be unique. Tables of a family are left out: they depend on the catalog."""
    names = {f"the name {records.name!r}"}
    if isinstance(records, (Kind, KindFamily)):
        names.add(f"the path {records.path!r}")
    if isinstance(records, PlainRecords):
        names.add(f"the table {records.table.name!r}")
    return names


class Registry:
    """Records by name, in the order in which they were registered."""

    def __init__(self, *records: Records, group: str | None = None) -> None:
        self._group = group
        self._lock = threading.RLock()
        self._records: dict[str, Records] = {}
        for entry in records:
            self._add(entry)

    def register(self, records: Records) -> None:
        """Add records. Raises `KindError` if their name, path or table is taken."""
        self.all()
        self._add(records)

    def unregister(self, name: str) -> None:
        """Remove records that were registered."""
        del self._records[name]

    def all(self) -> list[Records]:
        """Return all records. Raises `KindError` at each call if an entry point is invalid."""
        with self._lock:
            if self._group is not None:
                # Before the loop: the module of an entry point may call `register`.
                group, self._group = self._group, None
                before = dict(self._records)
                try:
                    for point in entry_points(group=group):
                        self._add(_loaded(point))
                except KindError:
                    self._records, self._group = before, group
                    raise
            return list(self._records.values())

    def _add(self, records: Records) -> None:
        for other in self._records.values():
            if shared := _names(records) & _names(other):
                raise KindError(
                    f"the kind {records.name!r} shares {', '.join(sorted(shared))} "
                    f"with the kind {other.name!r}"
                )
        self._records[records.name] = records


class Kinds(Mapping[str, AnyKind]):
    """The records of a registry that can be exported, by name."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def __getitem__(self, name: str) -> AnyKind:
        return self._found()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._found())

    def __len__(self) -> int:
        return len(self._found())

    def _found(self) -> dict[str, AnyKind]:
        return {
            entry.name: entry
            for entry in self._registry.all()
            if isinstance(entry, (Kind, KindFamily))
        }


REGISTRY = Registry(*_BUILT_IN, group=GROUP)
"""All records that this process knows."""

KINDS: Mapping[str, AnyKind] = Kinds(REGISTRY)
"""All kinds that can be exported, by name."""


def register(kind: Records) -> None:
    """Add a kind to this process. Raises `KindError` if its name, path or table is taken.

    Other processes find a kind only by an entry point of the group `outhaul.kinds`.
    """
    REGISTRY.register(kind)


def find_kind(job_kind: str, context: Context) -> Kind:
    """Return the kind of a job: `job_kind` is what `name_jobs` returned.

    Raises `KindError` if this process does not know the kind, and `ApiError` if the catalog
    does not know the type.
    """
    name, _, type_name = job_kind.partition("/")
    if name not in KINDS:
        raise KindError(
            f"the kind {name!r} is unknown here; is the package that declares it installed?"
        )
    return KINDS[name].kind_of(context.catalog, type_name or None)


def name_jobs(kind: AnyKind, type_name: str | None) -> str:
    """Return the name of a kind, and of a type of it, under which its jobs are stored."""
    return kind.name if type_name is None else f"{kind.name}/{type_name}"


def all_tables(catalog: "Catalog") -> list[Table]:
    """Return the tables that the lake of a subscription can have, given its catalog."""
    found = [table for entry in REGISTRY.all() for table in entry.tables(catalog)]
    return [*found, DELETED_LEADS, MERGED_LEADS]
