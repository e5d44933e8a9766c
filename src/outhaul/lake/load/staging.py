"""Where a file's records wait, in their types and by partition, until all of them are checked."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import polars as pl

from outhaul.lake.tables import Table


class Staging:
    """A folder of records to be merged into a table, a partition of which fits in memory."""

    def __init__(self, folder: Path, table: Table) -> None:
        self._folder = folder
        self._table = table
        self._parts: dict[Any, list[Path]] = {}
        self._count = 0
        self._casts: Mapping[str, pl.DataType] = {}
        self.columns: dict[str, pl.DataType] = {}
        """The columns that the file has, without the partition column."""

    def add(self, batch: pl.DataFrame) -> None:
        """Take a batch, in the order of the file."""
        table = self._table
        self.columns |= {name: of for name, of in batch.schema.items() if name != table.partition}
        by_partition = batch.with_columns(table.partition_value.alias(table.partition))
        for (value,), records in by_partition.partition_by(
            table.partition, as_dict=True, include_key=False, maintain_order=True
        ).items():
            path = self._folder / f"{self._count:08}.parquet"
            self._count += 1
            records.write_parquet(path, compression="lz4")
            self._parts.setdefault(value, []).append(path)

    def settle(self, types: Mapping[str, pl.DataType]) -> None:
        """Say the types of columns that were staged as text, now that all of it was seen."""
        self._casts = types
        self.columns |= types

    @property
    def partitions(self) -> list[Any]:
        """The partitions that there are records for, in order."""
        return sorted(self._parts)

    def read(self, partition: Any) -> pl.DataFrame:  # noqa: ANN401 - a day or a number
        """Return a partition's records in the table's order, the last of each key."""
        table = self._table
        key = [name for name in table.key if name != table.partition]
        return (
            self._scan(self._parts[partition])
            .unique(subset=key, keep="last", maintain_order=True)
            .sort(table.order)
            .collect()
        )

    def keys_by_partition(self) -> Iterator[tuple[Any, pl.LazyFrame]]:
        """Give each partition and the keys of its records."""
        for partition, paths in self._parts.items():
            yield partition, self._scan(paths).select(self._table.key)

    def _scan(self, paths: list[Path]) -> pl.LazyFrame:
        frames = [pl.scan_parquet(path, glob=False, hive_partitioning=False) for path in paths]
        together = pl.concat(frames, how="diagonal")
        missing = [
            pl.lit(None, dtype=of).alias(name)
            for name, of in self.columns.items()
            if name not in together.collect_schema().names()
        ]
        return together.with_columns(missing).with_columns(
            pl.col(name).cast(of) if of != pl.Boolean else pl.col(name) == "true"
            for name, of in self._casts.items()
        )
