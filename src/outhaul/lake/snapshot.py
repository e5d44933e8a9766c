"""A lake and its tables at one version: which files there are, and what they hold."""

import fcntl
import hashlib
import os
import re
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
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

# deltalake decodes the first, and takes the second for a slash.
_MISREAD = re.compile(r"%[0-9A-Fa-f]{2}|\\")

Hold = Callable[[str], AbstractContextManager[None]]
"""A lock by name, exclusive across machines."""


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """A table as it is at one version; it stays so, whatever is loaded later."""

    version: int
    location: Location
    columns: Mapping[str, pl.DataType]
    """All columns but the one of the partition."""
    files: Sequence[LakeFile]
    """Sorted by partition."""

    def scan(self, files: Sequence[LakeFile]) -> pl.LazyFrame:
        """Return the records of some of its files, one file after the other."""
        return _scan(self.location, [file.path for file in files], self.columns)


class Lake:
    """The tables of one subscription, in one folder of this machine or of a bucket."""

    def __init__(self, location: Path | Location, hold: Hold | None = None) -> None:
        self.location = Location.of(location)
        self._hold = hold

    @property
    def folder(self) -> Path:
        """A folder of this machine: the lake's own, or one for what is on its way to a bucket."""
        name = hashlib.sha256(self.location.url.encode()).hexdigest()[:16]
        local = Path(tempfile.gettempdir()) / f"outhaul-{os.getuid()}" / name
        return self.location.folder or local

    def scan(
        self, table: str, paths: Sequence[str], columns: Mapping[str, pl.DataType] | None
    ) -> pl.LazyFrame:
        """Return the records of files of a table, given as paths under its folder.

        With `None` for the columns, each file has those that it has.
        """
        return _scan(self.location / table, paths, columns)

    def snapshot(self, table: Table, version: int | None = None) -> Snapshot | None:
        """Return a table at a version, or as it is now; `None` where nothing was ever loaded."""
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

    def at(self, table: Table, version: int) -> DeltaTable:
        """Return a table that is there, at a version, for writing."""
        location = self.location / table.name
        return DeltaTable(_uri(location), version=version, storage_options=_options(location))

    def create(self, table: Table) -> DeltaTable:
        """Return a table, made if there is none, for writing."""
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
        """Hold the table against other writers: a merge reads, then writes.

        Those of this machine are held off by a lock of its own, those of others by the lock that
        all of them share, where there is one. Who loses that meanwhile cannot commit any more once
        another has (`lake.writing`). Raises `LakeError` for what fails meanwhile.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / f".{table.name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            held = self._hold(f"{self.location.url}/{table.name}") if self._hold else nullcontext()
            with held, named_failures():
                self.location.check_put_if_absent()
                yield

    def opened(self, table: Table, version: int | None = None) -> DeltaTable | None:
        """Return a table as deltalake has it; `None` where nothing was ever loaded.

        Raises `LakeError` where it cannot be read.
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
    """The tables of a lake, each at one version: the one that it has when it is first asked for."""

    def __init__(self, lake: Lake, known: Mapping[str, Snapshot | None] | None = None) -> None:
        self._lake = lake
        self._found: dict[str, Snapshot | None] = dict(known or {})

    def of(self, table: Table) -> Snapshot | None:
        """Return a table's snapshot; `None` where nothing was ever loaded. Raises `LakeError`."""
        if table.name not in self._found:
            self._found[table.name] = self._lake.snapshot(table)
        return self._found[table.name]


def open_lake(settings: Settings, subscription: str, database: Database) -> Lake:
    """Return the lake of a subscription, wherever the settings have it.

    Machines that share it share the `database` too, and by that the lock of those who write.
    """
    hold = database.hold if database.is_postgresql else None
    return Lake(location_of_lakes(settings) / subscription, hold)


def location_of_lakes(settings: Settings) -> Location:
    """Return where the lakes of all subscriptions are."""
    if settings.lake_url is None:
        return Location.of(settings.lake_folder)
    return Location.at(settings.lake_url, settings)


def check_lakes(settings: Settings, *, writes: bool = False) -> None:
    """Return if the lakes can be read, and tables be written if the process `writes`.

    Raises `LakeError`.
    """
    location = location_of_lakes(settings)
    with named_failures():
        _uri(location)
        location.check()
        if writes:
            location.check_put_if_absent()


def delta_field(name: str, of: pl.DataType) -> Field:
    """Return a column as Delta describes it."""
    return Field(name, PrimitiveType(type_name(of)))


def _uri(location: Location) -> str:
    """Return how deltalake is given a location. Raises `LakeError` where it cannot be."""
    if location.folder is None:
        return location.url
    # A relative path might look like a URL.
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
    """Return the records of Parquet files; a column that a file does not have is null there.

    With `None` for the columns, all files have the same, which are read.
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
            )
        )
    return found
