"""Merging records into a table by their key, as one commit; records that are there stay as is.

A partition is touched only where a record of it is new or differs. New records go into a file of
their own beside the others; where a record changed, or the files have become many, the partition
is written anew. All files stay sorted, so an export merges a few of them and never sorts. What goes
with a lead that is deleted is not taken.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import reduce
from typing import Any

import polars as pl
from deltalake.transaction import AddAction

from outhaul.lake.commits import commit, make_snapshot, write_file
from outhaul.lake.deletions import deleted_leads, without
from outhaul.lake.files import LakeFile, by_partition
from outhaul.lake.snapshot import Lake, Snapshot
from outhaul.lake.tables import CHANGED_AT, Table
from outhaul.loading.staging import Staging

MANY_FILES = 8
"""Files of a partition from which the next load writes it anew."""

_OLD = "\0old"
"""Ends the name of a column that holds what was there before; no column's own name has it."""


class ColumnChangedError(ValueError):
    """Another load added a column at the same time, with another type; load the file again."""


@dataclass(frozen=True, kw_only=True)
class Merged:
    """What a merge did, in records; `version` is the table's, `None` where nothing changed."""

    added: int = 0
    changed: int = 0
    unchanged: int = 0
    deleted: int = 0
    """Records that were not taken, as the lead that they go with is deleted."""
    version: int | None = None


@dataclass
class _Transaction:
    adds: list[AddAction] = field(default_factory=list)
    removes: list[LakeFile] = field(default_factory=list)
    added: int = 0
    changed: int = 0
    unchanged: int = 0
    deleted: int = 0


def merge(lake: Lake, table: Table, staging: Staging, moment: datetime) -> Merged:
    """Merge staged records into a table: all of them in one commit, or none.

    A record with a known key takes the place of the one that is there, in the columns that it
    has; the others stay. `moment` is the time of the change. Raises `ColumnChangedError`.
    """
    with lake.writing(table):
        snapshot = make_snapshot(lake, table)
        new_columns = {
            name: of for name, of in staging.columns.items() if name not in snapshot.columns
        }
        for name, of in staging.columns.items():
            if of != snapshot.columns.get(name, of):
                raise ColumnChangedError(f"{name}: {ColumnChangedError.__doc__}")
        # Asked while the table is held: what is deleted from here on, a sweep will find in it.
        deleted = None if table.depends_on is None else deleted_leads(lake)
        done = _Merger(table, snapshot, staging, moment, deleted).run()
        version = None
        if done.adds or done.removes:
            version = commit(
                lake,
                table,
                version=snapshot.version,
                adds=done.adds,
                removes=done.removes,
                new_columns=new_columns,
            )
    return Merged(
        added=done.added,
        changed=done.changed,
        unchanged=done.unchanged,
        deleted=done.deleted,
        version=version,
    )


