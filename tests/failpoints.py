"""`outhaul worker` that is sent a signal at a point of an attempt: by itself, and for real.

    python failpoints.py POINT CALL SIGNAL

A point is the beginning of a step (`pin:before`) or its end (`pin:after`), at one of its calls,
counted from 0. What the product does is left as it is but for that.
"""

import os
import signal
import sys
import threading
from typing import Any

import outhaul.worker
from outhaul.cli import main
from outhaul.extract import executors
from outhaul.jobs import queue
from outhaul.jobs.queue import Queue
from outhaul.worker import Worker

STEPS: dict[str, tuple[Any, str]] = {
    "make_plan": (outhaul.worker, "make_plan"),
    "pin": (Queue, "pin"),
    "render_part": (executors, "render_part"),
    "write_part": (executors.LocalExecutor, "_part"),
    "publish_part": (Queue, "publish_part"),
    # The last statement of its transaction, before the commit.
    "insert_part": (queue, "_row"),
    "publish": (Queue, "publish"),
    # The same of the other one.
    "wake_workers": (queue, "wake_workers"),
    "clean_up": (Worker, "_clean_up"),
}


def send_at(point: str, call: int, number: signal.Signals) -> None:
    """Send this process a signal at one of the calls of a step."""
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
            os.kill(os.getpid(), number)
        result = original(*args, **kwargs)
        if mine and when == "after":
            os.kill(os.getpid(), number)
        return result

    setattr(where, name, watched)


if __name__ == "__main__":
    point, call, number = sys.argv[1:]
    send_at(point, int(call), signal.Signals[number])
    sys.argv = ["outhaul", "worker", "--workers", "1"]
    main()
