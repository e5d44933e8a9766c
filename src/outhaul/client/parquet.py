"""Parquet files of typed batches. They appear when they are whole, as the files of downloads do."""

import os
import re
import shutil
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Self

import pyarrow as pa
import pyarrow.parquet as pa_parquet

from outhaul.client.outputs import is_descriptor
from outhaul.client.partial import OutputError, claim, is_at, partial_path
from outhaul.client.publishing import existing_file, mode_of_new, resemble, sync_folder

ENDING = ".parquet"
_COMPRESSION = "zstd"
_GROUP_RECORDS = 1_000_000
_GROUP_BYTES = 32 << 20
"""The most bytes of records, in memory, that wait to be written as one row group."""
_OWN_NAME = re.compile(r"[0-9a-z-]+\.parquet")
_BUILDING = ".files"
_REPLACED = ".old"


class _Rows:
    """The rows of one file. They are collected to row groups, because small ones read slowly."""

    def __init__(self, file: IO[bytes], schema: pa.Schema) -> None:
        self._file = file
        self._writer = pa_parquet.ParquetWriter(file, schema, compression=_COMPRESSION)
        self._waiting: list[pa.RecordBatch] = []
        self._records = 0
        self.size = 0
        """Bytes of the records that wait."""

    def write(self, batch: pa.RecordBatch) -> None:
        self._waiting.append(batch)
        self._records += batch.num_rows
        self.size += batch.get_total_buffer_size()
        if self.size >= _GROUP_BYTES or self._records >= _GROUP_RECORDS:
            self.flush()

    def flush(self) -> None:
        """Write the waiting records as a row group."""
        if self._records:
            self._writer.write_table(pa.Table.from_batches(self._waiting), self._records)
        self._waiting, self._records, self.size = [], 0, 0

    def close(self) -> None:
        """Write what is left, and sync the file to the disk."""
        self.flush()
        self._writer.close()
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()

    def discard(self) -> None:
        """Close the file, which is removed."""
        self._waiting = []
        # What ended the run matters more than a failure here.
        with suppress(OSError, ValueError):
            self._writer.close()
        with suppress(OSError):
            self._file.close()


class ParquetFile:
    """The Parquet file at `path`, which is replaced in one step by `finish`.

    Until then the rows are in `<path>.part`, which one run owns from entering the context to
    leaving it. Leaving without `finish` removes it. Raises `OutputError` for an output that is no
    regular file, `OutputTakenError` if another run has it, and other `OSError`s.
    """

    def __init__(self, path: str | Path) -> None:
        self._name = os.fspath(path)
        self.target = _regular(self._name)
        self._path = partial_path(self.target)
        self._rows: _Rows | None = None

    def __enter__(self) -> Self:
        mode = mode_of_new(existing_file(self.target, self._name))
        self._descriptor = claim(self._path, mode, self._name)
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._rows is not None:
            self._rows.discard()
        with suppress(OSError):
            if is_at(self._descriptor, self._path):
                self._path.unlink()
        os.close(self._descriptor)

    def write(self, batch: pa.RecordBatch) -> None:
        """Write records. All have the same schema."""
        self._of(batch.schema).write(batch)

    def finish(self, schema: pa.Schema) -> None:
        """Sync the rows to the disk, and publish the file. `schema` is that of a file without any.

        Raises `OutputError`.
        """
        self._of(schema).close()
        existing = existing_file(self.target, self._name)
        if existing is not None:
            resemble(self._descriptor, existing)
        if not is_at(self._descriptor, self._path):
            raise OutputError(f"another program replaced {self._path} while it was written")
        self._path.replace(self.target)
        sync_folder(self.target.parent)

    def _of(self, schema: pa.Schema) -> _Rows:
        if self._rows is None:
            # The run that was killed before may have left rows.
            os.ftruncate(self._descriptor, 0)
            file = open(os.dup(self._descriptor), "wb")  # noqa: PTH123, SIM115 - ends with the rows
            self._rows = _Rows(file, schema)
        return self._rows


