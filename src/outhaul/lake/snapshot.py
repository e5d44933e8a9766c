"""A lake and its tables at one version: which files there are, and what they hold."""

import fcntl
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
from deltalake import DeltaTable, Field, Schema
from deltalake.exceptions import TableNotFoundError
from deltalake.schema import PrimitiveType

from outhaul.lake.predicates import Bounds
from outhaul.lake.tables import INSTANT, Table

_FROM_DELTA: Mapping[str, pl.DataType] = {
    "string": pl.String(),
    "long": pl.Int64(),
    "double": pl.Float64(),
    "boolean": pl.Boolean(),
    "date": pl.Date(),
    "timestamp": INSTANT,
}
_TO_DELTA = {str(ours): name for name, ours in _FROM_DELTA.items()}


@dataclass(frozen=True, kw_only=True)
class LakeFile:
    """One file of a table: where it is (under the table's folder) and what it holds."""

    path: str
    size: int
    records: int
    partition: Any
    bounds: Bounds


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """A table as it is at one version; it stays so, whatever is loaded later."""

    version: int
    folder: Path
    columns: Mapping[str, pl.DataType]
    """All columns but the one of the partition."""
    files: Sequence[LakeFile]
    """Sorted by partition."""

    def scan(self, files: Sequence[LakeFile]) -> pl.LazyFrame:
        """Return the records of some of its files, one file after the other."""
        return scan_files([self.folder / file.path for file in files], self.columns)


class Lake:
    """The tables of one subscription, in one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def snapshot(self, table: Table, version: int | None = None) -> Snapshot | None:
        """Return a table at a version, or as it is now; `None` where nothing was ever loaded."""
        opened = self._open(table, version)
        if opened is None:
            return None
        columns = {
            field.name: parse_type(field.type.type)
            for field in opened.schema().fields
            if field.name != table.partition and isinstance(field.type, PrimitiveType)
        }
        return Snapshot(
            version=opened.version(),
            folder=self.folder / table.name,
            columns=columns,
            files=_files(opened, table),
        )

    def create(self, table: Table) -> DeltaTable:
        """Return a table, made if there is none, for writing."""
        opened = self._open(table, None)
        if opened is not None:
            return opened
        columns = {table.partition: table.partition_type, **table.columns}
        return DeltaTable.create(
            self.folder / table.name,
            schema=Schema([delta_field(name, of) for name, of in columns.items()]),
            mode="ignore",
            partition_by=[table.partition],
            name=table.name,
        )

    @contextmanager
    def writing(self, table: Table) -> Iterator[None]:
        """Hold the table against other writers of this machine: a merge reads, then writes."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / f".{table.name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _open(self, table: Table, version: int | None) -> DeltaTable | None:
        folder = self.folder / table.name
        if not folder.exists():
            return None
        try:
            return DeltaTable(folder, version=version)
        except TableNotFoundError:
            return None


def scan_files(paths: Sequence[Path], columns: Mapping[str, pl.DataType]) -> pl.LazyFrame:
    """Return the records of Parquet files; a column that a file has not yet got is null there."""
    return pl.scan_parquet(
        list(paths),
        schema=dict(columns),
        missing_columns="insert",
        extra_columns="ignore",
        hive_partitioning=False,
        glob=False,
    )


def delta_field(name: str, of: pl.DataType) -> Field:
    """Return a column as Delta describes it."""
    return Field(name, PrimitiveType(type_name(of)))


def type_name(of: pl.DataType) -> str:
    """Return what Delta calls a type."""
    return _TO_DELTA[str(of)]


def parse_type(name: str) -> pl.DataType:
    """Return the type that Delta calls so."""
    return _FROM_DELTA[name]


def _files(opened: DeltaTable, table: Table) -> list[LakeFile]:
    actions = pl.DataFrame(opened.get_add_actions(flatten=True))
    partition = f"partition.{table.partition}"
    if actions.is_empty():
        return []
    found = []
    for action in actions.sort(partition, "path").iter_rows(named=True):
        bounds = {
            name: (action.get(f"min.{name}"), action.get(f"max.{name}"))
            for name in table.statistics
        }
        found.append(
            LakeFile(
                path=action["path"],
                size=action["size_bytes"],
                records=action["num_records"],
                partition=action[partition],
                bounds=bounds,
            )
        )
    return found
