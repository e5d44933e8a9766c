"""The process that speaks to Ray: parts in from the worker, tasks out to the cluster, and back.

It is a process of its own because Ray ends the one that has lost its cluster, and that is not to
be the worker. It ends with the worker, too, as nobody holds the other end of its connection then;
and Ray ends the tasks of a driver that has gone.
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
"""How often Ray runs a part again whose process or node has died."""


def versions() -> str:
    """Return what has to be the same everywhere, for the same plan to give the same bytes."""
    names = ("outhaul", "polars")
    try:
        found = [f"{name} {version(name)}" for name in names]
    except PackageNotFoundError as error:
        return f"no {error.name}"
    # Another zlib may compress the same records into other bytes.
    return ", ".join([*found, f"zlib {zlib.ZLIB_RUNTIME_VERSION}"])


def render(wanted: str, packed: bytes) -> dict[str, Any]:
    """Render a part on this node; return `part`, or an `error`.

    This is the task. Ray sends the function itself and not its name, since it runs as `__main__`:
    a node whose outhaul is another, or missing, gets as far as to say so. `packed` is not opened
    before that is known.
    """
    try:
        here = versions()
        if here != wanted:
            raise RuntimeError(f"the worker has {wanted}; this node has {here}")  # noqa: TRY301
        # A task claims one processor, and a node runs as many as it has: n processes of n threads
        # would be in each other's way. Polars looks once, when it is first imported.
        os.environ.setdefault("POLARS_MAX_THREADS", "1")
        from outhaul.export.ray.task import render_packed  # noqa: PLC0415 - imports Polars

        return render_packed(packed)
    except BaseException as error:  # noqa: BLE001 - a panic of Polars is no Exception
        # As text: who gets it may not have the classes, nor Ray.
        said = f"{type(error).__name__}: {error}"
        return {"error": f"on node {platform.node()}: {said}", "trace": traceback.format_exc()}


class Driver:
    """Turns what comes from the worker into tasks, and sends back what becomes of them."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._refs: dict[int, Any] = {}
        self._done: queue.SimpleQueue[tuple[int, Future[dict[str, Any]]]] = queue.SimpleQueue()

    def run(self, address: str) -> None:
        """Connect, and work until the worker says to end, or has gone."""
        ray: Any = import_module("ray")  # some of it has no types

        try:
            ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
        except Exception as error:  # noqa: BLE001 - the worker says what it was
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
            except (EOFError, OSError):  # the worker has gone
                break
            if message is None:
                break
            number, what, *arguments = message
            if what == "cancel":
                # By ending its process: a mere interrupt may be lost, or hit the part after it.
                if number in self._refs:
                    ray.cancel(self._refs[number], force=True)
                continue
            ref = self._refs[number] = task.remote(*arguments)
            ref.future().add_done_callback(partial(self._put, number))
        ray.shutdown()

    def _put(self, number: int, done: Future[dict[str, Any]]) -> None:
        self._done.put((number, done))

    def _answer(self, resources: Callable[[], dict[str, float]], cpus: float) -> None:
        # Not in the callback: Ray calls it in a thread that has to go on.
        while True:
            number, done = self._done.get()
            try:
                answer = done.result()
            except Exception as error:  # noqa: BLE001 - the worker says what it was
                answer = {"error": f"{type(error).__name__}: {error}"}
            self._refs.pop(number, None)
            with suppress(Exception):  # the head may be away for a while
                cpus = resources().get("CPU", 0)
            self._connection.send({"number": number, "cpus": cpus, **answer})


if __name__ == "__main__":
    # Whatever prints to standard output does not disturb the connection, which has its own.
    Driver(Connection(int(sys.argv[1]))).run(sys.argv[2])
