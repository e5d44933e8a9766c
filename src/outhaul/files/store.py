"""Where the parts of export files are kept."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Protocol

import obstore
from obstore.store import LocalStore

READ_BYTES = 2**20
"""Read and sent at a time: smaller pieces cost a server most of its speed."""


class Writable(Protocol):
    """Takes bytes."""

    def write(self, content: bytes, /) -> int:
        """Take some bytes; return how many."""
        ...


class FileStore:
    """Parts under keys. A part is there whole, once its writer is closed, or not at all."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._store = LocalStore(prefix=folder, mkdir=True)

    @contextmanager
    def writer(self, key: str) -> Iterator[Writable]:
        """Open a part for writing; where it is left by an exception, nothing is kept."""
        with obstore.open_writer(
            self._store, key, buffer_size=READ_BYTES, max_concurrency=2
        ) as target:
            yield target

    def read(self, key: str, first: int, length: int) -> bytes:
        """Return `length` bytes of a part from `first` on. Raises `FileNotFoundError`."""
        return bytes(obstore.get_range(self._store, key, start=first, length=length))

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
