"""Parts of export files in a folder.

They are not forced to the disk: that would halve the speed of exports, for files that can be made
again from the lake. After a power cut, checksums tell what it took.
"""

import asyncio
import os
from collections.abc import AsyncGenerator, Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from outhaul.protocol.ranges import ByteRange
from outhaul.storage.pieces import pieces
from outhaul.storage.store import READ_BYTES, FilesError, Stored, Writable

_BEGUN = ".begun"


class FolderStore:
    """A `FileStore` of files in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    @contextmanager
    def writer(
        self,
        key: str,
        *,
        media_type: str,  # noqa: ARG002 - a folder has no place for it
        cached: bool = False,  # noqa: ARG002 - what was just written is in the system's cache
    ) -> Iterator[Writable]:
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
        """Return `length` bytes of a part from `first` on."""
        with (self._folder / key).open("rb", buffering=0) as content:
            content.seek(first)
            found = content.read(length)
        if len(found) != length:
            raise FilesError(f"{key} is shorter than it was")
        return found

    def read_back(self, key: str, size: int) -> Iterator[bytes]:
        """Give the bytes of a part; a fresh one is in the system's cache still."""
        for first in range(0, size, READ_BYTES):
            yield self.read(key, first, min(READ_BYTES, size - first))

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
            found = os.pread(content.fileno(), length, first)
            return found if len(found) == length else None

    async def stream(
        self, parts: Sequence[tuple[str, int]], wanted: ByteRange
    ) -> AsyncGenerator[bytes, None]:
        """Give the bytes a piece at a time.

        What is in the system's cache, as a fresh export is, is read at once: a trip to a thread for
        every piece costs a third of the processor time of a download.
        """
        loop = asyncio.get_running_loop()
        for piece in pieces(parts, wanted, READ_BYTES):
            content = self.read_cached(*piece)
            if content is None:
                content = await loop.run_in_executor(None, self.read, *piece)
            yield content

    def delete(self, prefix: str, *, but: Collection[str] = ()) -> None:
        """Remove all parts whose key is under a prefix, begun ones too, but some keys."""
        folder = self._folder / prefix
        kept = {self._folder / key for key in but}
        # Two attempts at a job may clean up at once: each removes what is still there.
        for where, _, names in os.walk(folder, topdown=False):
            for path in (Path(where, name) for name in names):
                if path not in kept:
                    path.unlink(missing_ok=True)
            with suppress(OSError):
                Path(where).rmdir()  # unless something stays, or comes
        if folder.parent != self._folder:
            with suppress(OSError):
                folder.parent.rmdir()  # unless another attempt has parts there

    def list(self) -> Iterator[Stored]:
        """Give what there is. What is removed meanwhile may be missing."""
        for where, _, names in os.walk(self._folder):
            for name in names:
                path = Path(where, name)
                with suppress(FileNotFoundError):
                    modified = datetime.fromtimestamp(path.stat().st_mtime, UTC)
                    yield Stored(path.relative_to(self._folder).as_posix(), modified)

    def check(self) -> None:
        """Return where the folder is there and can be written to."""
        # Who may do everything may "execute" what is no folder any more.
        if not (self._folder.is_dir() and os.access(self._folder, os.R_OK | os.W_OK | os.X_OK)):
            raise FilesError(f"{self._folder} cannot be written to")

    def close(self) -> None:
        """Do nothing: nothing is kept."""
