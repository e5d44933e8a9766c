"""Export jobs of one kind at an endpoint: create, enqueue, wait for the end."""

from collections.abc import Callable, Mapping
from typing import Any

from outhaul.client.calls import Calls
from outhaul.client.endings import Ending
from outhaul.client.jobs import Job
from outhaul.client.queueing import Pace
from outhaul.client.run import Run


def _quiet(_what: object) -> None:
    pass


class Exports(Calls):
    """The export jobs of one kind.

    `kind_path` is `leads`, `activities`, `program/members` or `customobjects/<name>`.
    """

    def run(
        self,
        request: Mapping[str, Any],
        on_status: Callable[[Job], None] = _quiet,
        *,
        poll_seconds: float = 5.0,
        queue_wait: float = 3600.0,
        on_end: Callable[[Ending], None] = _quiet,
    ) -> Job:
        """Create a job, enqueue it, and return it when it is Completed.

        The pause between two status calls grows from 0.2 to `poll_seconds`; `on_status` gets the
        job of each answer. If the queue is full, `enqueue` is tried again for `queue_wait` seconds.
        Raises `JobFailedError` if the job ends in another state, and other `ClientError`s.

        If the run breaks off, by an error or an interrupt, the job is cancelled first. A note of
        the exception says what became of the job, and `on_end` gets the same. A job is left in the
        queue only if it cannot be cancelled.
        """
        pace = Pace(poll_seconds=poll_seconds, queue_wait=queue_wait)
        return Run(self, pace, on_status, on_end).of_request(request)

    def resume(
        self,
        export_id: str,
        on_status: Callable[[Job], None] = _quiet,
        *,
        poll_seconds: float = 5.0,
        queue_wait: float = 3600.0,
        on_end: Callable[[Ending], None] = _quiet,
    ) -> Job:
        """Take up an existing job, and return it when it is Completed.

        Works as `run` does from the state of the job on: a job in Created is enqueued. The job is
        never cancelled, because another program made it.
        """
        pace = Pace(poll_seconds=poll_seconds, queue_wait=queue_wait)
        return Run(self, pace, on_status, on_end).of_job(export_id)
