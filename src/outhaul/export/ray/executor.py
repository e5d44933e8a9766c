"""Renders parts as tasks of a Ray cluster, for when one machine is too small.

The nodes reach the lake and the files as the worker does: by the same path of a shared folder, or
in buckets.
"""

import pickle
import threading
import uuid
from collections import deque
from concurrent.futures import Future, wait
from contextlib import closing
from dataclasses import replace
from typing import Any

from outhaul.export.executors import Done, Parts, StoppedError, write_part
from outhaul.export.ray.cluster import ClusterError, RayCluster
from outhaul.lake.snapshot import Lake
from outhaul.reading.plan import Plan
from outhaul.settings import Settings
from outhaul.storage.manifest import Part
from outhaul.storage.opening import open_files

LOOK_SECONDS = 0.1
"""How often it is looked whether to stop."""


class RayExecutor:
    """Has each part rendered by a task of its own, wherever Ray has a processor free for it.

    Ray runs a task again whose node has died. It cannot know whether the node is dead or only cut
    off, so each run writes under a key of its own, and those that nobody waits for are removed
    with the other parts of the job.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        # Nodes need no database, and its URL may have a password in it.
        self._sent = settings.model_copy(update={"database_url": ""})
        self._connecting = threading.Lock()
        self._cluster: RayCluster | None = None

    def render(
        self, plan: Plan, lake: Lake, prefix: str, stop: threading.Event, done: Done
    ) -> Parts:
        """Give the parts in order as they are done. Raises `ClusterError` and `PartError`, too."""
        cluster = self._connected(stop)
        numbers = iter(range(max(1, len(plan.parts))))
        futures: deque[tuple[int, Future[dict[str, Any]] | None]] = deque()

        def fill() -> None:
            # Enough for every processor to have the next part at hand when it is done with one,
            # and for Ray to see that more of them would help.
            while len(futures) < 2 * max(1, cluster.cpus):
                number = next(numbers, None)
                if number is None:
                    return
                if number in done:
                    futures.append((number, None))
                    continue
                alone = _alone(plan, number)
                packed = pickle.dumps((self._sent, alone, lake.place, f"{prefix}/{number:06}"))
                futures.append((number, cluster.submit(packed)))

        try:
            fill()
            while futures:
                number, future = futures[0]
                while future is not None and not wait([future], LOOK_SECONDS).done:
                    if stop.is_set():
                        raise StoppedError(prefix)
                if future is None:
                    part = done[number]
                else:
                    part = Part(number=number, **_placed(future.result()))
                futures.popleft()
                fill()
                yield part
        finally:
            cluster.end([future for _, future in futures if future is not None])

    def close(self) -> None:
        """End the connection to the cluster."""
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


def render_packed(packed: bytes) -> dict[str, Any]:
    """Render a part on a node, with what `RayExecutor` packed; return its key, size and records."""
    settings, plan, place, key = pickle.loads(packed)  # noqa: S301 - from our own worker
    key = f"{key}.{uuid.uuid4().hex}"
    with closing(open_files(settings)) as files:
        # It is not asked whether to stop: to stop it, Ray ends the process.
        size, records = write_part(plan, 0, Lake(place), files, key, lambda: None, kept=False)
    return {"key": key, "size": size, "records": records}


def _alone(plan: Plan, number: int) -> Plan:
    """Return the plan of one part: the whole would be sent as many times as it has parts."""
    header = plan.header if number == 0 else ""
    return replace(plan, parts=plan.parts[number : number + 1], header=header)


def _placed(answer: dict[str, Any]) -> dict[str, Any]:
    return {name: answer[name] for name in ("key", "size", "records")}
