"""An upload that goes on while its content is made."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from queue import Queue

from outhaul.storage.store import Writable

Put = Callable[[bytes | Iterator[bytes]], None]
"""Keeps content, whole or chunk by chunk; where the chunks end by an exception, none of it."""


class _AbandonedError(Exception):
    """What is being uploaded will not become whole."""


@contextmanager
def uploading(put: Put, chunk: int) -> Iterator[Writable]:
    """Take the content of an upload in any pieces, and hand it on in chunks of some bytes.

    What is less than a chunk is uploaded at the end, in one request. Of more, up to three chunks
    are held in memory here. Raises what `put` raises, soon. Left by an exception, it lets the
    upload end by one as well, and waits for that.
    """
    upload = _Upload(put, chunk)
    try:
        yield upload
        upload.finish()
    except BaseException:
        upload.abandon()
        raise


class _Upload:
    """Hands chunks to a thread in which `put` runs."""

    def __init__(self, put: Put, chunk: int) -> None:
        self._put = put
        self._chunk = chunk
        self._pending = bytearray()
        # One is handed over while another is filled. `None` says that there will be no more.
        self._chunks: Queue[bytes | None] = Queue(1)
        self._thread: threading.Thread | None = None
        self._error: BaseException | None = None
        self._all_taken = False

    def write(self, content: bytes, /) -> int:
        left = memoryview(content)
        while left:
            room = self._chunk - len(self._pending)
            self._pending += left[:room]
            left = left[room:]
            if len(self._pending) == self._chunk:
                self._hand_over(bytes(self._pending))
                self._pending.clear()
        return len(content)

    def finish(self) -> None:
        if self._thread is None:
            self._put(bytes(self._pending))
            return
        self._hand_over(bytes(self._pending))
        self._end(b"")
        self._check()

    def abandon(self) -> None:
        self._end(None)

    def _hand_over(self, chunk: bytes) -> None:
        self._check()
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="upload")
            self._thread.start()
        if chunk:
            self._chunks.put(chunk)

    def _end(self, last: bytes | None) -> None:
        if self._thread is not None and self._thread.is_alive():
            self._chunks.put(last)
            self._thread.join()

    def _check(self) -> None:
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        try:
            self._put(iter(self._next, b""))
        except BaseException as error:  # noqa: BLE001 - it is raised by who writes
            self._error = error
            # Whoever writes may be waiting for room, and must come to see the error.
            while not self._all_taken:
                self._take()

    def _next(self) -> bytes:
        chunk = self._take()
        if chunk is None:
            raise _AbandonedError
        return chunk

    def _take(self) -> bytes | None:
        chunk = self._chunks.get()
        self._all_taken = not chunk
        return chunk
