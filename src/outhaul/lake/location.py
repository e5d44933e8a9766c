"""Where tables are: in a folder of this machine, or under a prefix of a bucket."""

import os
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import obstore
import polars as pl
from deltalake.exceptions import DeltaError
from obstore.exceptions import BaseError
from obstore.store import S3Store
from polars.exceptions import PolarsError

from outhaul.settings import S3
from outhaul.storage.buckets import answered, check_bucket, open_bucket, storage_options

WRITE_PATIENCE = timedelta(seconds=60)
"""For how long a request that fails is made again."""

_READ_RETRIES = 4
_LONGEST = 300
_COLOURS = re.compile(r"\x1b\[[0-9;]*m|↳")
_TRIES = re.compile(r" in [\d.]+\S*s, after \d+ retries, .*?retry_timeout:? \d+s")
_OBJECT = re.compile(r" performing [A-Z]+ ([^\s?]+)")

FAILURES = (OSError, DeltaError, PolarsError, BaseError)
"""What the libraries raise where files of a table cannot be reached, are gone or are damaged."""


class LakeError(Exception):
    """Records cannot be read or written: files cannot be reached, are gone or are damaged."""


@dataclass(frozen=True, kw_only=True)
class Location:
    """A folder of tables, or of one table's files."""

    url: str
    """A path of this machine, or `s3://bucket/prefix`; no slash at the end."""
    s3: S3 | None = None
    """How the bucket is reached, if it is one."""

    @classmethod
    def of(cls, place: "Path | Location") -> "Location":
        """Return the place that is a folder of this machine, or that it is already."""
        return place if isinstance(place, Location) else cls(url=str(place))

    @property
    def folder(self) -> Path | None:
        """The folder of this machine that it is; `None` for a bucket's."""
        return Path(self.url) if self.s3 is None else None

    @property
    def exists(self) -> bool:
        """Whether something may be there: of a bucket that is only known by asking for a file."""
        return self.folder is None or self.folder.exists()

    @property
    def options(self) -> dict[str, str]:
        """How deltalake reaches it."""
        if self.s3 is None:
            return {}
        return {**storage_options(self.s3), "max_retries": str(_READ_RETRIES)}

    def __truediv__(self, name: str) -> "Location":
        return Location(url=f"{self.url}/{name}", s3=self.s3)

    def scan(self, paths: Sequence[str], columns: Mapping[str, pl.DataType] | None) -> pl.LazyFrame:
        """Return the records of Parquet files; a column that a file does not have is null there.

        With `None` for the columns, all files have the same, which are read.
        """
        options: dict[str, Any] | None = None
        if self.s3 is not None:
            options = {**storage_options(self.s3), "max_retries": _READ_RETRIES}
        return pl.scan_parquet(
            [f"{self.url}/{path}" for path in paths],
            schema=None if columns is None else dict(columns),
            missing_columns="insert",
            extra_columns="ignore",
            hive_partitioning=False,
            glob=False,
            storage_options=options,
        )

    @contextmanager
    def writing(self, path: str) -> Iterator[Path]:
        """Give a path of this machine to write a file to, which then is at `path` here."""
        if self.folder is not None:
            yield self.folder / path
            return
        with tempfile.TemporaryDirectory(prefix="outhaul-") as folder:
            written = Path(folder) / "written"
            yield written
            obstore.put(self._bucket(WRITE_PATIENCE), path, written)

    def delete(self, paths: Sequence[str]) -> None:
        """Remove files; one that is not there is none to remove."""
        if self.folder is None:
            obstore.delete(self._bucket(WRITE_PATIENCE), list(paths))
            return
        for path in paths:
            (self.folder / path).unlink(missing_ok=True)

    def check(self) -> None:
        """Return where the place answers, soon. Raises `LakeError` otherwise.

        A folder need not be there yet: then it is the one that it will be made in that counts.
        """
        if self.folder is None:
            assert self.s3 is not None  # noqa: S101 - it is no folder
            with named_failures():
                check_bucket(self.url, self.s3)
            return
        there = next(path for path in (self.folder, *self.folder.parents) if path.exists())
        # Who may do everything may "execute" what is no folder any more.
        if not (there.is_dir() and os.access(there, os.R_OK | os.X_OK)):
            raise LakeError(f"{there} cannot be read")

    def _bucket(self, patience: timedelta) -> S3Store:
        assert self.s3 is not None  # noqa: S101 - it is no folder
        return open_bucket(self.url, self.s3, patience)


@contextmanager
def named_failures() -> Iterator[None]:
    """Raise `LakeError`, in a line, for what the libraries raise that read and write tables."""
    try:
        yield
    except FAILURES as error:
        raise LakeError(in_a_line(error)) from error


def in_a_line(error: BaseException) -> str:
    """Return what an error says without colours, stacks, line ends and tries.

    Of one that S3 answered that is the answer, and what was asked for.
    """
    text = _COLOURS.sub("", str(error)).partition("\n\nDebug source")[0]
    said = " ".join(text.split()).partition(" 0: <unknown>")[0]
    if (answer := answered(text)) is not None:
        asked = _OBJECT.search(said)
        return f"{asked[1]}: {answer}" if asked else answer
    said = _TRIES.sub("", said)
    return said if len(said) <= _LONGEST else said[:_LONGEST] + "…"
