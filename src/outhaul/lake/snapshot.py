"""A lake, and snapshots of its tables: the files that a table has at one version."""

import fcntl
import hashlib
import os
import re
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
from deltalake import DeltaTable, Field, Schema
from deltalake.exceptions import TableNotFoundError
from deltalake.schema import PrimitiveType

from outhaul.database.engine import Database
from outhaul.lake.failures import LakeError, named_failures
from outhaul.lake.files import LakeFile
from outhaul.lake.tables import Table, parse_type, type_name
from outhaul.settings import Settings
from outhaul.storage.location import Location

_READ_RETRIES = 4
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

# In a path, deltalake decodes percent signs, and reads a backslash as a slash.
_MISREAD = re.compile(r"%[0-9A-Fa-f]{2}|\\")

Hold = Callable[[str], AbstractContextManager[None]]
"""A lock by name, exclusive across machines."""


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """A table at one version. It never changes: later loads make new versions."""

    version: int
    """The version of the table in Delta."""
    location: Location
    """The folder of the table."""
    columns: Mapping[str, pl.DataType]
    """All columns but the partition column."""
    files: Sequence[LakeFile]
    """Sorted by partition."""

    def scan(self, files: Sequence[LakeFile]) -> pl.LazyFrame:
        """Return the records of some files of the snapshot, one file after the other."""
        return _scan(self.location, [file.path for file in files], self.columns)


