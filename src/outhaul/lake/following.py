"""Following of merged leads by the tables that refer to leads.

A merge is recorded before any table follows it, and a load reads the merged leads while it holds
its table. So a load that brings records of a loser at the same time cannot restore them: either the
load sees the merge, or the table follows it later.

Each table has the number of the merges that it followed last, as a cursor. So merges that are
loaded again cost nothing, and those of a load that was interrupted are not forgotten.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import reduce
from typing import Any

import polars as pl
from deltalake.transaction import AddAction

from outhaul.lake.commits import Cursor, commit, write_file
from outhaul.lake.deletions import deleted_leads, without
from outhaul.lake.files import LakeFile, by_partition
from outhaul.lake.merges import FOLLOWED, Recorded, Winners, merged_leads, record
from outhaul.lake.snapshot import Lake, Snapshot
from outhaul.lake.tables import CHANGED_AT, MERGED_LEADS, Table

_LOSER = "\0loser"
"""The column with the lead that a record referred to. No name of a column contains NUL."""


def merge_leads(
    lake: Lake, merges: pl.DataFrame, tables: Iterable[Table], moment: datetime
) -> Recorded:
    """Record merges (`outhaul.lake.merges.record`), and have the tables follow them.

    `moment` is the time of the change. A call that failed can be repeated: steps that were done
    change nothing.
    """
    recorded = record(lake, merges)
    for table in tables:
        if table.refers_to_leads:
            follow(lake, table, recorded, moment)
    return recorded


def follow(lake: Lake, table: Table, recorded: Recorded, moment: datetime) -> None:
    """Have a table follow all merges: leads that lost are removed, others refer to the winner.

    Of records with the same key, that of the winner stays. Only files with records of losers are
    written again. If the table followed all merges before those in `recorded`, only the leads of
    these are looked for.
    """
    with lake.writing(table):
        snapshot = lake.snapshot(table)
        if snapshot is None:
            return
        # Read while the table is held: later merges and deletions come to this table after this.
        number, followed = lake.cursor(MERGED_LEADS, FOLLOWED), lake.cursor(table, FOLLOWED)
        if number is None or followed == number:
            return
        winners = merged_leads(lake)
        if followed == number - 1 and recorded.number == number:
            winners = winners.only(recorded.changed)
        deleted = None if table.depends_on is None else deleted_leads(lake)
        done = _Follower(table, snapshot, winners, deleted, moment).run()
        commit(
            lake,
            table,
            version=snapshot.version,
            adds=done.adds,
            removes=done.removes,
            cursors=[Cursor(FOLLOWED, number)],
        )


@dataclass(frozen=True, kw_only=True)
class _Lost:
    """A file with records of leads that lost."""

    file: LakeFile
    winners: Winners
    """Those of the leads in the file."""
    records: int
    """The number of these records."""


@dataclass
class _Changes:
    adds: list[AddAction] = field(default_factory=list)
    removes: list[LakeFile] = field(default_factory=list)


class _Follower:
    """Changes the files of one table, partition by partition."""

    def __init__(
        self,
        table: Table,
        snapshot: Snapshot,
        winners: Winners,
        deleted: pl.Series | None,
        moment: datetime,
    ) -> None:
        self._table = table
        self._column = table.lead_reference
        self._snapshot = snapshot
        self._winners = winners
        self._deleted = deleted
        self._moment = moment
        self._files = by_partition(snapshot.files)
        self._done = _Changes()

    def run(self) -> _Changes:
        """Compute and write the changes."""
        if self._table.lead_decides_partition and not self._table.is_of_leads:
            self._run_across()
            return self._done
        for partition, files in self._files.items():
            if lost := self._find(files):
                moved = [] if self._table.is_of_leads else [self._moved(found) for found in lost]
                self._write(partition, lost, moved)
        return self._done

    def _run_across(self) -> None:
        """Change a table whose records get to another partition with another lead."""
        lost = {partition: self._find(files) for partition, files in self._files.items()}
        moving = [self._moved(found) for files in lost.values() for found in files]
        arriving: Mapping[tuple[Any, ...], pl.DataFrame] = {}
        if moving:
            moved = pl.concat(moving).with_columns(
                self._table.partition_value.alias(self._table.partition)
            )
            arriving = moved.partition_by(self._table.partition, as_dict=True)
        changed = {partition for partition, files in lost.items() if files}
        for partition in sorted({*changed, *(key for (key,) in arriving)}):
            moved_here = [arriving[partition,]] if (partition,) in arriving else []
            self._write(partition, lost.get(partition, []), moved_here)

    def _find(self, files: Sequence[LakeFile]) -> list[_Lost]:
        found = []
        for file in files:
            among = self._winners.between(*file.bounds[self._column])
            if among.is_empty:
                continue
            # The leads of one file are fewer than all that lost.
            leads = self._snapshot.scan([file]).select(pl.col(self._column).unique()).collect()
            among = among.only(leads.to_series())
            if among.is_empty:
                continue
            lost = among.has_lost(self._table).sum()
            if records := self._snapshot.scan([file]).select(lost).collect().item():
                found.append(_Lost(file=file, winners=among, records=records))
        return found

    def _moved(self, lost: _Lost) -> pl.DataFrame:
        """Return the records of a file that refer to a lead that lost, with the winner."""
        moved = (
            self._records(lost.file)
            .filter(lost.winners.has_lost(self._table))
            .with_columns(pl.col(self._column).alias(_LOSER), lost.winners.followed(self._table))
            .collect()
        )
        if CHANGED_AT in self._snapshot.columns:
            now = pl.lit(self._moment, dtype=self._snapshot.columns[CHANGED_AT])
            moved = moved.with_columns(now.alias(CHANGED_AT))
        return moved if self._deleted is None else without(self._deleted, moved, self._column)

    def _write(
        self,
        partition: Any,  # noqa: ANN401 - a day or a number
        lost: Sequence[_Lost],
        moved: Sequence[pl.DataFrame],
    ) -> None:
        """Write some files of a partition again, and the records that moved to it."""
        order = list(self._table.order)
        incoming = []
        if moved:
            arriving = pl.concat(moved)
            if self._column in self._table.key:
                arriving = self._without_known(partition, arriving)
            if arriving.height:
                incoming.append(arriving.sort(order).select(list(self._snapshot.columns)).lazy())
        for found in lost:
            if found.records < found.file.records:
                remaining = self._records(found.file).filter(~found.winners.has_lost(self._table))
                incoming.append(remaining.select(list(self._snapshot.columns)))
        self._done.removes += [found.file for found in lost]
        if incoming:
            together = reduce(lambda left, right: left.merge_sorted(right, key=order), incoming)
            location = self._snapshot.location
            self._done.adds.append(write_file(location, self._table, partition, together))

    def _without_known(self, partition: Any, moved: pl.DataFrame) -> pl.DataFrame:  # noqa: ANN401
        """Return moved records without those whose key the winner has already.

        Of several losers, the record of the one with the least id stays.
        """
        key = self._table.partition_key
        first = moved.sort(_LOSER).unique(key, keep="first", maintain_order=True)
        files = self._files.get(partition, [])
        if not files:
            return first
        own = (
            self._snapshot.scan(files)
            .filter(~self._winners.has_lost(self._table))
            .select(key)
            .join(first.lazy().select(key), on=key, how="semi")
            .collect(engine="streaming")
        )
        return first.join(own, on=key, how="anti")

    def _records(self, file: LakeFile) -> pl.LazyFrame:
        """Return the records of a file, with the partition column."""
        value = pl.lit(file.partition, dtype=self._table.partition_type)
        return (
            self._snapshot.scan([file])
            .select(list(self._snapshot.columns))
            .with_columns(value.alias(self._table.partition))
        )
