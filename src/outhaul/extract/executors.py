"""Who renders the parts of a plan, and how they become one file."""

import hashlib
import threading
from collections import deque
from collections.abc import Callable, Generator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Protocol

from outhaul.extract.plan import Plan
from outhaul.extract.render import render_part
from outhaul.files.manifest import Manifest, Part
from outhaul.files.store import READ_BYTES, FileStore

Parts = Generator[Part, None, None]


class StoppedError(Exception):
    """Rendering was asked to stop."""


class Executor(Protocol):
    """Renders the parts of a plan, several at a time."""

    def render(self, plan: Plan, lake: Path, prefix: str, stop: threading.Event) -> Parts:
        """Give the parts in order as they are done; their keys begin with `prefix`.

        Raises `StoppedError` soon after `stop` is set. Once it has raised or is closed, nothing
        is written any more.
        """
        ...


class LocalExecutor:
    """Renders in threads of this process; Polars does its work outside of Python's lock."""

    def __init__(self, files: FileStore, threads: int) -> None:
        self._files = files
        # A job is never far ahead of what is hashed, and several jobs share the threads.
        self._ahead = 2 * threads
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="part")

    def render(self, plan: Plan, lake: Path, prefix: str, stop: threading.Event) -> Parts:
        """Give the parts in order as they are done."""
        numbers = iter(range(max(1, len(plan.parts))))  # no records still make a header
        futures: deque[Future[Part]] = deque()

        def submit(count: int) -> None:
            futures.extend(
                self._pool.submit(self._part, plan, number, lake, prefix, stop)
                for number in islice(numbers, count)
            )

        submit(self._ahead)
        try:
            while futures:
                part = futures.popleft().result()
                submit(1)
                yield part
        finally:
            wait([future for future in futures if not future.cancel()])

    def close(self) -> None:
        """Stop the threads."""
        self._pool.shutdown(cancel_futures=True)

    def _part(
        self, plan: Plan, number: int, lake: Path, prefix: str, stop: threading.Event
    ) -> Part:
        def check() -> None:
            if stop.is_set():
                raise StoppedError(prefix)

        check()
        key = f"{prefix}/{number:06}"
        with self._files.writer(key) as target:
            counted = _Counted(target.write)
            records = render_part(plan, number, lake, counted, check)
        return Part(number=number, key=key, size=counted.size, records=records)


def export(  # noqa: PLR0913 - what it reads, where it writes, who does it, when it ends
    plan: Plan,
    lake: Path,
    *,
    prefix: str,
    files: FileStore,
    executor: Executor,
    stop: threading.Event,
) -> Manifest:
    """Render a plan and return its manifest. Raises `StoppedError`.

    The checksum is of the whole file: parts are hashed in order, each as soon as it is done and
    still in the system's cache, while later ones are being rendered.
    """
    digest = hashlib.sha256()
    parts = []
    with closing(executor.render(plan, lake, prefix, stop)) as rendered:
        for part in rendered:
            for first in range(0, part.size, READ_BYTES):
                if stop.is_set():
                    raise StoppedError(prefix)
                length = min(READ_BYTES, part.size - first)
                digest.update(files.read(part.key, first, length))
            parts.append(part)
    return Manifest(parts=parts, checksum=digest.hexdigest())


class _Counted:
    """Hands bytes on, and counts them."""

    def __init__(self, write: Callable[[bytes], int]) -> None:
        self._write = write
        self.size = 0

    def write(self, content: bytes, /) -> int:
        self.size += len(content)
        self._write(content)
        return len(content)
