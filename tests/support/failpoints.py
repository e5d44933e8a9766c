"""A worker that is sent a signal at a point of an attempt: by itself, and for real.

A point is the beginning of a step (`pin:before`) or its end (`pin:after`), at one of its calls,
counted from 0. What the product does is left as it is but for that.
"""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection

import outhaul.worker
from outhaul.database.engine import Database
from outhaul.export import render
from outhaul.export.local import LocalExecutor
from outhaul.jobs import queue
from outhaul.jobs.queue import Queue
from outhaul.worker import Worker

STEPS: dict[str, tuple[Any, str]] = {
    "make_plan": (outhaul.worker, "make_plan"),
    "pin": (Queue, "pin"),
    "render_part": (render, "render_part"),
    "write_part": (LocalExecutor, "_render"),
    "publish_part": (Queue, "publish_part"),
    # The last statement of its transaction, before the commit.
    "insert_part": (queue, "_row"),
    "publish": (Queue, "publish"),
    # The same of the other one.
    "wake_workers": (queue, "wake_workers"),
    "clean_up": (Worker, "_clean_up"),
}


WRITING = threading.RLock()
"""Held by the thread that is in a transaction that writes."""


def write_in_turn() -> None:
    """Have the threads of this process write one after the other."""
    original = Database.write

    @contextmanager
    def write(self: Database) -> Iterator[Connection]:
        with WRITING, original(self) as connection:
            yield connection

    Database.write = write  # type: ignore[method-assign]


def send_at(point: str, call: int, number: signal.Signals) -> None:
    """Send this process a signal at one of the calls of a step, in the thread that makes it."""
    write_in_turn()
    step, _, when = point.partition(":")
    where, name = STEPS[step]
    original = getattr(where, name)
    lock = threading.Lock()
    count = -1

    def watched(*args: Any, **kwargs: Any) -> Any:
        nonlocal count
        with lock:
            count += 1
            mine = count == call
        if mine and when == "before":
            send()
        result = original(*args, **kwargs)
        if mine and when == "after":
            send()
        return result

    def send() -> None:
        # A process that stands still amid a transaction of another thread would keep SQLite locked
        # for everyone: that is not what is to be shown. What is sent to the process may find this
        # thread some steps further.
        with WRITING:
            signal.pthread_kill(threading.get_ident(), number)

    setattr(where, name, watched)


def stop_while_stopping() -> None:
    """Send this process SIGTERM while a thread of it holds the lock of the event that stops it."""
    original = Worker.stop

    def stop(self: Worker) -> None:
        with self._stop._cond:  # type: ignore[attr-defined]  # as `Event.set` does
            signal.raise_signal(signal.SIGTERM)
        original(self)

    Worker.stop = stop  # type: ignore[method-assign]