class Lake:
    """The tables of one subscription, in a folder or under a prefix of a bucket.

    `hold` is a lock that is exclusive across machines; without it, only the writers of this machine
    exclude each other.
    """

    def __init__(self, location: Path | Location, hold: Hold | None = None) -> None:
        self.location = Location.of(location)
        self._hold = hold

    @property
    def folder(self) -> Path:
        """A folder of this machine for locks and temporary files; the lake's, if it is a folder."""
        name = hashlib.sha256(self.location.url.encode()).hexdigest()[:16]
        local = Path(tempfile.gettempdir()) / f"outhaul-{os.getuid()}" / name
        return self.location.folder or local

    def scan(
        self, table: str, paths: Sequence[str], columns: Mapping[str, pl.DataType] | None
    ) -> pl.LazyFrame:
        """Return the records of files of a table, which are given as paths under its folder.

        If `columns` is `None`, the columns are those of the files, which must all have the same.
        """
        return _scan(self.location / table, paths, columns)

    def snapshot(self, table: Table, version: int | None = None) -> Snapshot | None:
        """Return a table at a version, by default the newest; `None` if nothing was ever loaded."""
        opened = self.opened(table, version)
        if opened is None:
            return None
        columns = {
            field.name: parse_type(field.type.type)
            for field in opened.schema().fields
            if field.name != table.partition and isinstance(field.type, PrimitiveType)
        }
        return Snapshot(
            version=opened.version(),
            location=self.location / table.name,
            columns=columns,
            files=_files(opened, table),
        )

    def cursor(self, table: Table, name: str) -> int | None:
        """Return the number of a cursor (`outhaul.lake.commits.Cursor`); `None` if it has none."""
        opened = self.opened(table)
        if opened is None:
            return None
        with named_failures():
            return opened.transaction_version(name)

    def at(self, table: Table, version: int) -> DeltaTable:
        """Return an existing table at a version, for writing."""
        location = self.location / table.name
        return DeltaTable(_uri(location), version=version, storage_options=_options(location))

    def create(self, table: Table) -> DeltaTable:
        """Return a table for writing. It is created if it does not exist."""
        opened = self.opened(table)
        if opened is not None:
            return opened
        columns = {table.partition: table.partition_type, **table.columns}
        return DeltaTable.create(
            _uri(self.location / table.name),
            schema=Schema([delta_field(name, of) for name, of in columns.items()]),
            mode="ignore",
            partition_by=[table.partition],
            name=table.name,
            storage_options=_options(self.location),
        )

    @contextmanager
    def writing(self, table: Table) -> Iterator[None]:
        """Exclude other writers of a table, because a merge reads the table before it writes.

        A lock file excludes writers of this machine, and the lock `hold` those of other machines.
        If the connection of `hold` is lost in the block, another writer may commit; the commit of
        this one then fails (`TableChangedError`). Raises `LakeError` for failures in the block.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / f".{table.name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            held = self._hold(f"{self.location.url}/{table.name}") if self._hold else nullcontext()
            with held, named_failures():
                self.location.check_put_if_absent()
                yield

    def opened(self, table: Table, version: int | None = None) -> DeltaTable | None:
        """Return a table as an object of deltalake; `None` if nothing was ever loaded.

        Raises `LakeError` if it cannot be read.
        """
        location = self.location / table.name
        if not location.exists:
            return None
        with named_failures():
            try:
                return DeltaTable(
                    _uri(location), version=version, storage_options=_options(location)
                )
            except TableNotFoundError:
                return None


class Snapshots:
    """Snapshots of the tables of a lake. Each table is opened once, so it has one version here."""

    def __init__(self, lake: Lake, known: Mapping[str, Snapshot | None] | None = None) -> None:
        self._lake = lake
        self._found: dict[str, Snapshot | None] = dict(known or {})

    def of(self, table: Table) -> Snapshot | None:
        """Return the snapshot of a table; `None` if nothing was ever loaded. Raises `LakeError`."""
        if table.name not in self._found:
            self._found[table.name] = self._lake.snapshot(table)
        return self._found[table.name]


def open_lake(settings: Settings, subscription: str, database: Database) -> Lake:
    """Return the lake of a subscription.

    Machines that share a lake also share the database, whose locks exclude writers of other
    machines. (SQLite has no such locks, because only one machine can use it.)
    """
    hold = database.hold if database.is_postgresql else None
    return Lake(location_of_lakes(settings) / subscription, hold)


def location_of_lakes(settings: Settings) -> Location:
    """Return the location under which each subscription has its lake."""
    if settings.lake_url is None:
        return Location.of(settings.lake_folder)
    return Location.at(settings.lake_url, settings)


def check_lakes(settings: Settings, *, writes: bool = False) -> None:
    """Return if the lakes can be read; if `writes`, also if commits to tables are safe.

    Raises `LakeError`.
    """
    location = location_of_lakes(settings)
    with named_failures():
        _uri(location)
        location.check()
        if writes:
            location.check_put_if_absent()


def delta_field(name: str, of: pl.DataType) -> Field:
    """Return a column as a field of Delta."""
    return Field(name, PrimitiveType(type_name(of)))


def _uri(location: Location) -> str:
    """Return a location as deltalake expects it. Raises `LakeError` if that is not possible."""
    if location.folder is None:
        return location.url
    # deltalake may read a relative path as a URL.
    path = str(location.folder.absolute())
    if _MISREAD.search(path):
        raise LakeError(
            "tables cannot be opened in a folder with % and two hexadecimal digits, or with a "
            "backslash, in its path: give it another name"
        )
    return path


def _options(location: Location) -> dict[str, str]:
    return {**location.options, "max_retries": str(_READ_RETRIES)} if location.options else {}


def _scan(
    location: Location, paths: Sequence[str], columns: Mapping[str, pl.DataType] | None
) -> pl.LazyFrame:
    """Return the records of Parquet files. A column that a file does not have is null.

    If `columns` is `None`, the columns are those of the files, which must all have the same.
    """
    options: dict[str, Any] | None = None
    if location.options:
        options = {**location.options, "max_retries": _READ_RETRIES}
    return pl.scan_parquet(
        [f"{location.url}/{path}" for path in paths],
        schema=None if columns is None else dict(columns),
        missing_columns="insert",
        extra_columns="ignore",
        hive_partitioning=False,
        glob=False,
        storage_options=options,
    )


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
                written_at=_EPOCH + timedelta(milliseconds=action["modification_time"]),
            )
        )
    return found