class ParquetFolder:
    """A folder of Parquet files, one for each name that was written to.

    `finish` publishes it. A folder that is there already is replaced if it holds nothing but
    Parquet files that such a run has written; any other is refused. Until then the files are in
    `<path>.part.files`, and `<path>.part` is the lock of the run. Leaving the context without
    `finish` removes both. Raises `OSError`s as `ParquetFile` does.
    """

    def __init__(self, path: str | Path) -> None:
        self._name = os.fspath(path).rstrip(os.sep) or os.sep
        if is_descriptor(self._name):
            raise OutputError(f"{self._name} is no folder")
        self.target = Path(os.path.realpath(self._name))
        if not self.target.parent.is_dir():
            raise OutputError(f"there is no folder {self.target.parent}")
        self._check()
        self._lock_path = partial_path(self.target)
        self._folder = self._lock_path.with_name(self._lock_path.name + _BUILDING)
        self._rows: dict[str, _Rows] = {}

    def __enter__(self) -> Self:
        self._lock = claim(self._lock_path, 0o666, self._name)
        try:
            _remove(self._folder)
            self._folder.mkdir()
        except BaseException:
            os.close(self._lock)
            raise
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for rows in self._rows.values():
            rows.discard()
        with suppress(OSError):
            _remove(self._folder)
        with suppress(OSError):
            self._lock_path.unlink()
        os.close(self._lock)

    @property
    def names(self) -> list[str]:
        """The names of the files."""
        return sorted(name + ENDING for name in self._rows)

    def write(self, name: str, batch: pa.RecordBatch) -> None:
        """Write records to the file of a name. All of a name have the same schema."""
        self.open(name, batch.schema).write(batch)
        waiting = sum(rows.size for rows in self._rows.values())
        if waiting >= _GROUP_BYTES:
            # Memory stays flat, however many files there are.
            max(self._rows.values(), key=lambda rows: rows.size).flush()

    def open(self, name: str, schema: pa.Schema) -> _Rows:
        """Return the rows of a file, which is there afterwards also if it gets no records."""
        if name not in self._rows:
            file = (self._folder / (name + ENDING)).open("wb")
            self._rows[name] = _Rows(file, schema)
        return self._rows[name]

    def finish(self) -> None:
        """Sync the files to the disk, and publish the folder. Raises `OutputError`."""
        for rows in self._rows.values():
            rows.close()
        sync_folder(self._folder)
        self._check()
        replaced = self._lock_path.with_name(self._lock_path.name + _REPLACED)
        _remove(replaced)
        if self.target.exists():
            self.target.replace(replaced)
        self._folder.replace(self.target)
        sync_folder(self.target.parent)
        _remove(replaced)

    def _check(self) -> None:
        """Raise `OutputError` for an output that must not be replaced."""
        if not os.path.lexists(self.target):
            return
        if not self.target.is_dir():
            raise OutputError(f"{self._name} is no folder")
        others = sorted(
            path.name for path in self.target.iterdir() if not _OWN_NAME.fullmatch(path.name)
        )
        if others:
            raise OutputError(
                f"{self._name} holds {others[0]!r}, which is not of such an output; "
                "name a new folder"
            )


def write_parquet(
    batches: Iterable[pa.RecordBatch], path: str | Path, schema: pa.Schema | None = None
) -> None:
    """Write batches to a Parquet file, which appears when it is whole.

    `schema` is that of a file without batches. Raises `OSError`s as `ParquetFile` does.
    """
    with ParquetFile(path) as output:
        for batch in batches:
            output.write(batch)
        output.finish(schema or pa.schema([]))


def _regular(name: str) -> Path:
    if is_descriptor(name):
        raise OutputError(f"{name} is no regular file")
    if not name or name.endswith(os.sep) or os.path.isdir(name):  # noqa: PTH112 - keeps the slash
        raise OutputError(f"{name!r} is a folder")
    target = Path(os.path.realpath(name))
    if not target.parent.is_dir():
        raise OutputError(f"there is no folder {target.parent}")
    existing_file(target, name)
    return target


def _remove(folder: Path) -> None:
    with suppress(FileNotFoundError):
        shutil.rmtree(folder)
