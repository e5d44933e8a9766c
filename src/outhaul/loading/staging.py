"""Staging of the records of a file, by partition, until all of them are checked."""

import fcntl
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp
from typing import Any

import polars as pl

from outhaul.lake.failures import named_failures
from outhaul.lake.merges import Winners
from outhaul.lake.tables import Table
from outhaul.records.conversions import convert

_PREFIX = ".staging-"
_RECORD = "outhaul_record"
KEYS_AT_ONCE = 1_000_000
"""The number of keys in memory at a time."""


@contextmanager
def staging_folder(lake: Path) -> Iterator[Path]:
    """Yield a new folder for a load, and remove folders of loads that were killed.

    A load locks its folder; the lock ends with the process. Raises `LakeError` if the folder cannot
    be created.
    """
    with named_failures():
        lake.mkdir(parents=True, exist_ok=True)
        folder, held = _made(lake)
    try:
        yield folder
    finally:
        rmtree(folder, ignore_errors=True)
        os.close(held)


def _made(lake: Path) -> tuple[Path, int]:
    with (lake / ".staging.lock").open("w") as making:
        fcntl.flock(making, fcntl.LOCK_EX)
        for left in lake.glob(f"{_PREFIX}*"):
            _remove_abandoned(left)
        folder = Path(mkdtemp(prefix=_PREFIX, dir=lake))
        held = os.open(folder, os.O_RDONLY)
        fcntl.flock(held, fcntl.LOCK_EX)
        return folder, held


def _remove_abandoned(folder: Path) -> None:
    try:
        held = os.open(folder, os.O_RDONLY)
    except FileNotFoundError:
        return  # its load has removed it
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        rmtree(folder, ignore_errors=True)
    except BlockingIOError:
        pass  # its load is still running
    finally:
        os.close(held)


