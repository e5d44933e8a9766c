"""The plan of a job: which files of which versions it reads, in which parts, and what it writes.

A plan is made once, when the job begins processing, and kept with it as plain data. The same plan
gives the same bytes, wherever and however often it is rendered: membership of lists and smart
lists is as of that moment (bulk lead extract, filters), and whatever is loaded later is not seen.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import polars as pl

from outhaul.kinds.kind import Context, ExportRequest, Kind
from outhaul.lake.clauses import Between, Clause, InSmartList, MemberOf, Within, parse_clause
from outhaul.lake.snapshot import Lake, LakeFile, Snapshot, parse_type, type_name
from outhaul.lake.tables import LIST_MEMBERS, Table
from outhaul.protocol.dialects import delimiter, line
from outhaul.smart_lists.evaluation import pin

_SECOND = timedelta(seconds=1)


@dataclass(frozen=True, kw_only=True)
class PlannedPart:
    """A piece of the file: some partitions one after the other, or a slice of a large one."""

    partitions: Sequence[Sequence[str]]
    """The files of each partition, as paths under the table's folder; to be merged."""
    ids: tuple[int, int] | None = None
    """Least and greatest lead id in the files, where the table is kept by it."""
    slice: Within | Between | None = None
    """The stretch of the partition that the part has, where it has not all of it."""
    joined: Sequence[str] = ()
    """The files of the other table that may hold the records beside those of the part."""


