"""New files of a table, and the one transaction that puts them in place of others."""

import json
import time
import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
from deltalake.transaction import AddAction, RemoveAction

from outhaul.lake.snapshot import Lake, LakeFile, Snapshot, delta_field
from outhaul.lake.tables import Table

ROW_GROUP = 50_000
"""Records in a row group: what a slice of a partition reads at least."""

_MILLISECOND = timedelta(milliseconds=1)
_LAST = datetime.max.replace(microsecond=999_000, tzinfo=UTC)


def make_snapshot(lake: Lake, table: Table) -> Snapshot:
    """Return a table as it is, made if there is none, for one who holds it (`Lake.writing`)."""
    snapshot = lake.snapshot(table)
    if snapshot is None:
        snapshot = lake.snapshot(table, lake.create(table).version())
    assert snapshot is not None  # noqa: S101 - it was made
    return snapshot


def write_file(folder: Path, table: Table, partition: Any, records: pl.LazyFrame) -> AddAction:  # noqa: ANN401
    """Write sorted records of one partition as a file; return it as the transaction adds it.

    The file is synced to the disk: a transaction never names one that a power cut may take.
    """
    value = str(partition)
    path = f"{table.partition}={value}/{uuid.uuid4()}.parquet"
    target = folder / path
    records.sink_parquet(
        target,
        compression="zstd",
        row_group_size=ROW_GROUP,
        mkdir=True,
        sync_on_close="all",
        maintain_order=True,
    )
    return AddAction(
        path=path,
        size=target.stat().st_size,
        partition_values={table.partition: value},
        modification_time=_milliseconds(),
        data_change=True,
        stats=json.dumps(_statistics(target, table)),
    )


def commit(
    lake: Lake,
    table: Table,
    *,
    adds: Sequence[AddAction],
    removes: Sequence[LakeFile],
    new_columns: Mapping[str, pl.DataType],
) -> int:
    """Put files into a table and take others out, all at once; return the version that this makes.

    New columns come first, in a version of their own: they are null until the files are there.
    """
    opened = lake.create(table)
    if new_columns:
        opened.alter.add_columns([delta_field(name, of) for name, of in new_columns.items()])
        opened.update_incremental()
    gone = [
        RemoveAction(
            path=file.path,
            data_change=True,
            deletion_timestamp=_milliseconds(),
            size=file.size,
            partition_values={table.partition: str(file.partition)},
        )
        for file in removes
    ]
    opened.create_write_transaction(
        actions=[*adds, *gone],
        mode="append",
        schema=opened.schema(),
        partition_by=[table.partition],
    )
    opened.update_incremental()
    return opened.version()


def _statistics(path: Path, table: Table) -> dict[str, Any]:
    """Return a file's statistics in Delta's form: number of records, bounds, nulls."""
    columns = table.statistics
    found = (
        pl.scan_parquet(path, hive_partitioning=False, glob=False)
        .select(
            pl.len().alias("records"),
            *(pl.col(name).min().alias(f"min.{name}") for name in columns),
            *(pl.col(name).max().alias(f"max.{name}") for name in columns),
            *(pl.col(name).null_count().alias(f"nulls.{name}") for name in columns),
        )
        .collect(engine="streaming")
        .row(0, named=True)
    )
    known = [name for name in columns if found[f"min.{name}"] is not None]
    return {
        "numRecords": found["records"],
        "minValues": {name: _bound(found[f"min.{name}"], up=False) for name in known},
        "maxValues": {name: _bound(found[f"max.{name}"], up=True) for name in known},
        "nullCount": {name: found[f"nulls.{name}"] for name in columns},
    }


def _bound(value: object, *, up: bool) -> object:
    """Return a bound as Delta writes it: moments in milliseconds, away from the records."""
    if isinstance(value, datetime):
        cut = value.astimezone(UTC).replace(microsecond=value.microsecond // 1000 * 1000)
        if up and cut < value:
            cut = min(cut, _LAST - _MILLISECOND) + _MILLISECOND
        return cut.replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"
    return value.isoformat() if isinstance(value, date) else value


def _milliseconds() -> int:
    return time.time_ns() // 1_000_000
