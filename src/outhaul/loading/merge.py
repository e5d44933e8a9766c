"""Merging of records into a table by their key, in one commit.

A partition is changed only if a record of it is new or different. New records become one more file
of their partition. If a record changed, or if the partition has many files, it is written again.
Each file is sorted, so that an export merges a few sorted files and never sorts a table. Records
that depend on a deleted lead are left out.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import reduce
from typing import Any

import polars as pl
from deltalake.transaction import AddAction

from outhaul.lake.commits import Cursor, commit, make_snapshot, write_file
from outhaul.lake.deletions import deleted_leads, without
from outhaul.lake.files import LakeFile, by_partition
from outhaul.lake.merges import Winners, followed_by, merged_leads
from outhaul.lake.snapshot import Lake, Snapshot
from outhaul.lake.tables import CHANGED_AT, Table
from outhaul.lake.widening import fits, widen, wider
from outhaul.loading.staging import Staging
from outhaul.records.columns import INSTANT

MANY_FILES = 8
"""The number of files at which the next load writes the whole partition again."""

_OLD = "\0old"
"""Suffix of columns with the previous values. No name of a column contains it."""


class ColumnChangedError(ValueError):
    """Another load changed the type of this column at the same time; load the file again."""


@dataclass(frozen=True, kw_only=True)
class Merged:
    """The result of a merge, in records."""

    added: int = 0
    changed: int = 0
    unchanged: int = 0
    deleted: int = 0
    """Records that were left out, because they depend on a deleted lead."""
    merged: int = 0
    """Records that were left out: leads that lost in a merge, and what their winner has already."""
    removed: int = 0
    """Records of the table that a snapshot does not have."""
    version: int | None = None
    """The new version of the table; `None` if there was no commit."""


@dataclass
class _Transaction:
    adds: list[AddAction] = field(default_factory=list)
    removes: list[LakeFile] = field(default_factory=list)
    added: int = 0
    changed: int = 0
    unchanged: int = 0
    deleted: int = 0
    merged: int = 0
    removed: int = 0


def merge(  # noqa: PLR0913, PLR0917 - what is merged into what, when and how
    lake: Lake,
    table: Table,
    staging: Staging,
    moment: datetime,
    stand_ins: Mapping[str, str],
    report: Callable[[float], None],
    widening: Collection[str] = (),
    cursor: Cursor | None = None,
    whole: Collection[int] = (),
) -> Merged:
    """Merge staged records into a table, in one commit, which also stores `cursor`.

    A record with a known key replaces the columns that the file has; other columns keep their
    values. A value that an export would write for the previous one changes nothing, as do
    `stand_ins` for null. `moment` is the time of the change. `report` gets the share of the
    partitions that are merged, from 0 to 1. Columns in `widening` get their types in `staging`
    before, in a commit of its own: the table then has the same records. If no record changes, a
    commit without files stores a new `cursor`. Records of the partitions `whole` that are not
    staged are removed in the same commit. Raises `ColumnChangedError`.
    """
    with lake.writing(table):
        snapshot = make_snapshot(lake, table)
        new_columns = {
            name: of for name, of in staging.columns.items() if name not in snapshot.columns
        }
        changes = {
            name: of for name, of in staging.columns.items() if of != snapshot.columns.get(name, of)
        }
        for name, of in changes.items():
            allowed = name in widening and of in wider(snapshot.columns[name])
            if not allowed or not fits(snapshot, name, of):
                raise ColumnChangedError(f"{name}: {ColumnChangedError.__doc__}")
        if changes:
            snapshot = widen(lake, table, snapshot, changes)
        # Read while the table is held: later merges and deletions of leads come after this.
        cursors = [] if cursor is None else [cursor]
        if table.refers_to_leads and not snapshot.files:
            # What is loaded into an empty table has followed the merges that are known now.
            cursors += followed_by(lake)
        winners = merged_leads(lake) if table.refers_to_leads else None
        if winners is not None and not _lead_is_key(table):
            staging.follow(winners)
        deleted = None if table.depends_on is None else deleted_leads(lake)
        done = _Merger(table, snapshot, staging, moment, deleted, winners, stand_ins, whole).run(
            report
        )
        version = None
        if done.adds or done.removes:
            version = commit(
                lake,
                table,
                version=snapshot.version,
                adds=done.adds,
                removes=done.removes,
                new_columns=new_columns,
                cursors=cursors,
            )
        elif cursor is not None and lake.cursor(table, cursor.name) != cursor.number:
            version = commit(
                lake, table, version=snapshot.version, adds=[], removes=[], cursors=cursors
            )
    return Merged(
        added=done.added,
        changed=done.changed,
        unchanged=done.unchanged,
        deleted=done.deleted,
        merged=done.merged,
        removed=done.removed,
        version=version,
    )


def _lead_is_key(table: Table) -> bool:
    """Return whether the records of one partition differ by their lead."""
    return table.partition_key == table.lead_column


class _Merger:
    def __init__(  # noqa: PLR0913, PLR0917 - as `merge`
        self,
        table: Table,
        snapshot: Snapshot,
        staging: Staging,
        moment: datetime,
        deleted: pl.Series | None,
        winners: Winners | None,
        stand_ins: Mapping[str, str],
        whole: Collection[int],
    ) -> None:
        self._whole = whole
        self._table = table
        self._snapshot = snapshot
        self._staging = staging
        self._moment = moment
        self._deleted = deleted
        self._winners = winners if _lead_is_key(table) else None
        self._stand_ins = stand_ins
        self._key = staging.key
        self._columns = {**snapshot.columns, **staging.columns}
        self._files = by_partition(snapshot.files)
        self._leaving: dict[Any, list[Any]] = {}
        """By partition, the keys of records that the file moves to another partition."""
        self._arriving: dict[Any, list[pl.DataFrame]] = {}
        """By partition, the records that move to it, with their previous values."""
        self._done = _Transaction()

    def run(self, report: Callable[[float], None]) -> _Transaction:
        """Compute and write the changes, partition by partition."""
        if not self._table.key_decides_partition:
            for keys in self._staging.staged_keys():
                self._find_moved(keys)
        partitions = sorted({*self._staging.partitions, *self._leaving, *self._whole})
        for n, partition in enumerate(partitions, 1):
            self._partition(partition)
            report(n / len(partitions))
        return self._done

    def _find_moved(self, keys: pl.DataFrame) -> None:
        """Find records whose new partition, which `keys` has, is not their previous one."""
        if keys.is_empty():
            return
        least, greatest = keys[self._key].min(), keys[self._key].max()
        to = self._table.partition
        for file in self._snapshot.files:
            low, high = file.bounds[self._key]
            if low is not None and (high < least or low > greatest):
                continue
            moved = (
                self._snapshot.scan([file])
                .select(self._key)
                .join(keys.lazy().filter(pl.col(to) != file.partition), on=self._key)
                .collect(engine="streaming")
            )
            for (partition,), found in moved.partition_by(to, as_dict=True).items():
                self._leaving.setdefault(file.partition, []).extend(found[self._key].to_list())
                records = self._known([file], found, self._staging.columns)
                self._arriving.setdefault(partition, []).append(records)

    def _partition(self, partition: Any) -> None:  # noqa: ANN401 - a day or a number
        files = self._files.get(partition, [])
        arriving = self._arriving.get(partition, [])
        # New records are in order, as they were staged. Edited ones come between them.
        written, replaced = [], [*self._leaving.get(partition, [])]
        rows, named = None, None
        if partition in self._staging.partitions:
            rows, named = self._read(partition, files)
        if partition in self._whole:
            removed = self._absent(files, named)
            replaced += removed
            self._done.removed += len(removed)
        if rows is not None:
            known = pl.concat([self._known(files, rows, rows.columns), *arriving])
            fresh, edited = self._compare(rows, known)
            if edited.height:
                written = [pl.concat([fresh, edited]).sort(self._table.order)]
            elif fresh.height:
                written = [fresh]
            came = {key for records in arriving for key in records[self._key + _OLD]}
            replaced += [key for key in edited[self._key] if key not in came]
            self._done.added += fresh.height
            self._done.changed += edited.height
            self._done.unchanged += rows.height - fresh.height - edited.height
            # A day of activities can be large, and is in memory once while it is written.
            del rows, named, known, fresh, edited
        if not written and not replaced:
            return
        incoming = [records.lazy() for records in written]
        if replaced or len(files) >= MANY_FILES:
            self._done.removes += files
            if sum(file.records for file in files) > len(replaced):
                incoming += [self._without(file, replaced) for file in files]
        if incoming:
            location = self._snapshot.location
            together = reduce(self._merge_sorted, incoming)
            self._done.adds.append(write_file(location, self._table, partition, together))

    def _read(
        self,
        partition: Any,  # noqa: ANN401 - a day or a number
        files: Sequence[LakeFile],
    ) -> tuple[pl.DataFrame, pl.Series]:
        """Return the staged records of a partition, and the keys of all that the file names.

        Records of deleted leads are left out. If leads lost in merges, they are left out, too, and
        other records have the winner, unless the winner has a record of its own.
        """
        staged = self._staging.read(partition)
        among = None if self._winners is None else self._winners.only(staged[self._key])
        if among is None or among.is_empty:
            rows = self._without_deleted(staged)
            return rows, rows[self._key]
        has_lost = among.has_lost(self._table)
        own, lost = self._without_deleted(staged.filter(~has_lost)), staged.filter(has_lost)
        if self._table.is_of_leads:
            self._done.merged += lost.height
            return own, own[self._key]
        lost = self._without_deleted(lost.sort(self._key).with_columns(among.followed(self._table)))
        known = self._scan(files).select(self._key)
        known = known.join(lost.lazy().select(self._key), on=self._key, how="semi")
        new = (
            lost.unique(self._key, keep="first", maintain_order=True)
            .join(own, on=self._key, how="anti")
            .join(known.collect(engine="streaming"), on=self._key, how="anti")
        )
        self._done.merged += lost.height - new.height
        named = pl.concat([own[self._key], lost[self._key]])
        return pl.concat([own, new]).sort(self._table.order), named

    def _without_deleted(self, rows: pl.DataFrame) -> pl.DataFrame:
        if self._table.depends_on is None or self._deleted is None:
            return rows
        left = without(self._deleted, rows, self._table.depends_on)
        self._done.deleted += rows.height - left.height
        return left

    def _absent(self, files: Sequence[LakeFile], named: pl.Series | None) -> list[Any]:
        """Return the keys of the records in `files` that are not among `named`."""
        known = self._scan(files).select(self._key)
        if named is not None:
            known = known.filter(~pl.col(self._key).is_in(named.implode()))
        return known.collect(engine="streaming")[self._key].to_list()

    def _compare(
        self, rows: pl.DataFrame, known: pl.DataFrame
    ) -> tuple[pl.DataFrame, pl.DataFrame]:
        """Return the new rows and the changed rows, both with all columns."""
        given = [name for name in rows.columns if name != self._key]
        if known.is_empty():
            absent = [
                pl.lit(None, dtype=of).alias(name)
                for name, of in self._columns.items()
                if name not in rows.columns
            ]
            fresh = self._complete(rows.with_columns(absent), given, new=True)
            return fresh, fresh.clear()
        joined = rows.join(known, on=self._key, how="left", maintain_order="left")
        is_new = joined[self._key + _OLD].is_null()
        fresh = joined.filter(is_new)
        previous = joined.filter(~is_new).with_columns(
            self._as_it_was(name).alias(name) for name in given
        )
        differs = pl.any_horizontal(
            [pl.lit(value=False), *(pl.col(n).ne_missing(pl.col(n + _OLD)) for n in given)]
        )
        edited = previous.filter(differs)
        return self._complete(fresh, given, new=True), self._complete(edited, given, new=False)

    def _as_it_was(self, name: str) -> pl.Expr:
        """Return the new value, or the previous one if the new one is all that exports show of it.

        Exports cut moments to the second, and write stand-ins for null.
        """
        new, old = pl.col(name), pl.col(name + _OLD)
        if self._columns[name] == INSTANT:
            return pl.when(new == old.dt.truncate("1s")).then(old).otherwise(new)
        if name in self._stand_ins:
            is_shown = old.is_null() & (new == self._stand_ins[name])
            return pl.when(is_shown).then(old).otherwise(new)
        return new

    def _known(
        self, files: Sequence[LakeFile], rows: pl.DataFrame, given: Collection[str]
    ) -> pl.DataFrame:
        """Return the records of `files` that have the keys of `rows`.

        Columns in `given`, which the load has too, get the suffix `_OLD`.
        """
        return (
            self._scan(files)
            .join(rows.lazy().select(self._key), on=self._key, how="semi")
            .select(
                pl.col(self._key),
                *(pl.col(name).alias(name + _OLD) for name in given),
                *(name for name in self._columns if name not in given),
            )
            .collect(engine="streaming")
        )

    def _complete(self, joined: pl.DataFrame, given: list[str], *, new: bool) -> pl.DataFrame:
        """Return rows with all columns of the table, from the file or with the previous values."""
        if CHANGED_AT in self._columns:
            joined = joined.with_columns(self._stamps(given, new=new))
        return joined.select(list(self._columns))

    def _stamps(self, given: list[str], *, new: bool) -> list[pl.Expr]:
        """Return the moments of a record that the file does not have.

        A new record was last changed at its own `createdAt` or `updatedAt`. A record that differs
        is changed now, whatever its `updatedAt` is, so that an export of the changes since the
        last export finds it.
        """
        now = pl.lit(self._moment, dtype=self._columns[CHANGED_AT])
        set_now = ["createdAt", "updatedAt"] if new else ["updatedAt"]
        stamps = [now.alias(name) for name in set_now if name not in given]
        if not new:
            return [*stamps, now.alias(CHANGED_AT)]
        stated = [pl.col(name) for name in ("createdAt", "updatedAt") if name in given]
        latest = pl.max_horizontal(stated) if stated else now
        return [*stamps, pl.coalesce(latest, now).alias(CHANGED_AT)]

    def _without(self, file: LakeFile, removed: list[Any]) -> pl.LazyFrame:
        """Return the records of a file, without those with some keys."""
        keys = pl.Series(removed, dtype=self._columns[self._key])
        return self._scan([file]).filter(~pl.col(self._key).is_in(keys.implode()))

    def _scan(self, files: Sequence[LakeFile]) -> pl.LazyFrame:
        """Return the records of files with all columns, also new ones."""
        scan = self._snapshot.scan(files) if files else pl.LazyFrame(schema=self._snapshot.columns)
        return scan.with_columns(
            pl.lit(None, dtype=of).alias(name)
            for name, of in self._columns.items()
            if name not in self._snapshot.columns
        ).select(list(self._columns))

    def _merge_sorted(self, left: pl.LazyFrame, right: pl.LazyFrame) -> pl.LazyFrame:
        return left.merge_sorted(right, key=list(self._table.order))
