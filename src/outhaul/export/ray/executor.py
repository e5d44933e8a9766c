"""Renders parts as tasks of a Ray cluster, for when one machine is too small.

The nodes reach the lake and the files as the worker does: by the same path of a shared folder, or
in buckets.
"""

import threading
from collections.abc import Collection
from concurrent.futures import Future

from outhaul.export.executor import StoppedError
from outhaul.export.plan import PartTask
from outhaul.export.ray.cluster import ClusterError, RayCluster
from outhaul.export.ray.task import pack
from outhaul.lake.snapshot import Lake
from outhaul.settings import Settings
from outhaul.storage.manifest import Part

LOOK_SECONDS = 0.1
"""How often an executor that waits for a connection looks whether it is to stop."""


class RayExecutor:
    """An `Executor` that has each part rendered by a task, wherever Ray has a processor for it.

    Ray runs a task again whose node has died. It cannot know whether the node is dead or only cut
    off, so each run writes under a key of its own, and the parts that nobody waits for are removed
    with the other parts of the job. A future raises `ClusterError` and `PartError`, too.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        # Nodes need no database, and its URL may have a password in it.
        self._sent = settings.model_copy(update={"database_url": ""})
        self._connecting = threading.Lock()
        self._cluster: RayCluster | None = None

    @property
    def ahead(self) -> int:
        # Enough for every processor to have the next part at hand when it is done with one, and for
        # Ray to see that more processors would help.
        return 1 if self._cluster is None else 2 * max(1, int(self._cluster.cpus))

    def submit(self, task: PartTask, lake: Lake, stop: threading.Event) -> Future[Part]:
        return self._connected(stop).submit(pack(self._sent, task, lake))

    def cancel(self, parts: Collection[Future[Part]]) -> None:
        if self._cluster is not None:
            self._cluster.end(parts)

    def close(self) -> None:
        if self._cluster is not None:
            self._cluster.close()

    def _connected(self, stop: threading.Event) -> RayCluster:
        """Return the connection that all jobs share; a new one if it was lost."""
        while not self._connecting.acquire(timeout=LOOK_SECONDS):
            if stop.is_set():
                raise StoppedError
        try:
            if self._cluster is not None and self._cluster.lost:
                self._cluster.close()
                self._cluster = None
            if self._cluster is None:
                self._cluster = RayCluster(str(self._settings.ray_address), stop)
        except ClusterError:
            if stop.is_set():
                raise StoppedError from None
            raise
        else:
            return self._cluster
        finally:
            self._connecting.release()
