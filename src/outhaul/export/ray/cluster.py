"""The worker's end of the connection to a Ray cluster."""

import itertools
import multiprocessing
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Collection
from concurrent.futures import Future, wait
from typing import Any

from outhaul.export.ray import driver
from outhaul.storage.manifest import Part

REACH_SECONDS = 10.0
"""Longest time to wait for a cluster that does not answer, which may be restarting."""

CONNECT_SECONDS = 60.0
"""Longest time for Ray to connect to a cluster that answers."""

END_SECONDS = 5.0
"""Longest time for cancelled parts, and for the process of the connection, to end."""


class RayMissingError(Exception):
    """Ray is not installed."""


class ClusterError(Exception):
    """The Ray cluster cannot be reached, or the connection was lost."""


class PartError(Exception):
    """A part could not be rendered on the cluster."""


class RayCluster:
    """A driver process that is connected to Ray, and the futures of the parts it renders."""

    def __init__(self, address: str, stop: threading.Event) -> None:
        """Connect. Raises `ClusterError` if the cluster does not answer, or if `stop` is set."""
        self._address = address
        self._numbers = itertools.count()
        self._pending: dict[int, Future[Part]] = {}
        self._lock = threading.Lock()
        self._lost: str | None = None
        self._versions = driver.versions()
        self._reader = threading.Thread(target=self._read, name="ray", daemon=True)
        _reach(address, stop)
        self._connection, theirs = multiprocessing.Pipe()
        with theirs:
            self._process = subprocess.Popen(
                # Ray's nodes look for modules in the working directory of the driver. -P and a
                # folder without code keep them from finding any there.
                [sys.executable, "-P", driver.__file__, str(theirs.fileno()), address],
                pass_fds=[theirs.fileno()],
                cwd="/",
                env={"RAY_USAGE_STATS_ENABLED": "0"} | os.environ,
                stdout=subprocess.DEVNULL,
                # Ctrl-C in a terminal reaches the worker only, which then ends this process.
                process_group=0,
            )
        self.cpus = self._connected(stop)
        """Processors of the cluster, as reported with the last answer."""
        self._reader.start()

    @property
    def lost(self) -> bool:
        """Whether the connection is lost: it can render no more parts."""
        return self._lost is not None

    def submit(self, packed: bytes) -> Future[Part]:
        """Start to render a part; return its future.

        The future raises `PartError`, or `ClusterError` if the connection is lost.
        """
        future: Future[Part] = Future()
        with self._lock:
            number = next(self._numbers)
            self._pending[number] = future
        self._send((number, "render", self._versions, packed))
        return future

    def end(self, futures: Collection[Future[Part]]) -> None:
        """Cancel parts. Return when no node that can be reached renders them any more.

        Files that the nodes have begun to write stay in the store.
        """
        wanted = set(futures)
        with self._lock:
            numbers = [number for number, future in self._pending.items() if future in wanted]
        for number in numbers:
            self._send((number, "cancel"))
        wait(wanted, END_SECONDS)

    def close(self) -> None:
        """End the driver process, and with it all tasks that it still runs."""
        self._send(None)  # closing the connection would not wake a thread that reads from it
        try:
            self._process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._reader.is_alive():
            self._reader.join(END_SECONDS)
        self._connection.close()

    def _connected(self, stop: threading.Event) -> float:
        answer = self._first_answer(stop)
        if "error" in answer:
            self._process.kill()
            self.close()
            raise ClusterError(f"Ray did not connect to {self._address}: {answer['error']}")
        return float(answer["cpus"])

    def _first_answer(self, stop: threading.Event) -> dict[str, Any]:
        begun = time.monotonic()
        try:
            while not self._connection.poll(0.1):
                if stop.is_set() or time.monotonic() - begun > CONNECT_SECONDS:
                    return {"error": f"it took more than {CONNECT_SECONDS:.0f} s"}
            answer: dict[str, Any] = self._connection.recv()
        except (EOFError, OSError):
            return {"error": "its process ended; standard error may have more"}
        return answer

    def _send(self, message: tuple[Any, ...] | None) -> None:
        try:
            with self._lock:
                if self._lost is None:
                    self._connection.send(message)
                    return
        except (OSError, ValueError):
            pass
        self._lose()

    def _read(self) -> None:
        while True:
            try:
                answer = self._connection.recv()
            except (EOFError, OSError):
                self._lose()
                return
            self.cpus = float(answer["cpus"])
            with self._lock:
                future = self._pending.pop(answer["number"], None)
            if future is None:  # `_lose` has ended it already
                continue
            if "error" in answer:
                error = PartError(answer["error"])
                error.add_note(answer.get("trace", ""))
                future.set_exception(error)
            else:
                number, key, size, records = answer["part"]
                future.set_result(Part(number=number, key=key, size=size, records=records))

    def _lose(self) -> None:
        with self._lock:
            self._lost = f"the connection to the Ray cluster at {self._address} was lost"
            pending, self._pending = self._pending, {}
        for future in pending.values():
            future.set_exception(ClusterError(self._lost))


def _reach(address: str, stop: threading.Event) -> None:
    """Wait until a server listens at the address. Raises `ClusterError`.

    Ray itself would try for minutes, and then end its process.
    """
    host, _, port = address.rpartition(":")
    begun = time.monotonic()
    while True:
        try:
            socket.create_connection((host.strip("[]"), int(port)), timeout=1).close()
        except (OSError, OverflowError) as error:
            if stop.wait(0.2) or time.monotonic() - begun > REACH_SECONDS:
                raise ClusterError(f"no Ray cluster answers at {address}: {error}") from error
        else:
            return
