"""Cutting the records of a table into slices of about equal size.

Small partitions share a slice. A large partition is cut into slices by time or by lead id.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta

import polars as pl

from outhaul.lake.clauses import Between, Clause, Within
from outhaul.lake.files import LakeFile, by_partition
from outhaul.lake.snapshot import Snapshot
from outhaul.lake.tables import Table
from outhaul.reading.reading import PlannedPart

_SECOND = timedelta(seconds=1)


@dataclass(frozen=True, kw_only=True)
class Slice:
    """Some whole partitions in order, or a cut of a large one, with the statistics of the files."""

    partitions: Sequence[Sequence[LakeFile]]
    cut: Within | Between | None = None
    """The clause for the records of the slice; `None` for whole partitions."""

    @property
    def records(self) -> int:
        """The number of records in the files. The slice has only some of them if it is a cut."""
        return sum(file.records for files in self.partitions for file in files)

    def part(self, table: Table) -> PlannedPart:
        """Return the part that holds the records of this slice."""
        bounds = [
            file.bounds.get(table.lead or "", ()) for files in self.partitions for file in files
        ]
        ids = [bound for ends in bounds for bound in ends if bound is not None]
        if isinstance(self.cut, Between):
            ids = [self.cut.least, self.cut.greatest]
        return PlannedPart(
            partitions=[[file.path for file in files] for files in self.partitions],
            ids=(min(ids), max(ids)) if ids else None,
            slice=self.cut,
        )


def slices(
    snapshot: Snapshot | None, table: Table, clauses: Sequence[Clause], slice_records: int
) -> Iterator[Slice]:
    """Yield slices, in order, of at most about `slice_records` records.

    They have only files that may hold records for which all clauses hold. `snapshot` is that of the
    table; `None` if nothing was ever loaded.
    """
    waiting: list[Sequence[LakeFile]] = []
    waiting_records = 0
    for files in _candidates(snapshot, clauses):
        records = sum(file.records for file in files)
        if waiting and waiting_records + records > slice_records:
            yield Slice(partitions=waiting)
            waiting, waiting_records = [], 0
        if records > slice_records and isinstance(table.columns[table.order[0]], pl.Datetime):
            yield from _cut_by_time(files, table, clauses, -(-records // slice_records))
            continue
        if records > slice_records and table.order[0] == table.lead and not table.ranges_of_leads:
            yield from _cut_by_id(files, table, -(-records // slice_records))
            continue
        waiting.append(files)
        waiting_records += records
    if waiting:
        yield Slice(partitions=waiting)


def _candidates(
    snapshot: Snapshot | None, clauses: Sequence[Clause]
) -> Iterator[Sequence[LakeFile]]:
    """Yield the files that can match the clauses, by partition, in order."""
    files = (
        file
        for file in (() if snapshot is None else snapshot.files)
        if all(clause.may_match(file.bounds) for clause in clauses)
    )
    yield from by_partition(files).values()


def _cut_by_id(files: Sequence[LakeFile], table: Table, count: int) -> Iterator[Slice]:
    """Cut a partition into equal ranges of lead ids."""
    column = table.order[0]
    first = min(file.bounds[column][0] for file in files)
    last = max(file.bounds[column][1] for file in files)
    step = max(1, -(-(last - first + 1) // count))
    for begin in range(first, last + 1, step):
        ids = Between(column, begin, min(begin + step - 1, last))
        inside = [file for file in files if ids.may_match(file.bounds)]
        if inside:
            yield Slice(partitions=[inside], cut=ids)


def _cut_by_time(
    files: Sequence[LakeFile], table: Table, clauses: Sequence[Clause], count: int
) -> Iterator[Slice]:
    """Cut a partition into windows of equal length, over the time that the clauses allow."""
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
            yield Slice(partitions=[inside], cut=window)
