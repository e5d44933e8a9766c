"""Pages of records for look-ups, in the order of an export.

A page begins after a place in that order, and each page reads the table as it is at that moment:
whatever is loaded between two pages, a record that is there all the while is on one of them, and
on no other. Nothing is kept between pages.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl

from outhaul.lake.clauses import Between, Clause, Within
from outhaul.lake.location import named_failures
from outhaul.lake.snapshot import Lake, Snapshot
from outhaul.lake.tables import Table
from outhaul.reading.plan import Stretch, candidates, plan_reading, stretches
from outhaul.reading.scan import scan_part

STRETCH_RECORDS = 50_000
"""Records that are read for a page at least: those of a row group."""

MOST_RECORDS = 5_000_000
"""Records that are read for a page at most, before it is given with what was found."""

Position = tuple[Any, ...]
"""The values of the columns that a table is ordered by: of a record, or between two."""

_SECOND = timedelta(seconds=1)
_LAST_MOMENT = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
_LAST_ID = 2**63 - 1


@dataclass(frozen=True, kw_only=True)
class RecordPage:
    """Some records in order; where there is `more`, it is after `place`."""

    records: Sequence[dict[str, Any]]
    """By column; one that the table has not got is left out."""
    place: Position | None
    """Where the page ends; `None` for one that begins and ends before all records."""
    more: bool


def read_page(  # noqa: PLR0913 - what is read, which of it, from where on, how much
    lake: Lake,
    table: Table,
    snapshot: Snapshot | None,
    clauses: Sequence[Clause],
    fields: Sequence[str],
    *,
    size: int,
    after: Position | None = None,
    fitting: pl.Expr | None = None,
    most_records: int = MOST_RECORDS,
) -> RecordPage:
    """Return up to `size` records that all `clauses` hold for, and the expression `fitting`.

    `snapshot` is the table's, which is ordered by a moment or a lead's id first; `None` where
    nothing was ever loaded. The records follow the place `after`. A page may have fewer, or none,
    and still not be the last, where those that fit are far between: it ends once about
    `most_records` were looked at. Raises `LakeError` where files cannot be read.
    """
    wanted = [*clauses, *([] if after is None else [_from(table, after)])]
    follows = pl.lit(value=True) if after is None else _follows(table.order, after)
    keep = follows if fitting is None else follows & fitting
    looked_into = {name for clause in wanted for name in clause.columns} | {*keep.meta.root_names()}
    if snapshot is None or not looked_into <= snapshot.columns.keys():
        return RecordPage(records=(), place=after, more=False)  # no record has what is asked for
    plan = plan_reading(lake, table, snapshot, wanted, fields)
    found: list[dict[str, Any]] = []
    last: Stretch | None = None
    looked_at = 0
    for stretch in stretches(
        candidates(snapshot, plan.clauses), table, plan.clauses, STRETCH_RECORDS
    ):
        if last is not None and looked_at >= most_records:
            place = max([_end(last, table), *(_place(record, table) for record in found[-1:])])
            # A stretch is told by seconds, and may end before the place that the page begins at.
            if after is None or place > after:
                return RecordPage(records=found, place=place, more=True)
        with named_failures():
            part = scan_part(plan, stretch.part(table), lake).filter(keep)
            found += part.head(size + 1 - len(found)).collect(engine="streaming").to_dicts()
        if len(found) > size:
            return RecordPage(records=found[:size], place=_place(found[size - 1], table), more=True)
        last = stretch
        records = sum(file.records for files in stretch.partitions for file in files)
        looked_at += min(records, STRETCH_RECORDS) if stretch.slice else records
    return RecordPage(records=found, place=_place(found[-1], table) if found else after, more=False)


def _from(table: Table, after: Position) -> Clause:
    """Return what can be said of the records after a place by one column, and so of files."""
    first = table.order[0]
    if isinstance(table.columns[first], pl.Datetime):
        return Within(first, after[0].replace(microsecond=0), _LAST_MOMENT)
    return Between(first, after[0], _LAST_ID)


def _follows(order: Sequence[str], after: Position) -> pl.Expr:
    """Return the expression that holds for the records after a place."""
    column, value = pl.col(order[0]), pl.lit(after[0])
    if len(order) == 1:
        return column.gt(value)
    return column.gt(value) | (column.eq(value) & _follows(order[1:], after[1:]))


def _place(record: dict[str, Any], table: Table) -> Position:
    return tuple(record[name] for name in table.order)


def _end(stretch: Stretch, table: Table) -> Position:
    """Return a place that no record of a stretch is after, unless it is just at its moment.

    Statistics of moments are rounded up, and slices are cut by them: into the next day, where
    records of the next stretch are.
    """
    column = table.order[0]
    end: Any = max(file.bounds[column][1] for files in stretch.partitions for file in files)
    if isinstance(stretch.slice, Within):
        end = min(end, min(stretch.slice.end, _LAST_MOMENT - _SECOND) + _SECOND)
    elif stretch.slice is not None:
        end = stretch.slice.greatest
    return (end, *("" for _ in table.order[1:]))
