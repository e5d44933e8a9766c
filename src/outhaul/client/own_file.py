"""A file that only this run should write, and that notices if another program does."""

import os
import threading
from collections.abc import Iterator, Sequence

PIECE_BYTES = 1 << 20
_FLUSH_BYTES = 8 << 20


class OwnFile:
    """An open file to read and write at any position. Threads may share it.

    `is_changed` is true once another program may have changed the file. A change of its time is no
    proof of other bytes.
    """

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self._is_changed = False
        self._flushed = 0
        self._lock = threading.Lock()
        self.look_away()

    @property
    def size(self) -> int:
        return os.fstat(self.descriptor).st_size

    @property
    def is_changed(self) -> bool:
        with self._lock:
            self._look()
            return self._is_changed

    def look_away(self) -> None:
        """Take the file as it is now for its own."""
        self._seen = self._version()

    def write(self, pieces: Sequence[bytes], position: int) -> None:
        """Write the pieces one after another. Raises `OSError`."""
        content = memoryview(pieces[0] if len(pieces) == 1 else b"".join(pieces))
        with self._lock:
            self._look()
            try:
                while content:
                    written = os.pwrite(self.descriptor, content, position)
                    position += written
                    content = content[written:]
            finally:
                self.look_away()

    def read(self, begin: int, end: int) -> Iterator[bytes]:
        """Yield the bytes from `begin` up to `end`, or to the end of the file."""
        while piece := os.pread(self.descriptor, min(PIECE_BYTES, end - begin), begin):
            yield piece
            begin += len(piece)

    def truncate(self, size: int = 0) -> None:
        """Remove the bytes from `size` on. Without any bytes left, no change is known of."""
        with self._lock:
            self._look()
            os.ftruncate(self.descriptor, size)
            self._is_changed = self._is_changed and size > 0
            self._flushed = min(self._flushed, size)
            self.look_away()

    def flush_early(self, end: int) -> None:
        """Let the disk begin with the bytes up to `end`, so that a sync at the end takes no time.

        The bytes should not be needed again soon.
        """
        count = end - self._flushed
        if count >= _FLUSH_BYTES and hasattr(os, "posix_fadvise"):
            # The advice starts the writing, and does not wait for it.
            os.posix_fadvise(self.descriptor, self._flushed, count, os.POSIX_FADV_DONTNEED)
            self._flushed = end

    def sync(self) -> None:
        """Wait until the bytes are on the disk."""
        os.fsync(self.descriptor)

    def close(self) -> None:
        os.close(self.descriptor)

    def _look(self) -> None:
        self._is_changed = self._is_changed or self._version() != self._seen

    def _version(self) -> tuple[int, int]:
        """Return the size and the time of the latest change, in nanoseconds."""
        found = os.fstat(self.descriptor)
        return found.st_size, found.st_mtime_ns
