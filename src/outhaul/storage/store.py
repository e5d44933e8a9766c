"""The interface of stores, which hold the parts of export files."""

from collections.abc import AsyncGenerator, Collection, Iterator, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Literal, NamedTuple, Protocol, runtime_checkable

from outhaul.protocol.ranges import ByteRange

READ_BYTES = 2**20
"""Bytes that are read or written at a time."""

SENT_BYTES = 2**18
"""Bytes that are sent to a client at a time.

Two such pieces are in memory for a client that does not read. Much smaller ones make a server
several times slower.
"""


class FilesError(OSError):
    """A store failed, for a reason that may be temporary."""


class Writable(Protocol):
    """An object that bytes can be written to."""

    def write(self, content: bytes, /) -> int:
        """Write bytes, and return how many were written."""
        ...


class Stored(NamedTuple):
    """A complete or incomplete part in a store, and when it was last modified (UTC)."""

    key: str
    modified: datetime


class FileStore(Protocol):
    """Holds parts under keys, which are names joined by `/`. Only complete parts can be read.

    Several threads and processes may use a store at the same time. A key is written only once, and
    all of them can read the part as soon as it is complete. Every method raises `OSError` if the
    store fails: `FileNotFoundError` if a part does not exist, `FilesError` for other failures.
    """

    def writer(
        self, key: str, *, media_type: str, cached: bool = False
    ) -> AbstractContextManager[Writable]:
        """Open a part for writing. After an exception in the block, the part does not exist.

        `media_type` is the content type with which a bucket sends the part. `cached` announces that
        this process will call `read_back`, so that the store can hold a copy of the part.
        """
        ...

    def read(self, key: str, first: int, length: int) -> bytes:
        """Return `length` bytes of a part from `first` on, at least one. All must exist."""
        ...

    def read_back(self, key: str, size: int) -> Iterator[bytes]:
        """Yield the `size` bytes of a part in pieces. Any process may have written the part.

        Call it once for a part: it removes the copy that this process holds.
        """
        ...

    def stream(
        self, parts: Sequence[tuple[str, int]], wanted: ByteRange
    ) -> AsyncGenerator[bytes, None]:
        """Yield the bytes `wanted` of a file. `parts` has the key and size of each part, in order.

        A failure raises, so that an incomplete answer is not taken for a complete one. Closing the
        generator stops the reading.
        """
        ...

    def delete(self, prefix: str, *, but: Collection[str] = ()) -> None:
        """Remove all parts under a prefix, also incomplete ones, except the keys in `but`.

        It is no error if there are none.
        """
        ...

    def list(self) -> Iterator[Stored]:
        """Yield all parts, in any order, so that parts without a job can be found.

        Parts that are removed during the call may be missing.
        """
        ...

    def check(self) -> None:
        """Return if the store can be used, within seconds; raise `OSError` if not."""
        ...

    def close(self) -> None:
        """Remove the copies of parts that this process holds."""
        ...


@runtime_checkable
class SignsAddresses(Protocol):
    """A store that can sign addresses, by which clients read a part without this server.

    Callers test for it with `isinstance`.
    """

    def signed_url(self, key: str, method: Literal["GET", "HEAD"] = "GET") -> str:
        """Return an address by which anyone can read a part for some time, by one method.

        Raises `OSError`.
        """
        ...
