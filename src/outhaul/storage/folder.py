"""Parts of export files in a folder.

Parts are not synced to the disk: that would halve the speed of exports, and files can be rendered
again from the lake. After a power cut, checksums show which parts are damaged.
"""

import asyncio
import os
from collections.abc import AsyncGenerator, Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from outhaul.protocol.ranges import ByteRange
from outhaul.storage.pieces import pieces
from outhaul.storage.store import READ_BYTES, SENT_BYTES, FilesError, Stored, Writable

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
        media_type: str,  # noqa: ARG002 - files have no media type
        cached: bool = False,  # noqa: ARG002 - a new file is in the system's page cache
    ) -> Iterator[Writable]:
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
        with (self._folder / key).open("rb", buffering=0) as content:
            content.seek(first)
            found = content.read(length)
        if len(found) != length:
            raise FilesError(f"{key} is shorter than it was")
        return found

    def read_back(self, key: str, size: int) -> Iterator[bytes]:
        for first in range(0, size, READ_BYTES):
            yield self.read(key, first, min(READ_BYTES, size - first))

    def read_cached(self, key: str, first: int, length: int) -> bytes | None:
        """Return what `read` returns if the page cache has it; `None` if the disk must be read.

        Raises `FileNotFoundError`.
        """
        with (self._folder / key).open("rb", buffering=0) as content:
            try:
                # Testing the last byte is enough: the system reads a file from front to back.
                os.preadv(content.fileno(), [bytearray(1)], first + length - 1, os.RWF_NOWAIT)
            except (OSError, AttributeError):  # not cached, or the system cannot test it
                return None
            found = os.pread(content.fileno(), length, first)
            return found if len(found) == length else None

    async def stream(
        self, parts: Sequence[tuple[str, int]], wanted: ByteRange
    ) -> AsyncGenerator[bytes, None]:
        """Yield the bytes of a file, a piece at a time.

        A piece in the page cache is read in the event loop: reading it in a thread would take a
        third of the processor time of a download. Between two pieces the event loop can turn to
        others, and notice that the client is gone.
        """
        loop = asyncio.get_running_loop()
        for piece in pieces(parts, wanted, SENT_BYTES):
            content = self.read_cached(*piece)
            if content is None:
                content = await loop.run_in_executor(None, self.read, *piece)
            else:
                await asyncio.sleep(0)
            yield content

    def delete(self, prefix: str, *, but: Collection[str] = ()) -> None:
        folder = self._folder / prefix
        retained = {self._folder / key for key in but}
        # Two attempts at a job may clean up at once: a file that is missing already is no error.
        for where, _, names in os.walk(folder, topdown=False):
            for path in (Path(where, name) for name in names):
                if path not in retained:
                    path.unlink(missing_ok=True)
            with suppress(OSError):
                Path(where).rmdir()  # fails if it has files, old or new
        if folder.parent != self._folder:
            with suppress(OSError):
                folder.parent.rmdir()  # fails if it has parts of another attempt

    def list(self) -> Iterator[Stored]:
        for where, _, names in os.walk(self._folder):
            for name in names:
                path = Path(where, name)
                with suppress(FileNotFoundError):
                    modified = datetime.fromtimestamp(path.stat().st_mtime, UTC)
                    yield Stored(path.relative_to(self._folder).as_posix(), modified)

    def check(self) -> None:
        """Return if the folder exists and can be written to."""
        # `os.access` permits a superuser everything, also on what is not a folder.
        if not (self._folder.is_dir() and os.access(self._folder, os.R_OK | os.W_OK | os.X_OK)):
            raise FilesError(f"{self._folder} cannot be written to")

    def close(self) -> None:
        """Do nothing: a folder needs no resources of the process."""
