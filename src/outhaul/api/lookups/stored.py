"""How many records there are, and between which moments. The original has no such call.

It is answered from the statistics of files alone, so that it takes no longer as files grow.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Any

from outhaul.api.lookups.answering import Lookup
from outhaul.api.lookups.query import Query
from outhaul.kinds import KINDS
from outhaul.kinds.kind import KindFamily
from outhaul.kinds.registry import AnyKind
from outhaul.lake.files import LakeFile
from outhaul.lake.tables import ACTIVITIES, CHANGED_AT, Table
from outhaul.protocol.answers.envelope import Found, Success
from outhaul.protocol.answers.stored import StoredDay, StoredRecords

PATH = "/rest/v1/stats/records.json"


def stored_records(query: Query) -> Found:
    """Show how many records of each kind there are, and from when on; activities also by day."""
    return Found(
        [
            StoredRecords(name=kind.path_of(type_name), **_stored(query, table))
            for kind in KINDS.values()
            if query.caller.permissions & kind.permissions
            for type_name, table in _tables(kind, query)
        ]
    )


def _tables(kind: AnyKind, query: Query) -> Iterator[tuple[str | None, Table]]:
    if isinstance(kind, KindFamily):
        for name in query.catalog.custom_object_types():
            yield name, kind.loading_of(query.catalog, name).table
    else:
        yield None, kind.loading.table


def _stored(query: Query, table: Table) -> dict[str, Any]:
    snapshot = query.lake.snapshot(table)
    files: Sequence[LakeFile] = [] if snapshot is None else snapshot.files
    found: dict[str, Any] = {"records": sum(file.records for file in files)}
    column = "activityDate" if table == ACTIVITIES else CHANGED_AT
    bounds = [file.bounds.get(column, (None, None)) for file in files]
    firsts = [first for first, _ in bounds if first is not None]
    lasts = [last for _, last in bounds if last is not None]
    if firsts and lasts:
        found |= {"first": min(firsts), "last": max(lasts)}
    if table == ACTIVITIES:
        found["days"] = list(_days(files))
    return found


def _days(files: Iterable[LakeFile]) -> Iterator[StoredDay]:
    for day, group in groupby(files, key=lambda file: file.partition):
        of_day = list(group)
        yield StoredDay(
            day=day.isoformat(),
            records=sum(file.records for file in of_day),
            stored_at=max(file.written_at for file in of_day),
        )


def stored_lookups() -> tuple[Lookup, ...]:
    """Return the look-up. Whoever may read some kind may call it."""
    return (
        Lookup(
            path=PATH,
            permissions=frozenset().union(*(kind.permissions for kind in KINDS.values())),
            find=stored_records,
            result=StoredRecords,
            envelope=Success,
        ),
    )
