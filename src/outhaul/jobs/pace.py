"""The pace of jobs: what may keep a job from leaving a state, beside the rules of the queue.

A service runs every job as soon as the queue permits. The stand-in keeps jobs in a state until a
test lets them go on.
"""

import threading
from typing import Protocol

from outhaul.jobs.job import Job


class FailedByOrderError(Exception):
    """The job is to become Failed at once, without another attempt. The text is its `errorMsg`."""


class Pace(Protocol):
    """Decides when a job leaves Queued, and when it leaves Processing. Called by many threads."""

    def may_start(self, job_id: str, subscription: str) -> bool:
        """Return whether a job may leave Queued now. The queue asks again at its next look.

        It is called in a transaction that writes, so it must not wait, and not use the database.
        """

    def hold(self, job: Job, stop: threading.Event) -> None:
        """Return when a job may leave Processing, or when `stop` is set.

        The file of the job is rendered by then, and not yet published. `stop` is set when the
        worker ends, and when it has lost the job, for example because the job was cancelled.
        Raises `FailedByOrderError` to make the job Failed.
        """


class AtOnce:
    """Every job runs as soon as the queue permits."""

    def may_start(self, job_id: str, subscription: str) -> bool:  # noqa: ARG002
        return True

    def hold(self, job: Job, stop: threading.Event) -> None:
        pass


AT_ONCE: Pace = AtOnce()
