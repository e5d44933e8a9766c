"""The local executor: it renders parts in threads of this process.

Threads are enough, because Polars releases Python's global lock while it works.
"""

import threading
from collections.abc import Callable, Collection
from concurrent.futures import Future, ThreadPoolExecutor, wait

from outhaul.export.executor import StoppedError
from outhaul.export.plan import PartTask
from outhaul.export.render import store_part
from outhaul.lake.snapshot import Lake
from outhaul.storage.manifest import Part
from outhaul.storage.store import FileStore


class LocalExecutor:
    """An `Executor` with a pool of threads for all jobs."""

    def __init__(self, files: FileStore, threads: int) -> None:
        self._files = files
        # Few enough for parts to be still in the system's file cache when they are hashed.
        self.ahead = 2 * threads
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="part")
        self._stops: dict[Future[Part], threading.Event] = {}

    def submit(self, task: PartTask, lake: Lake, stop: threading.Event) -> Future[Part]:
        cancelled = threading.Event()

        def check() -> None:
            if stop.is_set() or cancelled.is_set():
                raise StoppedError(task.key)

        future = self._pool.submit(self._render, task, lake, check)
        self._stops[future] = cancelled
        future.add_done_callback(lambda done: self._stops.pop(done, None))
        return future

    def cancel(self, parts: Collection[Future[Part]]) -> None:
        running = [part for part in parts if not part.cancel()]
        for part in running:
            if (cancelled := self._stops.get(part)) is not None:
                cancelled.set()
        wait(running)

    def close(self) -> None:
        self._pool.shutdown(cancel_futures=True)

    def _render(self, task: PartTask, lake: Lake, check: Callable[[], None]) -> Part:
        check()
        return store_part(task, lake, self._files, task.key, check, cached=True)