@dataclass(frozen=True, kw_only=True)
class PlannedJoin:
    """The other table whose fields stand beside those of each record."""

    table: str
    left: str
    right: str
    columns: Mapping[str, pl.DataType]
    """Its columns that are read, and their types."""

    def to_json(self) -> dict[str, Any]:
        """Return the join as plain data."""
        return {
            "table": self.table,
            "left": self.left,
            "right": self.right,
            "columns": {name: type_name(of) for name, of in self.columns.items()},
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> "PlannedJoin":
        """Return the join that `to_json` gave."""
        columns = {name: parse_type(of) for name, of in content["columns"].items()}
        return cls(
            table=content["table"], left=content["left"], right=content["right"], columns=columns
        )


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What one job reads and writes."""

    table: str
    version: int | None
    """The version that is pinned; `None` where nothing was ever loaded."""
    columns: Mapping[str, pl.DataType]
    """The columns of the table that are read, and their types."""
    order: Sequence[str]
    fields: Sequence[str]
    """The columns of the file, in order; one that the table has not got is null."""
    stand_ins: Mapping[str, str]
    """What is written in place of null, by field."""
    header: str
    separator: str
    clauses: Sequence[Clause]
    parts: Sequence[PlannedPart]
    members: Mapping[int, Sequence[str]]
    """The files of the static lists that clauses name, as paths under that table's folder."""
    bits: Sequence[str] = ()
    """The fields whose booleans are written 0 and 1."""
    join: PlannedJoin | None = None

    @property
    def files(self) -> Iterator[str]:
        """All files that the plan reads, as paths under the folders of their tables."""
        for part in self.parts:
            yield from (path for paths in part.partitions for path in paths)
            yield from part.joined
        for paths in self.members.values():
            yield from paths
        for clause in self.clauses:
            if isinstance(clause, InSmartList) and clause.pinned is not None:
                yield from clause.pinned.files

    def to_json(self) -> dict[str, Any]:
        """Return the plan as plain data."""
        return {
            "table": self.table,
            "version": self.version,
            "columns": {name: type_name(of) for name, of in self.columns.items()},
            "order": list(self.order),
            "fields": list(self.fields),
            "standIns": dict(self.stand_ins),
            "header": self.header,
            "separator": self.separator,
            "clauses": [clause.to_json() for clause in self.clauses],
            "parts": [
                {
                    "partitions": [list(files) for files in part.partitions],
                    "ids": part.ids,
                    "slice": part.slice.to_json() if part.slice else None,
                    "joined": list(part.joined),
                }
                for part in self.parts
            ],
            "members": {str(name): list(files) for name, files in self.members.items()},
            "bits": list(self.bits),
            "join": None if self.join is None else self.join.to_json(),
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> "Plan":
        """Return the plan that `to_json` gave."""
        return cls(
            table=content["table"],
            version=content["version"],
            columns={name: parse_type(of) for name, of in content["columns"].items()},
            order=tuple(content["order"]),
            fields=content["fields"],
            stand_ins=content["standIns"],
            header=content["header"],
            separator=content["separator"],
            clauses=[parse_clause(clause) for clause in content["clauses"]],
            parts=[_parse_part(part) for part in content["parts"]],
            members={int(name): files for name, files in content["members"].items()},
            # A plan that an earlier version pinned has neither.
            bits=content.get("bits", ()),
            join=PlannedJoin.from_json(content["join"]) if content.get("join") else None,
        )


def make_plan(
    kind: Kind, request: ExportRequest, context: Context, lake: Lake, part_records: int
) -> Plan:
    """Return the plan of a job that begins processing now.

    Only files whose partition and statistics can match are in it. A part has about `part_records`
    records at most: small partitions share one, a large one is cut into slices of time.
    """
    snapshot = lake.snapshot(kind.table)
    join, others = _join(kind, request, context, lake)
    left = () if kind.join is None else (kind.join.left,)
    plan = plan_reading(
        lake, kind.table, snapshot, kind.clauses(request, context), [*request.fields, *left]
    )
    bits = set(kind.bits(context))
    separator = delimiter(request.format, context.limits.ssv_delimiter)
    return replace(
        plan,
        fields=request.fields,
        stand_ins=kind.stand_ins,
        header=line(request.headers, separator),
        separator=separator,
        parts=[
            replace(part, joined=_beside(part, join, others))
            for part in _parts(
                candidates(snapshot, plan.clauses), kind.table, plan.clauses, part_records
            )
        ],
        bits=[name for name in request.fields if name in bits],
        join=join,
    )


def plan_reading(
    lake: Lake,
    table: Table,
    snapshot: Snapshot | None,
    wanted: Sequence[Clause],
    fields: Sequence[str],
) -> Plan:
    """Return what is read of a table, in order: a plan that has no parts yet and writes nothing.

    `snapshot` is the table's, `None` where nothing was ever loaded.
    """

    def pinned(other: Table) -> Snapshot | None:
        return snapshot if other.name == table.name else lake.snapshot(other)

    clauses = [pin(clause, pinned) for clause in wanted]
    names = {*fields, *table.order, *(name for clause in clauses for name in clause.columns)}
    columns = {} if snapshot is None else snapshot.columns
    return Plan(
        table=table.name,
        version=None if snapshot is None else snapshot.version,
        columns={name: of for name, of in columns.items() if name in names},
        order=table.order,
        fields=fields,
        stand_ins={},
        header="",
        separator="",
        clauses=clauses,
        parts=[],
        members={
            clause.list_id: _member_files(lake, clause.list_id)
            for clause in clauses
            if isinstance(clause, MemberOf)
        },
    )


def _join(
    kind: Kind, request: ExportRequest, context: Context, lake: Lake
) -> tuple[PlannedJoin | None, Sequence[LakeFile]]:
    """Return the join that a request needs, if any, and the files of the other table."""
    if kind.join is None:
        return None, ()
    other = lake.snapshot(kind.join.table)
    own = kind.own_fields(context)
    wanted = [name for name in request.fields if name not in own]
    if other is None or not wanted:
        return None, ()
    columns = {
        name: of for name, of in other.columns.items() if name in wanted or name == kind.join.right
    }
    join = PlannedJoin(
        table=kind.join.table.name, left=kind.join.left, right=kind.join.right, columns=columns
    )
    return join, other.files


def _beside(
    part: PlannedPart, join: PlannedJoin | None, others: Sequence[LakeFile]
) -> Sequence[str]:
    """Return the files of the other table that the ids of a part touch."""
    if join is None or part.ids is None:
        return []
    stretch = Between(join.right, *part.ids)
    return [file.path for file in others if stretch.may_match(file.bounds)]


def candidates(snapshot: Snapshot | None, clauses: Sequence[Clause]) -> list[list[LakeFile]]:
    """Return the files that may hold a record that is wanted, by partition, in order."""
    found: dict[Any, list[LakeFile]] = {}
    for file in () if snapshot is None else snapshot.files:
        if all(clause.may_match(file.bounds) for clause in clauses):
            found.setdefault(file.partition, []).append(file)
    return list(found.values())


@dataclass(frozen=True, kw_only=True)
class Stretch:
    """Some partitions one after the other, or a slice of a large one: the records of a part."""

    partitions: Sequence[Sequence[LakeFile]]
    slice: Within | Between | None = None

    def part(self, table: Table) -> PlannedPart:
        """Return the part that is made of it."""
        bounds = [
            file.bounds.get(table.lead or "", ()) for files in self.partitions for file in files
        ]
        ids = [bound for ends in bounds for bound in ends if bound is not None]
        if isinstance(self.slice, Between):
            ids = [self.slice.least, self.slice.greatest]
        return PlannedPart(
            partitions=[[file.path for file in files] for files in self.partitions],
            ids=(min(ids), max(ids)) if ids else None,
            slice=self.slice,
        )


def stretches(
    partitions: Sequence[Sequence[LakeFile]],
    table: Table,
    clauses: Sequence[Clause],
    part_records: int,
) -> Iterator[Stretch]:
    """Give all records of some partitions, in order, in stretches of about `part_records`."""
    together: list[Sequence[LakeFile]] = []
    waiting = 0
    for files in partitions:
        records = sum(file.records for file in files)
        if together and waiting + records > part_records:
            yield Stretch(partitions=together)
            together, waiting = [], 0
        if records > part_records and isinstance(table.columns[table.order[0]], pl.Datetime):
            yield from _slices(files, table, clauses, -(-records // part_records))
            continue
        if records > part_records and table.order[0] == table.lead and not table.ranges_of_leads:
            yield from _id_slices(files, table, -(-records // part_records))
            continue
        together.append(files)
        waiting += records
    if together:
        yield Stretch(partitions=together)


def _parts(
    partitions: Sequence[Sequence[LakeFile]],
    table: Table,
    clauses: Sequence[Clause],
    part_records: int,
) -> Iterator[PlannedPart]:
    for stretch in stretches(partitions, table, clauses, part_records):
        yield stretch.part(table)


def _id_slices(files: Sequence[LakeFile], table: Table, count: int) -> Iterator[Stretch]:
    """Cut a partition into equal ranges of the lead ids that it has."""
    column = table.order[0]
    first = min(file.bounds[column][0] for file in files)
    last = max(file.bounds[column][1] for file in files)
    step = max(1, -(-(last - first + 1) // count))
    for begin in range(first, last + 1, step):
        ids = Between(column, begin, min(begin + step - 1, last))
        inside = [file for file in files if ids.may_match(file.bounds)]
        if inside:
            yield Stretch(partitions=[inside], slice=ids)


def _slices(
    files: Sequence[LakeFile], table: Table, clauses: Sequence[Clause], count: int
) -> Iterator[Stretch]:
    """Cut a partition into stretches of equal time, over what the job wants of it."""
    column = table.order[0]
    first = min(file.bounds[column][0] for file in files).replace(microsecond=0)
    last = max(file.bounds[column][1] for file in files).replace(microsecond=0)
    for clause in clauses:
        if isinstance(clause, Within) and clause.column == column:
            first, last = max(first, clause.start), min(last, clause.end)
    seconds = (last - first) // _SECOND + 1
    step = max(1, -(-seconds // count))
    for begin in range(0, seconds, step):
        end = min(begin + step, seconds) - 1
        window = Within(column, first + begin * _SECOND, first + end * _SECOND)
        inside = [file for file in files if window.may_match(file.bounds)]
        if inside:
            yield Stretch(partitions=[inside], slice=window)


def _parse_part(content: Mapping[str, Any]) -> PlannedPart:
    stretch = parse_clause(content["slice"]) if content["slice"] else None
    return PlannedPart(
        partitions=content["partitions"],
        ids=tuple(content["ids"]) if content["ids"] else None,
        slice=stretch if isinstance(stretch, Within | Between) else None,
        joined=content.get("joined", []),
    )


def _member_files(lake: Lake, list_id: int) -> list[str]:
    snapshot = lake.snapshot(LIST_MEMBERS)
    files = () if snapshot is None else snapshot.files
    return [file.path for file in files if file.partition == list_id]
