"""Assembling the file of a plan: rendering its parts, in order, and hashing them.

Each part is hashed right after it is rendered, while it is still in the system's file cache and
later parts are being rendered. Parts that an earlier attempt rendered are used again.
"""

import hashlib
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import Future, wait
from contextlib import closing

from outhaul.export.executor import Executor, StoppedError
from outhaul.export.plan import Plan
from outhaul.lake.snapshot import Lake
from outhaul.storage.manifest import Manifest, Part
from outhaul.storage.store import FileStore

LOOK_SECONDS = 0.1
"""Interval at which an assembly that waits for a part checks whether it must stop."""


class PartLostError(Exception):
    """A part that an earlier attempt rendered cannot be read."""


def assemble(  # noqa: PLR0913 - what it reads, where it writes, who renders, when it ends
    plan: Plan,
    lake: Lake,
    *,
    prefix: str,
    files: FileStore,
    executor: Executor,
    stop: threading.Event,
    done: Sequence[Part] = (),
    publish: Callable[[Part], None] = lambda _: None,
    as_one: bool = False,
) -> Manifest:
    """Render a plan and return the manifest of its file.

    The keys of the parts begin with `prefix`. The parts in `done`, of an earlier attempt, are not
    rendered again. `publish` is called with each new part, in order. With `as_one`, the file is
    copied into a single part; the caller deletes the parts that it was copied from.

    Raises `StoppedError` soon after `stop` is set, `PartLostError` if a part in `done` cannot be
    read, and the errors of rendering. No part is being written any more by then
    (`Executor.cancel`).
    """
    assembly = _Assembly(plan, lake, files, executor, stop, {part.number: part for part in done})
    if not as_one or plan.part_count == 1:
        parts = assembly.run(prefix, publish)
        return Manifest(parts=parts, checksum=assembly.checksum)
    key, pieces = f"{prefix}/whole", f"{prefix}/parts"
    with files.writer(key, media_type=plan.output.format.media_type) as whole:
        parts = assembly.run(pieces, publish, whole.write)
    joined = Manifest(parts=parts, checksum=assembly.checksum)
    one = Part(number=0, key=key, size=joined.size, records=joined.records)
    return Manifest(parts=[one], checksum=assembly.checksum)


class _Assembly:
    """One run of `assemble`."""

    def __init__(  # noqa: PLR0913, PLR0917 - the arguments of `assemble`
        self,
        plan: Plan,
        lake: Lake,
        files: FileStore,
        executor: Executor,
        stop: threading.Event,
        done: Mapping[int, Part],
    ) -> None:
        self._plan = plan
        self._lake = lake
        self._files = files
        self._executor = executor
        self._stop = stop
        self._done = done
        self._digest = hashlib.sha256()

    @property
    def checksum(self) -> str:
        """The SHA-256 of the parts up to now, in hexadecimal digits."""
        return self._digest.hexdigest()

    def run(
        self,
        prefix: str,
        publish: Callable[[Part], None],
        copy: Callable[[bytes], object] = lambda _: None,
    ) -> list[Part]:
        """Return the parts in order; `copy` is called with their bytes, in order."""
        parts = []
        with closing(self._rendered(prefix)) as rendered:
            for part in rendered:
                for content in self._read(part):
                    self._check()
                    self._digest.update(content)
                    copy(content)
                if part.number not in self._done:
                    publish(part)
                parts.append(part)
        return parts

    def _rendered(self, prefix: str) -> Generator[Part, None, None]:
        """Yield the parts in order. A few parts at a time are submitted to the executor."""
        numbers = iter(range(self._plan.part_count))
        window: deque[Future[Part]] = deque()
        try:
            self._fill(window, numbers, prefix)
            while window:
                part = self._wait(window[0])
                window.popleft()
                self._fill(window, numbers, prefix)
                yield part
        finally:
            self._executor.cancel(window)

    def _fill(self, window: deque[Future[Part]], numbers: Iterator[int], prefix: str) -> None:
        # At least one: an executor may not know how many it can render before the first.
        while not window or len(window) < self._executor.ahead:
            number = next(numbers, None)
            if number is None:
                return
            window.append(self._begun(number, f"{prefix}/{number:06}"))

    def _begun(self, number: int, key: str) -> Future[Part]:
        if number not in self._done:
            return self._executor.submit(self._plan.task(number, key), self._lake, self._stop)
        future: Future[Part] = Future()
        future.set_result(self._done[number])
        return future

    def _wait(self, part: Future[Part]) -> Part:
        while not wait([part], LOOK_SECONDS).done:
            self._check()
        return part.result()

    def _read(self, part: Part) -> Iterator[bytes]:
        try:
            yield from self._files.read_back(part.key, part.size)
        except OSError as error:
            if part.number not in self._done:
                raise
            raise PartLostError(f"part {part.number} of an earlier attempt: {error}") from error

    def _check(self) -> None:
        if self._stop.is_set():
            raise StoppedError