class Staging:
    """A folder with the records to merge into a table. One partition must fit in memory."""

    def __init__(self, folder: Path, table: Table) -> None:
        self._folder = folder
        self._table = table
        self.key = table.partition_key
        self._files: dict[Any, list[Path]] = {}
        self._count = 0
        self._records = 0
        self._types: Mapping[str, pl.DataType] = {}
        self._superseded: dict[Any, list[Any]] = {}
        self._moved = False
        self.columns: dict[str, pl.DataType] = {}
        """The columns that the file has, without the partition column."""

    def add(self, batch: pl.DataFrame) -> None:
        """Add a batch. Batches must be in the order of the file."""
        table = self._table
        self.columns |= {name: of for name, of in batch.schema.items() if name != table.partition}
        numbered = batch.with_row_index(_RECORD, offset=self._records)
        self._records += batch.height
        self._write(numbered)

    def follow(self, winners: Winners) -> None:
        """Have records refer to the winner instead of a lead that lost in a merge."""
        table = self._table
        if winners.is_empty or table.lead_reference not in self.columns:
            return
        for partition, paths in [*self._files.items()]:
            for path in paths:
                staged = pl.scan_parquet(path, glob=False, hive_partitioning=False)
                if table.lead_reference not in staged.collect_schema():
                    continue
                leads = staged.select(pl.col(table.lead_reference).unique()).collect()
                among = winners.only(leads.to_series())
                if among.is_empty:
                    continue
                followed = staged.with_columns(among.followed(table)).collect()
                if table.lead_decides_partition:
                    self._files[partition] = [p for p in self._files[partition] if p != path]
                    self._write(followed)
                    self._moved = True
                else:
                    followed.write_parquet(path, compression="lz4")
        if self._moved:
            self._files = {name: paths for name, paths in self._files.items() if paths}
            self._superseded = {} if table.key_decides_partition else self._find_superseded()

    def _write(self, records: pl.DataFrame) -> None:
        table = self._table
        by_partition = records.with_columns(table.partition_value.alias(table.partition))
        for (value,), found in by_partition.partition_by(
            table.partition, as_dict=True, include_key=False, maintain_order=True
        ).items():
            path = self._folder / f"{self._count:08}.parquet"
            self._count += 1
            found.write_parquet(path, compression="lz4")
            self._files.setdefault(value, []).append(path)

    def settle(self, types: Mapping[str, pl.DataType]) -> None:
        """End the staging. `types` are those of the columns that were staged as texts."""
        self._types = types
        self.columns |= types
        if not self._table.key_decides_partition:
            self._superseded = self._find_superseded()

    @property
    def partitions(self) -> list[Any]:
        """The partitions that have records, in order."""
        return sorted(self._files)

    def read(self, partition: Any) -> pl.DataFrame:  # noqa: ANN401 - a day or a number
        """Return the last record of each key in a partition, in the order of the table."""
        frames = [
            pl.scan_parquet(path, glob=False, hive_partitioning=False)
            for path in self._files[partition]
        ]
        together = pl.concat(frames, how="diagonal")
        chosen = self._last_in_order(together, partition)
        staged = together.collect()
        if not staged[_RECORD].equals(chosen):
            staged = chosen.to_frame().join(staged, on=_RECORD, maintain_order="left")
        typed = [convert(staged[name], of) for name, of in self._types.items() if name in staged]
        missing = [
            pl.lit(None, dtype=of).alias(name)
            for name, of in self.columns.items()
            if name not in staged.columns
        ]
        return staged.with_columns(*typed, *missing).select(list(self.columns))

    def _last_in_order(self, together: pl.LazyFrame, partition: Any) -> pl.Series:  # noqa: ANN401
        """Return the numbers of the last record of each key, in the order of the table.

        Only the columns that decide are read. Sorting whole records would take their memory a few
        times over, and most files have them in order already.
        """
        superseded = pl.Series(self._superseded.get(partition, []), dtype=self.columns[self.key])
        deciding = dict.fromkeys([_RECORD, self.key, *self._table.order])
        keys = together.select(*deciding).collect(engine="streaming")
        return (
            (keys.sort(_RECORD) if self._moved else keys)
            .filter(~pl.col(self.key).is_in(superseded.implode()))
            .unique(subset=self.key, keep="last", maintain_order=True)
            .sort(self._table.order)[_RECORD]
        )

    def staged_keys(self) -> Iterator[pl.DataFrame]:
        """Yield the keys of all records with their partitions, in batches."""
        waiting: list[pl.DataFrame] = []
        for partition, paths in self._files.items():
            superseded = self._superseded.get(partition, [])
            waiting.append(
                self._scan_keys(partition, paths)
                .select(self.key, self._table.partition)
                .unique()
                .collect()
                .filter(~pl.col(self.key).is_in(superseded))
            )
            if sum(keys.height for keys in waiting) >= KEYS_AT_ONCE:
                yield pl.concat(waiting)
                waiting = []
        if waiting:
            yield pl.concat(waiting)

    def last_of(self, condition: pl.Expr, columns: Sequence[str]) -> pl.DataFrame:
        """Return columns of the records that match a condition and are the last of their key.

        The key of the table must be one column.
        """
        paths = [path for paths in self._files.values() for path in paths]
        named = sorted({self.key, _RECORD, *columns, *condition.meta.root_names()})
        scans = [pl.scan_parquet(path, glob=False, hive_partitioning=False) for path in paths]
        everything = pl.concat(
            [
                scan.select([name for name in named if name in scan.collect_schema()])
                for scan in scans
            ],
            how="diagonal",
        )
        absent = [pl.lit(None).alias(name) for name in named if name not in self.columns]
        everything = everything.with_columns(absent)
        return (
            everything.join(everything.filter(condition), on=self.key, how="semi")
            .collect(engine="streaming")
            .sort(_RECORD)
            .unique(subset=self.key, keep="last", maintain_order=True)
            .filter(condition)
            .select(columns)
        )

    def _find_superseded(self) -> dict[Any, list[Any]]:
        """Return, by partition, keys of which the file has a later record in another partition."""
        partition = self._table.partition
        scanned = [self._scan_keys(value, paths) for value, paths in self._files.items()]
        if len(scanned) < 2:  # noqa: PLR2004 - there is no other partition
            return {}
        everything = pl.concat(scanned)
        # Equal keys have equal hashes, which need less memory.
        hashed = pl.col(self.key).hash()
        again = (
            everything.group_by(hashed.alias("hash"))
            .agg(pl.col(partition).min().alias("first"), pl.col(partition).max().alias("last"))
            .filter(pl.col("first") != pl.col("last"))
            .select("hash")
            .collect(engine="streaming")["hash"]
        )
        if again.is_empty():
            return {}
        superseded = (
            everything.filter(hashed.is_in(again.implode()))
            .sort(_RECORD)
            .unique(subset=[self.key, partition], keep="last", maintain_order=True)
            .filter(pl.int_range(pl.len()).over(self.key) < pl.len().over(self.key) - 1)
            .collect()
        )
        return {
            value: keys[self.key].to_list()
            for (value,), keys in superseded.partition_by(partition, as_dict=True).items()
        }

    def _scan_keys(self, partition: Any, paths: list[Path]) -> pl.LazyFrame:  # noqa: ANN401
        """Return the keys of a partition's records, with their positions in the file."""
        frames = [pl.scan_parquet(path, glob=False, hive_partitioning=False) for path in paths]
        value = pl.lit(partition, dtype=self._table.partition_type).alias(self._table.partition)
        return pl.concat([frame.select(self.key, _RECORD) for frame in frames]).with_columns(value)
