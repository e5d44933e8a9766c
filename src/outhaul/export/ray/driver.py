"""The driver process: it gets parts from the worker and runs them as tasks on the cluster.

It is a process of its own because Ray ends a process that has lost its cluster, and the worker
must go on. The driver ends when the worker does, because its connection is closed then. Ray ends
the tasks of a driver that has ended.
"""

import logging
import os
import platform
import queue
import sys
import threading
import traceback
import zlib
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from multiprocessing.connection import Connection
from typing import Any

RETRIES = 3
"""How often Ray runs a part again after its process or its node died."""


def versions() -> str:
    """Return the versions of libraries that affect the bytes of a part.

    They must be the same on all nodes, so that the same plan gives the same bytes.
    """
    names = ("outhaul", "polars")
    try:
        found = [f"{name} {version(name)}" for name in names]
    except PackageNotFoundError as error:
        return f"no {error.name}"
    # Another zlib may compress the same records into other bytes.
    return ", ".join([*found, f"zlib {zlib.ZLIB_RUNTIME_VERSION}"])


def render(wanted: str, packed: bytes) -> dict[str, Any]:
    """Render a part on this node; return an object with `part`, or with `error` and `trace`.

    This is the task. Ray sends the code of the function and not its name, because the driver runs
    as `__main__`. A node with another version of outhaul, or without it, can thus report that.
    `packed` is unpickled only after the check of the versions.
    """
    try:
        here = versions()
        if here != wanted:
            raise RuntimeError(f"the worker has {wanted}; this node has {here}")  # noqa: TRY301
        # A task claims one processor, so a node with n processors runs n tasks. With n threads
        # each, they would slow each other down. Polars reads the variable when it is imported.
        os.environ.setdefault("POLARS_MAX_THREADS", "1")
        from outhaul.export.ray.task import render_packed  # noqa: PLC0415 - imports Polars

        return render_packed(packed)
    except BaseException as error:  # noqa: BLE001 - a panic of Polars is no Exception
        # As text, because the worker may not have the class of the error.
        message = f"{type(error).__name__}: {error}"
        return {"error": f"on node {platform.node()}: {message}", "trace": traceback.format_exc()}


class Driver:
    """Turns messages of the worker into tasks, and sends their results back."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._refs: dict[int, Any] = {}
        self._done: queue.SimpleQueue[tuple[int, Future[dict[str, Any]]]] = queue.SimpleQueue()

    def run(self, address: str) -> None:
        """Connect, and work until the worker ends the connection."""
        ray: Any = import_module("ray")  # Ray is not fully typed

        try:
            ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
        except Exception as error:  # noqa: BLE001 - the worker reports it
            self._connection.send({"error": str(error)})
            return
        cpus = ray.cluster_resources().get("CPU", 0)
        self._connection.send({"cpus": cpus})
        threading.Thread(
            target=self._answer, args=(ray.cluster_resources, cpus), daemon=True
        ).start()
        task = ray.remote(num_cpus=1, max_retries=RETRIES)(render)
        while True:
            try:
                message = self._connection.recv()
            except (EOFError, OSError):  # the worker has ended
                break
            if message is None:
                break
            number, what, *arguments = message
            if what == "cancel":
                # `force` ends the process. An interrupt may be lost, or hit the next part.
                if number in self._refs:
                    ray.cancel(self._refs[number], force=True)
                continue
            ref = self._refs[number] = task.remote(*arguments)
            ref.future().add_done_callback(partial(self._put, number))
        ray.shutdown()

    def _put(self, number: int, done: Future[dict[str, Any]]) -> None:
        self._done.put((number, done))

    def _answer(self, resources: Callable[[], dict[str, float]], cpus: float) -> None:
        # Not in the callback, because Ray calls that in a thread which must not be blocked.
        while True:
            number, done = self._done.get()
            try:
                answer = done.result()
            except Exception as error:  # noqa: BLE001 - the worker reports it
                answer = {"error": f"{type(error).__name__}: {error}"}
            self._refs.pop(number, None)
            with suppress(Exception):  # the head node may be unreachable for a while
                cpus = resources().get("CPU", 0)
            self._connection.send({"number": number, "cpus": cpus, **answer})


if __name__ == "__main__":
    # The connection is not standard output, so that prints of libraries do not disturb it.
    Driver(Connection(int(sys.argv[1]))).run(sys.argv[2])
