"""The pace of a subscription, and the orders by which its jobs go on, one by one."""

import threading
from enum import StrEnum

from outhaul.jobs.job import Job

LOOK_SECONDS = 0.1
"""Interval at which a held job checks whether the worker stops."""


class Mode(StrEnum):
    """Whether the jobs of a subscription go on by themselves."""

    AT_ONCE = "at_once"
    """A job starts when the queue permits, and is Completed when its file is rendered."""
    BY_HAND = "by_hand"
    """A job leaves Queued, and leaves Processing, only when it is told to."""


class Orders:
    """A `Pace` that holds the jobs of the subscriptions that are stepped by hand."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._by_hand: set[str] = set()
        self._started: dict[str, str] = {}  # the subscriptions of jobs, by id
        self._completed: dict[str, str] = {}

    def mode(self, subscription: str) -> Mode:
        """Return the mode of a subscription. In the beginning it is `AT_ONCE`."""
        with self._changed:
            return Mode.BY_HAND if subscription in self._by_hand else Mode.AT_ONCE

    def set_mode(self, subscription: str, mode: Mode) -> None:
        """Set the mode of a subscription. `AT_ONCE` lets all of its jobs go on."""
        with self._changed:
            if mode is Mode.BY_HAND:
                self._by_hand.add(subscription)
            else:
                self._by_hand.discard(subscription)
            self._changed.notify_all()

    def start(self, subscription: str, job_id: str) -> None:
        """Let a job leave Queued."""
        with self._changed:
            self._started[job_id] = subscription

    def complete(self, subscription: str, job_id: str) -> None:
        """Let a job leave Processing."""
        with self._changed:
            self._completed[job_id] = subscription
            self._changed.notify_all()

    def settle(self, job_id: str) -> None:
        """Forget the orders of a job that they have no effect on any more."""
        with self._changed:
            self._started.pop(job_id, None)
            self._completed.pop(job_id, None)

    def reset(self, subscription: str) -> None:
        """Forget the mode and the orders of a subscription."""
        with self._changed:
            for orders in (self._started, self._completed):
                for job_id in [job for job, name in orders.items() if name == subscription]:
                    del orders[job_id]
        self.set_mode(subscription, Mode.AT_ONCE)

    def may_start(self, job_id: str, subscription: str) -> bool:
        with self._changed:
            return subscription not in self._by_hand or job_id in self._started

    def hold(self, job: Job, stop: threading.Event) -> None:
        with self._changed:
            while self._holds(job) and not stop.is_set():
                self._changed.wait(LOOK_SECONDS)

    def _holds(self, job: Job) -> bool:
        return job.subscription in self._by_hand and job.id not in self._completed
