"""Merging records into a table by their key, as one commit; records that are there stay as is.

A partition is touched only where a record of it is new or differs. New records go into a file of
their own beside the others; where a record changed, or the files have become many, the partition
is written anew. All files stay sorted, so an export merges a few of them and never sorts.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import reduce
from typing import Any

import polars as pl
from deltalake.transaction import AddAction

from outhaul.lake.load.staging import Staging
from outhaul.lake.snapshot import Lake, LakeFile, Snapshot
from outhaul.lake.tables import CHANGED_AT, Table
from outhaul.lake.writing import commit, write_file

MANY_FILES = 8
"""Files of a partition from which the next load writes it anew."""

_OLD = "__old"


@dataclass(frozen=True, kw_only=True)
class Merged:
    """What a merge did, in records; `version` is the table's, `None` where nothing changed."""

    added: int = 0
    changed: int = 0
    unchanged: int = 0
    version: int | None = None


@dataclass
class _Transaction:
    adds: list[AddAction] = field(default_factory=list)
    removes: list[LakeFile] = field(default_factory=list)
    added: int = 0
    changed: int = 0
    unchanged: int = 0


def merge(lake: Lake, table: Table, staging: Staging, moment: datetime) -> Merged:
    """Merge staged records into a table: all of them in one commit, or none.

    A record with a known key takes the place of the one that is there, in the columns that it
    has; the others stay. `moment` is the time of the change.
    """
    with lake.writing(table):
        snapshot = lake.snapshot(table)
        if snapshot is None:
            opened = lake.create(table)
            snapshot = lake.snapshot(table, opened.version())
        assert snapshot is not None  # noqa: S101 - it was made
        new_columns = {
            name: of for name, of in staging.columns.items() if name not in snapshot.columns
        }
        merger = _Merger(table, snapshot, staging, moment)
        done = merger.run()
        version = None
        if done.adds or done.removes:
            version = commit(
                lake, table, adds=done.adds, removes=done.removes, new_columns=new_columns
            )
    return Merged(added=done.added, changed=done.changed, unchanged=done.unchanged, version=version)


class _Merger:
    def __init__(
        self, table: Table, snapshot: Snapshot, staging: Staging, moment: datetime
    ) -> None:
        self._table = table
        self._snapshot = snapshot
        self._staging = staging
        self._moment = moment
        # Within a partition, one column is enough to tell records apart.
        (self._key,) = (name for name in table.key if name != table.partition)
        self._columns = {**snapshot.columns, **staging.columns}
        self._files: dict[Any, list[LakeFile]] = {}
        for file in snapshot.files:
            self._files.setdefault(file.partition, []).append(file)
        self._done = _Transaction()

    def run(self) -> _Transaction:
        """Work out the merge, partition by partition."""
        moved = self._moved()
        staged = self._staging.partitions
        for partition in sorted({*staged, *moved}):
            rows = self._staging.read(partition) if partition in staged else None
            self._partition(partition, rows, moved.get(partition, []))
        return self._done

    def _moved(self) -> dict[Any, list[Any]]:
        """Return, by partition, the keys of records that the file puts into another partition.

        Only where the key does not decide the partition: an activity whose date was corrected.
        """
        table = self._table
        if set(table.partition_value.meta.root_names()) <= set(table.key):
            return {}
        moved: dict[Any, list[Any]] = {}
        for partition, keys in self._staging.keys_by_partition():
            least, greatest = (
                keys.select(
                    pl.col(self._key).min().alias("least"),
                    pl.col(self._key).max().alias("greatest"),
                )
                .collect()
                .row(0)
            )
            for file in self._snapshot.files:
                low, high = file.bounds[self._key]
                if file.partition == partition or (low is not None and high < least):
                    continue
                if low is not None and low > greatest:
                    continue
                found = (
                    self._snapshot.scan([file])
                    .select(self._key)
                    .join(keys, on=self._key, how="semi")
                    .collect(engine="streaming")
                )
                if found.height:
                    moved.setdefault(file.partition, []).extend(found[self._key].to_list())
        return moved

    def _partition(self, partition: Any, rows: pl.DataFrame | None, moved: Sequence[Any]) -> None:  # noqa: ANN401
        files = self._files.get(partition, [])
        fresh, edited = self._compare(files, rows) if rows is not None else (None, None)
        n_fresh = fresh.height if fresh is not None else 0
        n_edited = edited.height if edited is not None else 0
        self._done.added += n_fresh
        self._done.changed += n_edited
        self._done.unchanged += (rows.height if rows is not None else 0) - n_fresh - n_edited
        # A record that moved was counted as new where it went.
        self._done.added -= len(moved)
        self._done.changed += len(moved)
        if not n_fresh and not n_edited and not moved:
            return
        written = [part for part in (fresh, edited) if part is not None and part.height]
        incoming = [pl.concat(written).sort(self._table.order).lazy()] if written else []
        if n_edited or moved or len(files) >= MANY_FILES:
            gone = [*moved, *(edited[self._key].to_list() if edited is not None else [])]
            incoming += [self._kept(file, gone) for file in files]
            self._done.removes += files
        if incoming:
            together = reduce(self._merge_sorted, incoming)
            folder = self._snapshot.folder
            self._done.adds.append(write_file(folder, self._table, partition, together))

    def _compare(
        self, files: Sequence[LakeFile], rows: pl.DataFrame
    ) -> tuple[pl.DataFrame, pl.DataFrame]:
        """Return the rows that are new, and those that differ, both with all columns."""
        given = [name for name in rows.columns if name != self._key]
        known = self._known(files, rows)
        joined = rows.join(known, on=self._key, how="left", suffix=_OLD, maintain_order="left")
        is_new = joined[f"{self._key}{_OLD}"].is_null()
        fresh = joined.filter(is_new)
        differs = pl.any_horizontal(
            [pl.lit(value=False), *(pl.col(n).ne_missing(pl.col(n + _OLD)) for n in given)]
        )
        edited = joined.filter(~is_new).filter(differs)
        return self._complete(fresh, given, new=True), self._complete(edited, given, new=False)

    def _known(self, files: Sequence[LakeFile], rows: pl.DataFrame) -> pl.DataFrame:
        """Return the records of `files` that have the keys of `rows`, their columns as old ones."""
        old = {name: f"{name}{_OLD}" for name in self._columns if name in rows.columns}
        scan = (
            self._snapshot.scan(files)
            if files
            else pl.LazyFrame(schema=dict(self._snapshot.columns))
        )
        absent = [
            pl.lit(None, dtype=of).alias(name)
            for name, of in self._columns.items()
            if name not in self._snapshot.columns
        ]
        return (
            scan.with_columns(absent)
            .join(rows.lazy().select(self._key), on=self._key, how="semi")
            .rename({name: new for name, new in old.items() if name != self._key})
            .with_columns(pl.col(self._key).alias(old[self._key]))
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
        of = self._columns[self._key]
        absent = [
            pl.lit(None, dtype=dtype).alias(name)
            for name, dtype in self._columns.items()
            if name not in self._snapshot.columns
        ]
        return (
            self._snapshot.scan([file])
            .with_columns(absent)
            .filter(~pl.col(self._key).is_in(pl.Series(gone, dtype=of).implode()))
            .select(list(self._columns))
        )

    def _merge_sorted(self, left: pl.LazyFrame, right: pl.LazyFrame) -> pl.LazyFrame:
        return left.merge_sorted(right, key=list(self._table.order))
