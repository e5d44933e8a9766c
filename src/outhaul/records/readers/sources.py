"""The bytes of a file that is loaded, decompressed if its name says that it is compressed."""

import io
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa

from outhaul.records.readers.reader import FileError, Problem

COMPRESSIONS = {".gz": "gzip", ".zst": "zstd"}
"""Compressions by the end of a file's name."""

RECORD_BYTES = 256 * 2**20
"""The most bytes that a record of delimited text or JSON Lines can have.

A quote that is never closed, or a line that never ends, would otherwise take all memory.
"""

TOO_LONG = f"a record longer than {RECORD_BYTES // 2**20} MiB"

BOM = b"\xef\xbb\xbf"
"""The byte order mark of UTF-8, which a text may begin with."""

_BUFFER = 2**20

_OTHER_FILES = {
    b"\x1f\x8b": "it is compressed with gzip; its name must then end in .gz",
    b"\x28\xb5\x2f\xfd": "it is compressed with zstd; its name must then end in .zst",
    b"PAR1": "it is a Parquet file; its name must then end in .parquet",
    b"PK\x03\x04": "it is a ZIP archive or a workbook; export the records as CSV",
    b"BZh": "it is compressed with bzip2; only gzip (.gz) and zstd (.zst) are read",
    b"\xfd7zXZ\x00": "it is compressed with xz; only gzip (.gz) and zstd (.zst) are read",
    b"\xff\xfe": "it is in UTF-16; only UTF-8 is read",
    b"\xfe\xff": "it is in UTF-16; only UTF-8 is read",
}
"""What a file is that should be text, by its first bytes."""

_NOT_REGULAR = {
    stat.S_IFIFO: "a pipe (FIFO)",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def check_path(path: Path) -> None:
    """Raise `FileError` if a path is not that of a regular file which can be read."""
    try:
        mode = path.stat().st_mode
        if stat.S_ISREG(mode):
            path.open("rb").close()
            return
    except FileNotFoundError:
        reason = "no such file"
        if path.is_symlink():
            reason = f"a symbolic link to {path.readlink()}, which does not exist"
    except OSError as error:
        reason = os.strerror(error.errno or 0).lower()
    else:
        reason = _kind(path, mode)
    raise FileError(path, [Problem(0, reason)])


def _kind(path: Path, mode: int) -> str:
    if stat.S_ISDIR(mode):
        return f"a folder; name the files in it, for example {path / '*.csv'}"
    kind = _NOT_REGULAR.get(stat.S_IFMT(mode), "not a regular file")
    return f"{kind}; only regular files can be loaded, so write the records to one first"


class Source(NamedTuple):
    """An open file."""

    content: io.BufferedReader
    """Its bytes, decompressed. Reading raises `FileError` if the file is damaged."""
    share: Callable[[], float]
    """Returns the share of the file that was read, from 0 to 1. It counts compressed bytes."""


@contextmanager
def opened(path: Path) -> Iterator[Source]:
    """Open a file, which ends in one of `COMPRESSIONS` if it is compressed. Raises `FileError`."""
    compression = COMPRESSIONS.get(path.suffix.lower())
    check_path(path)
    with path.open("rb") as file:
        size = max(1, os.fstat(file.fileno()).st_size)
        content = file
        if compression is not None:
            if not file.peek(1):
                raise FileError(
                    path, [Problem(0, f"empty, so it is not compressed ({compression})")]
                )
            content = io.BufferedReader(_Decompressed(path, file, compression), _BUFFER)
        yield Source(content, lambda: min(1.0, file.tell() / size))


class _Decompressed(io.RawIOBase):
    """The decompressed bytes of a file."""

    def __init__(self, path: Path, file: io.BufferedReader, compression: str) -> None:
        self._path = path
        self._compression = compression
        self._content = pa.CompressedInputStream(pa.PythonFile(file, mode="r"), compression)

    def readable(self) -> bool:
        return True

    def readinto(self, target: Any) -> int:  # noqa: ANN401 - a buffer, which has a type since 3.12
        try:
            return int(self._content.readinto(target))
        except OSError as error:
            reason = f"damaged, or not compressed with {self._compression}: {error}"
            raise FileError(self._path, [Problem(0, reason)]) from error


def check_text(path: Path, beginning: bytes) -> None:
    """Raise `FileError` if a file that begins with these bytes is not text in UTF-8."""
    for first, reason in _OTHER_FILES.items():
        if beginning.startswith(first):
            raise FileError(path, [Problem(0, reason)])
