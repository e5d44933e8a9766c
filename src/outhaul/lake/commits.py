"""Writing of files of a table, and commits that add and remove files."""

import json
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
from deltalake import CommitProperties, DeltaTable, Schema
from deltalake.exceptions import CommitFailedError
from deltalake.transaction import AddAction, RemoveAction, Transaction

from outhaul.lake.files import LakeFile
from outhaul.lake.snapshot import Lake, Snapshot, delta_field
from outhaul.lake.tables import Table
from outhaul.storage.location import Location

ROW_GROUP = 50_000
"""Records in a row group of a file. A scan reads whole row groups."""

_AT_ONCE = CommitProperties(max_commit_retries=0)
"""A commit creates the version after the one that it was made from, or fails."""

_MILLISECOND = timedelta(milliseconds=1)
_LAST = datetime.max.replace(microsecond=999_000, tzinfo=UTC)


@dataclass(frozen=True)
class Cursor:
    """How far a stream of records has been read, stored by the commit of its records.

    It is an application transaction of Delta: a table has the last number of each name. Later
    commits, compaction, checkpoints and the removal of old log files keep it. `Lake.cursor` reads
    it.
    """

    name: str
    number: int


class TableChangedError(ValueError):
    """Another load changed the table at the same time; load the file again."""


def make_snapshot(lake: Lake, table: Table) -> Snapshot:
    """Return the current snapshot of a table, which is created if it is missing.

    The caller must hold the table (`Lake.writing`).
    """
    snapshot = lake.snapshot(table)
    if snapshot is None:
        snapshot = lake.snapshot(table, lake.create(table).version())
    assert snapshot is not None  # noqa: S101 - the table was created
    return snapshot


def write_file(
    location: Location,
    table: Table,
    partition: Any,  # noqa: ANN401 - a value of the partition column, of any type
    records: pl.LazyFrame,
) -> AddAction:
    """Write sorted records of one partition as a file, and return the action that adds it.

    The file is synced to the disk, so that a power cut cannot remove a file of a later commit.
    """
    value = str(partition)
    path = f"{table.partition}={value}/{uuid.uuid4()}.parquet"
    with location.writing(path) as target:
        records.sink_parquet(
            target,
            compression="zstd",
            row_group_size=ROW_GROUP,
            mkdir=True,
            sync_on_close="all",
            maintain_order=True,
        )
        size = target.stat().st_size
        statistics = _statistics(target, table)
    return AddAction(
        path=path,
        size=size,
        partition_values={table.partition: value},
        modification_time=_milliseconds(),
        data_change=True,
        stats=json.dumps(statistics),
    )


def commit(  # noqa: PLR0913 - the table, its version, and the changes
    lake: Lake,
    table: Table,
    *,
    version: int,
    adds: Sequence[AddAction],
    removes: Sequence[LakeFile],
    new_columns: Mapping[str, pl.DataType] | None = None,
    changes_data: bool = True,
    cursors: Sequence[Cursor] = (),
) -> int:
    """Add files to a table and remove others, in one commit, and return the new version.

    `version` is the version that the files were made from. If the table has a later version, of a
    writer that did not hold the table, this raises `TableChangedError` and changes nothing. New
    columns are added before, in a commit of their own; they are null until the files are added.
    `changes_data` is false if the records stay the same: readers of changes then skip the commit.
    The commit of the files also stores `cursors`.
    """
    adds = [replace(add, data_change=changes_data) for add in adds]
    opened = lake.at(table, version)
    try:
        removals = _removals(table, removes, changes_data)
        return _commit(opened, table, adds, removals, new_columns or {}, _properties(cursors))
    except CommitFailedError as error:
        raise TableChangedError(f"{table.name}: {TableChangedError.__doc__}") from error


def replace_all(
    lake: Lake,
    table: Table,
    *,
    version: int,
    adds: Sequence[AddAction],
    types: Mapping[str, pl.DataType],
) -> int:
    """Replace all files of a table, and the types of some columns, in one commit.

    Return the new version. `version` is as for `commit`, which also says what this raises.
    """
    opened = lake.at(table, version)
    fields = [
        delta_field(field.name, types[field.name]) if field.name in types else field
        for field in opened.schema().fields
    ]
    try:
        opened.create_write_transaction(
            actions=[*adds],
            mode="overwrite",
            schema=Schema(fields),
            partition_by=[table.partition],
            commit_properties=_AT_ONCE,
        )
    except CommitFailedError as error:
        raise TableChangedError(f"{table.name}: {TableChangedError.__doc__}") from error
    return version + 1


def _properties(cursors: Sequence[Cursor]) -> CommitProperties:
    return CommitProperties(
        max_commit_retries=_AT_ONCE.max_commit_retries,
        app_transactions=[Transaction(cursor.name, cursor.number) for cursor in cursors],
    )


def _commit(  # noqa: PLR0913, PLR0917 - as `commit`
    opened: DeltaTable,
    table: Table,
    adds: Sequence[AddAction],
    removes: Sequence[RemoveAction],
    new_columns: Mapping[str, pl.DataType],
    properties: CommitProperties,
) -> int:
    before = opened.version()
    if new_columns:
        opened.alter.add_columns(
            [delta_field(name, of) for name, of in new_columns.items()],
            commit_properties=_AT_ONCE,
        )
        before += 1
        opened.load_as_version(before)
    opened.create_write_transaction(
        actions=[*adds, *removes],
        mode="append",
        schema=opened.schema(),
        partition_by=[table.partition],
        commit_properties=properties,
    )
    return before + 1


def _removals(table: Table, files: Sequence[LakeFile], changes_data: bool) -> list[RemoveAction]:
    return [
        RemoveAction(
            path=file.path,
            data_change=changes_data,
            deletion_timestamp=_milliseconds(),
            size=file.size,
            partition_values={table.partition: str(file.partition)},
        )
        for file in files
    ]


def _statistics(path: Path, table: Table) -> dict[str, Any]:
    """Return the statistics of a file in the form of Delta: number of records, bounds, nulls."""
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
    """Return a bound in the form of Delta. Moments are in milliseconds, rounded outwards."""
    if isinstance(value, datetime):
        cut = value.astimezone(UTC).replace(microsecond=value.microsecond // 1000 * 1000)
        if up and cut < value:
            cut = min(cut, _LAST - _MILLISECOND) + _MILLISECOND
        return cut.replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"
    return value.isoformat() if isinstance(value, date) else value


def _milliseconds() -> int:
    return time.time_ns() // 1_000_000
