"""An upload that runs while its content is being produced."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from queue import Queue

from outhaul.storage.store import Writable

Put = Callable[[bytes | Iterator[bytes]], None]
"""Stores content, given whole or as chunks. If the iterator of chunks raises, nothing is stored."""


class _AbandonedError(Exception):
    """The content of an upload will not be completed."""


@contextmanager
def uploading(put: Put, chunk: int) -> Iterator[Writable]:
    """Yield an object to write content to, which `put` gets in chunks of `chunk` bytes.

    Content of less than a chunk is passed to `put` at the end, in one call. Otherwise `put` runs in
    a thread, and up to three chunks are in memory. An exception of `put` is raised by a later
    write, or at the end. An exception in the block ends the upload with an exception, too, and
    waits until it has ended.
    """
    upload = _Upload(put, chunk)
    try:
        yield upload
        upload.finish()
    except BaseException:
        upload.abandon()
        raise


class _Upload:
    """Passes chunks to a thread in which `put` runs."""

    def __init__(self, put: Put, chunk: int) -> None:
        self._put = put
        self._chunk = chunk
        self._pending = bytearray()
        # One chunk waits while another is filled. `b""` ends the content, `None` abandons it.
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
        except BaseException as error:  # noqa: BLE001 - the writing thread raises it
            self._error = error
            # The writing thread may be waiting for the queue. Emptying it lets that thread go on.
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
