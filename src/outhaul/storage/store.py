"""Where the parts of export files are kept: what every store of files does."""

from collections.abc import AsyncGenerator, Collection, Iterator, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import NamedTuple, Protocol, runtime_checkable

from outhaul.protocol.ranges import ByteRange

READ_BYTES = 2**20
"""Read and sent at a time: smaller pieces cost a server most of its speed."""


class FilesError(OSError):
    """A store did not do what it was asked, for a reason that may pass."""


class Writable(Protocol):
    """Takes bytes."""

    def write(self, content: bytes, /) -> int:
        """Take some bytes; return how many."""
        ...


class Stored(NamedTuple):
    """What a store holds under a key, whole or begun, and when that was last written (UTC)."""

    key: str
    modified: datetime


class FileStore(Protocol):
    """Parts under keys of names joined by `/`. A part is there whole, or not at all.

    Threads and processes may use one store at a time, but a key is written only once. What is
    written can be read at once, by all of them. Everything raises `OSError` where the store fails:
    `FileNotFoundError` where a part is not there, `FilesError` where it is not what it should be.
    """

    def writer(
        self, key: str, *, media_type: str, cached: bool = False
    ) -> AbstractContextManager[Writable]:
        """Open a part for writing; where it is left by an exception, nothing can be read.

        `media_type` is what a store that sends a part itself calls it.
        A part that is `cached` will be asked for by `read_back` in this process, which may make
        provision for that.
        """
        ...

    def read(self, key: str, first: int, length: int) -> bytes:
        """Return `length` bytes of a part from `first` on, one at least. All of them are there."""
        ...

    def read_back(self, key: str, size: int) -> Iterator[bytes]:
        """Give the `size` bytes of a part, some at a time, from whoever wrote them.

        To be called once a part: what this process has kept of it is let go.
        """
        ...

    def stream(
        self, parts: Sequence[tuple[str, int]], wanted: ByteRange
    ) -> AsyncGenerator[bytes, None]:
        """Give the bytes `wanted` of a file; `parts` are key and size of its parts in order.

        What fails raises, so that nobody takes what has come for the whole. Closed, it reads no
        more.
        """
        ...

    def delete(self, prefix: str, *, but: Collection[str] = ()) -> None:
        """Remove all parts whose key is under a prefix, begun ones too, but some keys.

        There may be none.
        """
        ...

    def list(self) -> Iterator[Stored]:
        """Give what there is, in no order, for parts to be found that belong to no job."""
        ...

    def check(self) -> None:
        """Return where the store answers, soon; raise `OSError` otherwise."""
        ...

    def close(self) -> None:
        """Let go of what this process keeps of parts."""
        ...


@runtime_checkable
class SignsAddresses(Protocol):
    """What some stores can do besides: give a part to anyone who has its address.

    A caller asks with `isinstance`.
    """

    def signed_url(self, key: str) -> str:
        """Return an address by which anyone can read a part for a while. Raises `OSError`."""
        ...
