"""Who renders the parts of a plan, and how they become one file."""

import hashlib
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import closing
from itertools import islice
from typing import Protocol

from outhaul.export.render import render_part
from outhaul.lake.snapshot import Lake
from outhaul.reading.plan import Plan
from outhaul.storage.manifest import Manifest, Part
from outhaul.storage.store import FileStore

Parts = Generator[Part, None, None]

Done = Mapping[int, Part]
"""The parts that earlier attempts have left, by number."""


class StoppedError(Exception):
    """Rendering was asked to stop."""


class PartLostError(Exception):
    """A part that an earlier attempt has left cannot be read."""


class Executor(Protocol):
    """Renders the parts of a plan, several at a time."""

    def render(
        self, plan: Plan, lake: Lake, prefix: str, stop: threading.Event, done: Done
    ) -> Parts:
        """Give the parts in order as they are done; their keys begin with `prefix`.

        Those that are `done` are given as they are. Raises `StoppedError` soon after `stop` is set.
        Once it has raised or is closed, nothing is written any more by anyone who can be reached:
        what a machine writes that was cut off is under keys that nobody else writes or reads, and
        goes when the job's parts do.
        """
        ...

    def close(self) -> None:
        """Let go of whoever renders; to be called when no job is rendered."""
        ...


class LocalExecutor:
    """Renders in threads of this process; Polars does its work outside of Python's lock."""

    def __init__(self, files: FileStore, threads: int) -> None:
        self._files = files
        # A job is never far ahead of what is hashed, and several jobs share the threads.
        self._ahead = 2 * threads
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="part")

    def render(
        self, plan: Plan, lake: Lake, prefix: str, stop: threading.Event, done: Done
    ) -> Parts:
        """Give the parts in order as they are done."""
        numbers = iter(range(max(1, len(plan.parts))))  # no records still make a header
        futures: deque[Future[Part]] = deque()

        def begin(number: int) -> Future[Part]:
            if number not in done:
                return self._pool.submit(self._part, plan, number, lake, prefix, stop)
            future: Future[Part] = Future()
            future.set_result(done[number])
            return future

        def submit(count: int) -> None:
            futures.extend(begin(number) for number in islice(numbers, count))

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
        self, plan: Plan, number: int, lake: Lake, prefix: str, stop: threading.Event
    ) -> Part:
        def check() -> None:
            if stop.is_set():
                raise StoppedError(prefix)

        check()
        key = f"{prefix}/{number:06}"
        size, records = write_part(plan, number, lake, self._files, key, check, kept=True)
        return Part(number=number, key=key, size=size, records=records)


def write_part(  # noqa: PLR0913, PLR0917 - what is read, where it is written, when it ends
    plan: Plan,
    number: int,
    lake: Lake,
    files: FileStore,
    key: str,
    check: Callable[[], None],
    *,
    kept: bool,
) -> tuple[int, int]:
    """Write part `number` of a plan to the store; return its size in bytes and its records.

    One that is `kept` will be read back by this process.
    """
    with files.writer(key, kept=kept) as target:
        counted = _Counted(target.write)
        records = render_part(plan, number, lake, counted, check)
    return counted.size, records


def export(  # noqa: PLR0913 - what it reads, where it writes, who does it, when it ends
    plan: Plan,
    lake: Lake,
    *,
    prefix: str,
    files: FileStore,
    executor: Executor,
    stop: threading.Event,
    done: Sequence[Part] = (),
    keep: Callable[[Part], None] = lambda _: None,
    as_one: bool = False,
) -> Manifest:
    """Render a plan and return its manifest. Raises `StoppedError`.

    Parts that are `done`, by an attempt before, are not rendered again; `keep` is told of each
    that is new, in order. Raises `PartLostError` where one that is done cannot be read.

    The checksum is of the whole file: parts are hashed in order, each as soon as it is done and
    still at hand, while later ones are being rendered. A file that is wanted `as_one` part is put
    together on that way; what it was put together from is left to be removed.
    """
    hashing = _Hashing(files, stop, {part.number: part for part in done}, keep)
    if not as_one or len(plan.parts) <= 1:
        parts = hashing.run(executor, plan, lake, prefix)
        return Manifest(parts=parts, checksum=hashing.checksum)
    key, pieces = f"{prefix}/whole", f"{prefix}/parts"
    with files.writer(key) as whole:
        parts = hashing.run(executor, plan, lake, pieces, whole.write)
    joined = Manifest(parts=parts, checksum=hashing.checksum)
    one = Part(number=0, key=key, size=joined.size, records=joined.records)
    return Manifest(parts=[one], checksum=hashing.checksum)


class _Hashing:
    """Hashes the parts of a file in order, as they are rendered."""

    def __init__(
        self, files: FileStore, stop: threading.Event, done: Done, keep: Callable[[Part], None]
    ) -> None:
        self._files = files
        self._stop = stop
        self._done = done
        self._keep = keep
        self._digest = hashlib.sha256()

    @property
    def checksum(self) -> str:
        """The SHA-256 of what was hashed."""
        return self._digest.hexdigest()

    def run(
        self,
        executor: Executor,
        plan: Plan,
        lake: Lake,
        prefix: str,
        hand_on: Callable[[bytes], object] = lambda _: None,
    ) -> list[Part]:
        """Return the parts; `hand_on` is given their bytes in order."""
        parts = []
        with closing(executor.render(plan, lake, prefix, self._stop, self._done)) as rendered:
            for part in rendered:
                for content in self._read(part):
                    if self._stop.is_set():
                        raise StoppedError(prefix)
                    self._digest.update(content)
                    hand_on(content)
                if part.number not in self._done:
                    self._keep(part)
                parts.append(part)
        return parts

    def _read(self, part: Part) -> Iterator[bytes]:
        try:
            yield from self._files.read_back(part.key, part.size)
        except OSError as error:
            if part.number not in self._done:
                raise
            raise PartLostError(f"part {part.number} of an earlier attempt: {error}") from error


class _Counted:
    """Hands bytes on, and counts them."""

    def __init__(self, write: Callable[[bytes], int]) -> None:
        self._write = write
        self.size = 0

    def write(self, content: bytes, /) -> int:
        self.size += len(content)
        self._write(content)
        return len(content)
