"""The interface of executors, which render parts in threads or on other machines."""

import threading
from collections.abc import Collection
from concurrent.futures import Future
from typing import Protocol

from outhaul.export.plan import PartTask
from outhaul.lake.snapshot import Lake
from outhaul.storage.manifest import Part


class StoppedError(Exception):
    """Rendering stopped before its end, as requested."""


class Executor(Protocol):
    """Renders several parts at a time, of several jobs. Safe to use from any thread."""

    @property
    def ahead(self) -> int:
        """Number of parts of a job to submit at a time, so that no processor is idle."""
        ...

    def submit(self, task: PartTask, lake: Lake, stop: threading.Event) -> Future[Part]:
        """Start to render and store a part; return its future, which raises errors of rendering.

        The key of the part begins with the task's key. An executor that must wait before it accepts
        the task raises `StoppedError` soon after `stop` is set.
        """
        ...

    def cancel(self, parts: Collection[Future[Part]]) -> None:
        """Stop rendering parts. Return when none of them is being written any more.

        A machine that cannot be reached may go on writing. Its keys are its own, so this does no
        harm, and its parts are deleted with the other parts of the job.
        """
        ...

    def close(self) -> None:
        """End all threads, processes and connections. No job may be rendered at this time."""
        ...
