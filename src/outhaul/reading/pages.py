"""Pages of records for look-ups, in the order of an export.

A page begins after a position in that order, and reads the newest version of the table. A load
between two pages cannot make a client miss a record, or get it twice, as long as the record stays
in the table. No state is stored between pages.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl

from outhaul.lake.clauses import AtLeast, Between, Clause, Within
from outhaul.lake.failures import named_failures
from outhaul.lake.snapshot import Lake, Snapshot, Snapshots
from outhaul.lake.tables import Table
from outhaul.reading.planning import pin_reading
from outhaul.reading.scan import scan_part
from outhaul.reading.slices import Slice, slices

SLICE_RECORDS = 50_000
"""Records that a page reads at a time: as many as a row group of a file has."""

MOST_RECORDS = 5_000_000
"""Records that are read for one page at most, about.

The page then ends, even with few records, so that a call never reads the whole of a large table.
"""

ALL_RECORDS = 2**63 - 1
"""The `most_records` of a call whose clients take an empty page for the last one."""

Position = tuple[Any, ...]
"""A position in the order of a table: a value for each column that the table is ordered by."""

_SECOND = timedelta(seconds=1)
_LAST_MOMENT = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
_LAST_ID = 2**63 - 1


@dataclass(frozen=True, kw_only=True)
class RecordPage:
    """Some records, in order."""

    records: Sequence[dict[str, Any]]
    """Each record by column, without columns that the table does not have."""
    position: Position | None
    """The end of the page, after which the next page begins; `None` is before all records."""
    more: bool
    """Whether there may be more records after this page."""


def read_page(  # noqa: PLR0913 - what is read, which of it, from where on, how much
    lake: Lake,
    table: Table,
    snapshot: Snapshot | None,
    clauses: Sequence[Clause],
    fields: Sequence[str],
    *,
    size: int,
    after: Position | None = None,
    condition: pl.Expr | None = None,
    most_records: int = MOST_RECORDS,
) -> RecordPage:
    """Return a page of up to `size` records, which begins after the position `after`.

    All `clauses` and the expression `condition` hold for the records. `snapshot` is that of the
    table, whose first column of order is a moment, a lead's id or a text; `None` if nothing was
    ever loaded. A page may have fewer records, or none, and still not be the last: it ends once
    about `most_records` were read. Raises `LakeError` if files cannot be read.
    """
    wanted = [*clauses, *([] if after is None else [_from(table, after)])]
    follows = pl.lit(value=True) if after is None else _follows(table.order, after)
    matches = follows if condition is None else follows & condition
    needed = {name for clause in wanted for name in clause.columns} | {*matches.meta.root_names()}
    if snapshot is None or not needed <= snapshot.columns.keys():
        return RecordPage(records=(), position=after, more=False)  # no record can match
    reading = pin_reading(Snapshots(lake, {table.name: snapshot}), table, wanted, fields)
    found: list[dict[str, Any]] = []
    last: Slice | None = None
    records_read = 0
    for each in slices(snapshot, table, reading.clauses, SLICE_RECORDS):
        if last is not None and records_read >= most_records:
            position = max(
                [_end(last, table), *(_position(record, table) for record in found[-1:])]
            )
            # A slice ends at a whole second, which may be before the beginning of the page.
            if after is None or position > after:
                return RecordPage(records=found, position=position, more=True)
        with named_failures():
            records = scan_part(reading, each.part(table), lake).filter(matches)
            found += records.head(size + 1 - len(found)).collect(engine="streaming").to_dicts()
        if len(found) > size:
            return RecordPage(
                records=found[:size], position=_position(found[size - 1], table), more=True
            )
        last = each
        records_read += min(each.records, SLICE_RECORDS) if each.cut else each.records
    return RecordPage(
        records=found, position=_position(found[-1], table) if found else after, more=False
    )


def _from(table: Table, after: Position) -> Clause:
    """Return a clause on the first column of order, which can exclude files before a position."""
    first = table.order[0]
    if isinstance(table.columns[first], pl.Datetime):
        return Within(first, after[0].replace(microsecond=0), _LAST_MOMENT)
    if table.columns[first] == pl.String:
        return AtLeast(first, after[0])
    return Between(first, after[0], _LAST_ID)


def _follows(order: Sequence[str], after: Position) -> pl.Expr:
    """Return an expression that is true for the records after a position."""
    column, value = pl.col(order[0]), pl.lit(after[0])
    if len(order) == 1:
        return column.gt(value)
    return column.gt(value) | (column.eq(value) & _follows(order[1:], after[1:]))


def _position(record: dict[str, Any], table: Table) -> Position:
    return tuple(record[name] for name in table.order)


def _end(part: Slice, table: Table) -> Position:
    """Return a position for the next page to begin after. No record of the slice is after it.

    The position is a bound of the first column alone. It may lie in the next slice: statistics of
    moments are rounded up, and a slice of time ends with a whole second.
    """
    column = table.order[0]
    end: Any = max(file.bounds[column][1] for files in part.partitions for file in files)
    if isinstance(part.cut, Within):
        end = min(end, min(part.cut.end, _LAST_MOMENT - _SECOND) + _SECOND)
    elif part.cut is not None:
        end = part.cut.greatest
    return (end, *("" for _ in table.order[1:]))