class _Merger:
    def __init__(
        self,
        table: Table,
        snapshot: Snapshot,
        staging: Staging,
        moment: datetime,
        deleted: pl.Series | None,
    ) -> None:
        self._table = table
        self._snapshot = snapshot
        self._staging = staging
        self._moment = moment
        self._deleted = deleted
        self._key = staging.key
        self._columns = {**snapshot.columns, **staging.columns}
        self._files = by_partition(snapshot.files)
        self._leaving: dict[Any, list[Any]] = {}
        """By partition, the keys of records that the file puts into another one."""
        self._arriving: dict[Any, list[pl.DataFrame]] = {}
        """By partition, those records, as they are where they come from."""
        self._done = _Transaction()

    def run(self) -> _Transaction:
        """Work out the merge, partition by partition."""
        if not self._table.key_decides_partition:
            for keys in self._staging.staged_keys():
                self._find_moved(keys)
        for partition in sorted({*self._staging.partitions, *self._leaving}):
            self._partition(partition)
        return self._done

    def _find_moved(self, keys: pl.DataFrame) -> None:
        """Find records that `keys` puts into another partition than the one that they are in."""
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
        written, gone = [], [*self._leaving.get(partition, [])]
        if partition in self._staging.partitions:
            rows = self._read(partition)
            known = pl.concat([self._known(files, rows, rows.columns), *arriving])
            fresh, edited = self._compare(rows, known)
            written = [part for part in (fresh, edited) if part.height]
            came = {key for records in arriving for key in records[self._key + _OLD]}
            gone += [key for key in edited[self._key] if key not in came]
            self._done.added += fresh.height
            self._done.changed += edited.height
            self._done.unchanged += rows.height - fresh.height - edited.height
        if not written and not gone:
            return
        incoming = [pl.concat(written).sort(self._table.order).lazy()] if written else []
        if gone or len(files) >= MANY_FILES:
            self._done.removes += files
            if sum(file.records for file in files) > len(gone):
                incoming += [self._kept(file, gone) for file in files]
        if incoming:
            location = self._snapshot.location
            together = reduce(self._merge_sorted, incoming)
            self._done.adds.append(write_file(location, self._table, partition, together))

    def _read(self, partition: Any) -> pl.DataFrame:  # noqa: ANN401 - a day or a number
        """Return the staged records of a partition but those of leads that are deleted."""
        staged = self._staging.read(partition)
        if self._table.depends_on is None or self._deleted is None:
            return staged
        rows = without(self._deleted, staged, self._table.depends_on)
        self._done.deleted += staged.height - rows.height
        return rows

    def _compare(
        self, rows: pl.DataFrame, known: pl.DataFrame
    ) -> tuple[pl.DataFrame, pl.DataFrame]:
        """Return the rows that are new, and those that differ, both with all columns."""
        given = [name for name in rows.columns if name != self._key]
        joined = rows.join(known, on=self._key, how="left", maintain_order="left")
        is_new = joined[self._key + _OLD].is_null()
        fresh = joined.filter(is_new)
        differs = pl.any_horizontal(
            [pl.lit(value=False), *(pl.col(n).ne_missing(pl.col(n + _OLD)) for n in given)]
        )
        edited = joined.filter(~is_new).filter(differs)
        return self._complete(fresh, given, new=True), self._complete(edited, given, new=False)

    def _known(
        self, files: Sequence[LakeFile], rows: pl.DataFrame, given: Collection[str]
    ) -> pl.DataFrame:
        """Return the records of `files` that have the keys of `rows`.

        Columns that are given anew are named as old ones.
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
        """Return rows with all columns of the table: what is not given stays as it was."""
        if CHANGED_AT in self._columns:
            joined = joined.with_columns(self._stamps(given, new=new))
        return joined.select(list(self._columns))

    def _stamps(self, given: list[str], *, new: bool) -> list[pl.Expr]:
        """Return the times that a lead gets where the file does not say them.

        What is new was changed last when it says so; what differs is changed now, whatever its
        visible fields say, so that whoever asks for changes since the last time misses none.
        """
        now = pl.lit(self._moment, dtype=self._columns[CHANGED_AT])
        set_now = ["createdAt", "updatedAt"] if new else ["updatedAt"]
        stamps = [now.alias(name) for name in set_now if name not in given]
        if not new:
            return [*stamps, now.alias(CHANGED_AT)]
        stated = [pl.col(name) for name in ("createdAt", "updatedAt") if name in given]
        latest = pl.max_horizontal(stated) if stated else now
        return [*stamps, pl.coalesce(latest, now).alias(CHANGED_AT)]

    def _kept(self, file: LakeFile, gone: list[Any]) -> pl.LazyFrame:
        """Return the records of a file but those that are gone."""
        keys = pl.Series(gone, dtype=self._columns[self._key])
        return self._scan([file]).filter(~pl.col(self._key).is_in(keys.implode()))

    def _scan(self, files: Sequence[LakeFile]) -> pl.LazyFrame:
        """Return the records of files with all columns, also those that are new."""
        scan = self._snapshot.scan(files) if files else pl.LazyFrame(schema=self._snapshot.columns)
        return scan.with_columns(
            pl.lit(None, dtype=of).alias(name)
            for name, of in self._columns.items()
            if name not in self._snapshot.columns
        ).select(list(self._columns))

    def _merge_sorted(self, left: pl.LazyFrame, right: pl.LazyFrame) -> pl.LazyFrame:
        return left.merge_sorted(right, key=list(self._table.order))
