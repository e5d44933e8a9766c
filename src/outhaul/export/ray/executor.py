"""The executor that renders parts as tasks of a Ray cluster, for when one machine is too small.

The nodes of the cluster reach the lake and the export files by the same URLs as the worker: buckets
or a shared folder.
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
"""Interval at which an executor that waits for a connection checks whether it must stop."""


class RayExecutor:
    """An `Executor` that renders each part in a task of a Ray cluster.

    Ray runs a task again if its node died. Ray cannot know whether the node is dead or only cut off
    from the network. Each run therefore writes under a key of its own, and the files of other runs
    are deleted with the other parts of the job. A future can also raise `ClusterError` and
    `PartError`.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        # Nodes need no database, and its URL may contain a password.
        self._sent = settings.model_copy(update={"database_url": ""})
        self._connecting = threading.Lock()
        self._cluster: RayCluster | None = None

    @property
    def ahead(self) -> int:
        # Two for each processor: the next part waits when one is done, and Ray's autoscaler sees
        # that there is work for more processors.
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
        """Return the connection for all jobs; connect again if it was lost."""
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
