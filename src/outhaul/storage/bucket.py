"""Parts of export files in a bucket of any storage service.

A part is uploaded while it is rendered, and becomes visible once the upload is complete. An error
aborts the upload. If the process is killed, an unfinished multipart upload stays in the bucket,
where no reader sees it; a life cycle rule of the bucket can remove it.
"""

import tempfile
from collections.abc import AsyncGenerator, Collection, Iterator, Sequence
from contextlib import ExitStack, aclosing, contextmanager, suppress
from datetime import timedelta
from functools import partial
from typing import IO, Literal

import obstore
from obstore.exceptions import BaseError

from outhaul.protocol.ranges import ByteRange
from outhaul.storage.ahead import RANGE_BYTES, ReadAhead
from outhaul.storage.location import Location, remove
from outhaul.storage.pieces import Piece
from outhaul.storage.services import is_bucket_missing, reason
from outhaul.storage.store import READ_BYTES, FilesError, Stored, Writable
from outhaul.storage.upload import uploading

PART_CHUNK_BYTES = 8 * 2**20
WHOLE_CHUNK_BYTES = 32 * 2**20
"""Bytes that one request of an upload sends, for a part that is cached, and for one that is not.

An upload has 10,000 requests at most, so a part that is not cached can have 320 GB.
"""

CHUNKS_AT_ONCE = 2

READ_PATIENCE = timedelta(seconds=5)
WRITE_PATIENCE = timedelta(seconds=60)
"""How long a failed request is repeated. A client waits for a read, nobody waits for an upload."""

SIGNED_FOR = timedelta(minutes=10)
"""The time in which a download by a signed URL must begin."""

_BATCH = 1_000


class BucketStore:
    """A `FileStore` of objects under a prefix of a bucket; it also `SignsAddresses`."""

    def __init__(
        self,
        location: Location,
        *,
        read_patience: timedelta = READ_PATIENCE,
        write_patience: timedelta = WRITE_PATIENCE,
    ) -> None:
        self._location = location
        self._hasty = location.bucket(read_patience)
        self._patient = location.bucket(write_patience)
        self._copies: dict[str, IO[bytes]] = {}
        self._ahead = ReadAhead(self._range)

    @contextmanager
    def writer(self, key: str, *, media_type: str, cached: bool = False) -> Iterator[Writable]:
        """Upload a part while it is written. An exception in the block aborts the upload.

        A part that is `cached` is also copied to a temporary file until it is read back.
        """
        chunk = PART_CHUNK_BYTES if cached else WHOLE_CHUNK_BYTES
        with ExitStack() as until_whole:
            copy = tempfile.TemporaryFile() if cached else None  # noqa: SIM115 - stays open after this block
            if copy is not None:
                until_whole.callback(_discard, copy)
            with uploading(partial(self._put, key, media_type, chunk), chunk) as upload:
                if copy is None:
                    yield upload
                else:
                    both = _Both(upload, copy)
                    yield both
                    both.flush()
            if copy is not None:
                self._copies[key] = copy
                until_whole.pop_all()

    def read(self, key: str, first: int, length: int) -> bytes:
        with self._named("read"):
            found = obstore.get_range(self._patient, key, start=first, length=length)
        return _whole(found.to_bytes(), key, length)

    def read_back(self, key: str, size: int) -> Iterator[bytes]:
        copy = self._copies.pop(key, None)
        if copy is None:
            for first in range(0, size, RANGE_BYTES):
                yield self.read(key, first, min(RANGE_BYTES, size - first))
            return
        with copy:
            copy.seek(0)
            for first in range(0, size, READ_BYTES):
                length = min(READ_BYTES, size - first)
                yield _whole(copy.read(length), key, length)

    async def stream(
        self, parts: Sequence[tuple[str, int]], wanted: ByteRange
    ) -> AsyncGenerator[bytes, None]:
        async with aclosing(self._ahead.stream(parts, wanted)) as content:
            async for piece in content:
                yield piece

    async def _range(self, piece: Piece) -> bytes:
        with self._named("read"):
            found = await obstore.get_range_async(
                self._hasty, piece.key, start=piece.first, length=piece.length
            )
        return _whole(found.to_bytes(), piece.key, piece.length)

    def delete(self, prefix: str, *, but: Collection[str] = ()) -> None:
        def is_removed(key: str) -> bool:
            return key.startswith(f"{prefix}/") and key not in but

        self._close_copies([key for key in self._copies if is_removed(key)])
        with self._named("remove from"):
            found = obstore.list(self._hasty, prefix, chunk_size=_BATCH)
            keys = [each["path"] for batch in found for each in batch]
            if removed := [key for key in keys if is_removed(key)]:
                remove(self._hasty, removed)

    def list(self) -> Iterator[Stored]:
        with self._named("list"):
            for batch in obstore.list(self._hasty, chunk_size=_BATCH):
                for each in batch:
                    yield Stored(each["path"], each["last_modified"])

    def check(self) -> None:
        """Return if the bucket can be read. Permission to write is not checked."""
        with self._named("read"):
            self._location.check()

    def signed_url(self, key: str, method: Literal["GET", "HEAD"] = "GET") -> str:
        """Return an address by which anyone can read an object. It is valid for ten minutes."""
        with self._named("sign for"):
            return obstore.sign(self._hasty, method, key, SIGNED_FOR)

    def close(self) -> None:
        self._close_copies([*self._copies])

    def _close_copies(self, keys: Sequence[str]) -> None:
        for key in keys:
            if (copy := self._copies.pop(key, None)) is not None:
                copy.close()

    def _put(self, key: str, media_type: str, chunk: int, content: bytes | Iterator[bytes]) -> None:
        with self._named("write to"):
            obstore.put(
                self._patient,
                key,
                content,
                attributes={"Content-Type": media_type},
                chunk_size=chunk,
                max_concurrency=CHUNKS_AT_ONCE,
            )

    @contextmanager
    def _named(self, what: str) -> Iterator[None]:
        """Raise errors of obstore as `FilesError` or `FileNotFoundError`, in one line."""
        try:
            yield
        except FileNotFoundError as error:
            why = reason(error)
            if is_bucket_missing(why):
                raise FilesError(f"cannot {what} {self._location.url}: {why}") from None
            raise FileNotFoundError(f"{self._location.url}: {why}") from None
        except BaseError as error:
            # No cause: its text repeats the request and the answer, on many lines.
            raise FilesError(f"cannot {what} {self._location.url}: {reason(error)}") from None


class _Both:
    """Writes bytes to an upload and to a copy."""

    def __init__(self, upload: Writable, copy: IO[bytes]) -> None:
        self._upload = upload
        self._copy = copy

    def write(self, content: bytes, /) -> int:
        with _named_folder():
            self._copy.write(content)
        return self._upload.write(content)

    def flush(self) -> None:
        with _named_folder():
            self._copy.flush()


def _discard(copy: IO[bytes]) -> None:
    with suppress(OSError):  # closing writes the buffer, which fails on a full disk
        copy.close()


@contextmanager
def _named_folder() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        folder = tempfile.gettempdir()
        raise FilesError(f"cannot cache a part in {folder}: {error.strerror}") from error


def _whole(content: bytes, key: str, length: int) -> bytes:
    if len(content) != length:
        raise FilesError(f"{key} is shorter than it was")
    return content
