"""What an executor does: it renders parts, wherever it has processors for them."""

import threading
from collections.abc import Collection
from concurrent.futures import Future
from typing import Protocol

from outhaul.export.plan import PartTask
from outhaul.lake.snapshot import Lake
from outhaul.storage.manifest import Part


class StoppedError(Exception):
    """Rendering was asked to stop."""


class Executor(Protocol):
    """Renders parts, several at a time, of several jobs. Safe to use from any thread."""

    @property
    def ahead(self) -> int:
        """How many parts of a job should be submitted at a time: enough to leave none idle."""
        ...

    def submit(self, task: PartTask, lake: Lake, stop: threading.Event) -> Future[Part]:
        """Have a part rendered and stored; return its future, which raises what went wrong.

        The key of the part begins with the task's. Where an executor has to wait before it can take
        a part, it gives up with `StoppedError` soon after `stop` is set.
        """
        ...

    def cancel(self, parts: Collection[Future[Part]]) -> None:
        """Stop rendering parts, and return when nothing more is written of them.

        A machine that cannot be reached may go on: what it writes is under keys that nobody else
        writes or reads, and is removed with the job's other parts.
        """
        ...

    def close(self) -> None:
        """End the threads, processes and connections; no job is being rendered."""
        ...
