"""All kinds: those that are built in, and those that other packages bring.

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
from outhaul.lake.tables import DELETED_LEADS, Table

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
    """Return what no other records may have. The tables of a family are not known here."""
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
        """Add records. Raises `KindError` where their name, path or table is taken."""
        self.all()
        self._add(records)

    def unregister(self, name: str) -> None:
        """Remove records that were registered."""
        del self._records[name]

    def all(self) -> list[Records]:
        """Return all records. Raises `KindError`, every time, where an entry point does not fit."""
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
"""The records that the processes of outhaul know."""

KINDS: Mapping[str, AnyKind] = Kinds(REGISTRY)
"""All kinds that can be exported, by name."""


def register(kind: Records) -> None:
    """Add a kind to this process. Raises `KindError` where its name, path or table is taken.

    Other processes find a kind by an entry point of the group `outhaul.kinds` alone.
    """
    REGISTRY.register(kind)


def find_kind(job_kind: str, context: Context) -> Kind:
    """Return the kind of a job: `job_kind` is what `name_jobs` returned.

    Raises `KindError` where this process does not know the kind, and `ApiError` where the catalog
    does not know the type.
    """
    name, _, type_name = job_kind.partition("/")
    if name not in KINDS:
        raise KindError(
            f"the kind {name!r} is unknown here; is the package that declares it installed?"
        )
    return KINDS[name].kind_of(context.catalog, type_name or None)


def name_jobs(kind: AnyKind, type_name: str | None) -> str:
    """Return what jobs of a kind are stored as: those of each type of records apart."""
    return kind.name if type_name is None else f"{kind.name}/{type_name}"


def all_tables(catalog: "Catalog") -> list[Table]:
    """Return the tables that the lake of a catalog's subscription can have."""
    found = [table for entry in REGISTRY.all() for table in entry.tables(catalog)]
    return [*found, DELETED_LEADS]
