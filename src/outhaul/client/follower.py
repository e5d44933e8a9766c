"""Work on the bytes of a file in another thread than the one that receives them."""

from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

_BATCH_BYTES = 1 << 20
_LONGEST_QUEUE = 8


class Follower:
    """Gives pieces of bytes to a function, in order, in a thread of its own.

    The function gets batches of about 1 MiB, so that threads seldom wait for each other. The queue
    is bounded: when it is full, `give` waits. Bytes that make up less than a batch start no thread.
    One thread at a time may use an object.
    """

    def __init__(self, take: Callable[[Sequence[bytes]], None]) -> None:
        self._take = take
        self._batch: list[bytes] = []
        self._batch_bytes = 0
        self._queue: deque[Future[None]] = deque()
        self._thread: ThreadPoolExecutor | None = None

    def give(self, piece: bytes) -> None:
        """Take in the next bytes. Raises what the function raised for earlier ones."""
        self._batch.append(piece)
        self._batch_bytes += len(piece)
        if self._batch_bytes < _BATCH_BYTES:
            return
        if self._thread is None:
            self._thread = ThreadPoolExecutor(1, "follower")
        self._queue.append(self._thread.submit(self._take, self._batch))
        self._batch, self._batch_bytes = [], 0
        while self._queue[0].done() or len(self._queue) > _LONGEST_QUEUE:
            self._queue.popleft().result()
            if not self._queue:
                break

    def settle(self) -> None:
        """Wait until the function has had all bytes. Raises what it raised."""
        while self._queue:
            self._queue.popleft().result()
        if self._thread is not None:
            self._thread.shutdown()
            self._thread = None
        batch, self._batch, self._batch_bytes = self._batch, [], 0
        if batch:
            self._take(batch)
