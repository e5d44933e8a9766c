"""Where the parts of export files are kept.

They are not forced to the disk: that would halve the speed of exports, for files that can be made
again from the lake. After a power cut, checksums tell what it took.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Protocol

READ_BYTES = 2**20
"""Read and sent at a time: smaller pieces cost a server most of its speed."""

_BEGUN = ".begun"


class Writable(Protocol):
    """Takes bytes."""

    def write(self, content: bytes, /) -> int:
        """Take some bytes; return how many."""
        ...


class FileStore:
    """Parts under keys, in a folder. A part is there whole, or not at all."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    @contextmanager
    def writer(self, key: str) -> Iterator[Writable]:
        """Open a part for writing; where it is left by an exception, nothing is kept."""
        target = self._folder / key
        begun = target.with_name(target.name + _BEGUN)
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            with begun.open("wb", buffering=READ_BYTES) as content:
                yield content
            begun.replace(target)
        except BaseException:
            begun.unlink(missing_ok=True)
            raise

    def read(self, key: str, first: int, length: int) -> bytes:
        """Return `length` bytes of a part from `first` on. Raises `FileNotFoundError`."""
        with (self._folder / key).open("rb", buffering=0) as content:
            content.seek(first)
            return content.read(length)

    def read_cached(self, key: str, first: int, length: int) -> bytes | None:
        """Return what `read` does, if no disk has to be waited for; `None` otherwise.

        Raises `FileNotFoundError`.
        """
        with (self._folder / key).open("rb", buffering=0) as content:
            try:
                # The last byte is looked at: the system brings in what is before it first.
                os.preadv(content.fileno(), [bytearray(1)], first + length - 1, os.RWF_NOWAIT)
            except (OSError, AttributeError):  # not cached, or a system that cannot tell
                return None
            return os.pread(content.fileno(), length, first)

    def delete(self, prefix: str) -> None:
        """Remove all parts whose key is under a prefix, begun ones too; there may be none."""
        folder = self._folder / prefix
        _remove(folder)
        if folder.parent != self._folder:
            with suppress(OSError):
                folder.parent.rmdir()  # unless another attempt has parts there

    def delete_beside(self, prefix: str) -> None:
        """Remove the parts that have all of a prefix in common but its last name."""
        kept = self._folder / prefix
        for folder in kept.parent.glob("*"):
            if folder != kept:
                _remove(folder)


def _remove(folder: Path) -> None:
    # The store does not list what a writer began whose process was killed. Two attempts at a job
    # may clean up at once: each removes what is still there.
    shutil.rmtree(folder, ignore_errors=True)
