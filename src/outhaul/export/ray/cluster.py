"""The worker's end of a connection to a Ray cluster: parts go out, futures come back."""

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
"""How long a cluster is tried that does not answer: it may be starting again."""

CONNECT_SECONDS = 60.0
"""How long Ray may take to connect to a cluster that answers."""

END_SECONDS = 5.0
"""How long parts that were cancelled, and the connection's process, may take to end."""


class RayMissingError(Exception):
    """Ray is not installed."""


class ClusterError(Exception):
    """The Ray cluster cannot be reached, or was lost."""


class PartError(Exception):
    """A part could not be rendered on the cluster."""


class RayCluster:
    """A process that is connected to Ray, and the parts that it was given."""

    def __init__(self, address: str, stop: threading.Event) -> None:
        """Connect; gives up when `stop` is set. Raises `ClusterError`."""
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
                # With -P and in a folder that holds no code: Ray has its nodes look for modules
                # in the driver's working directory.
                [sys.executable, "-P", driver.__file__, str(theirs.fileno()), address],
                pass_fds=[theirs.fileno()],
                cwd="/",
                env={"RAY_USAGE_STATS_ENABLED": "0"} | os.environ,
                stdout=subprocess.DEVNULL,
                # Ctrl-C in a terminal is for the worker, which then ends this.
                process_group=0,
            )
        self.cpus = self._connected(stop)
        """Processors of the cluster, as of the part that was done last."""
        self._reader.start()

    @property
    def lost(self) -> bool:
        """Whether no more parts can be rendered over this connection."""
        return self._lost is not None

    def submit(self, packed: bytes) -> Future[Part]:
        """Have a part rendered; return its future.

        It raises `PartError` or, where the connection is lost, `ClusterError`.
        """
        future: Future[Part] = Future()
        with self._lock:
            number = next(self._numbers)
            self._pending[number] = future
        self._send((number, "render", self._versions, packed))
        return future

    def end(self, futures: Collection[Future[Part]]) -> None:
        """Cancel parts, and return when none of them is being rendered by whom we can reach.

        What their processes have begun to write stays where it is.
        """
        wanted = set(futures)
        with self._lock:
            numbers = [number for number, future in self._pending.items() if future in wanted]
        for number in numbers:
            self._send((number, "cancel"))
        wait(wanted, END_SECONDS)

    def close(self) -> None:
        """End the process, and with it whatever it still has at work."""
        self._send(None)  # to close the connection is not enough while it is being read
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
            return {"error": "it ended its process, and may have said more on standard error"}
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
            if future is None:  # lost meanwhile
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
    """Return when somebody listens at an address. Raises `ClusterError`.

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
