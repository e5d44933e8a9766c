"""How jobs get into the queue, and how a run waits for that and for their end."""

from collections.abc import Iterator
from dataclasses import dataclass

from outhaul.client.calls import Calls
from outhaul.client.errors import AlreadyQueuedError
from outhaul.client.jobs import Job
from outhaul.protocol.states import State

_FIRST_PAUSE_SECONDS = 0.2
_PAUSE_GROWTH = 1.5


@dataclass(frozen=True, kw_only=True)
class Pace:
    """How a run waits.

    The pause between two status calls grows from 0.2 to `poll_seconds`. If the queue is full,
    `enqueue` is tried again for `queue_wait` seconds.
    """

    poll_seconds: float = 5.0
    queue_wait: float = 3600.0

    def pauses(self) -> Iterator[float]:
        """Yield the next pause in seconds."""
        pause = _FIRST_PAUSE_SECONDS
        while True:
            yield min(pause, self.poll_seconds)
            pause = min(pause * _PAUSE_GROWTH, self.poll_seconds)


def enqueued(calls: Calls, export_id: str) -> Job:
    """Put a job in the queue and return its new state. Raises `ClientError` as `Calls.enqueue`.

    It is no error if the job is in the queue already: a proxy may have sent the call twice, or
    another program was first.
    """
    try:
        return calls.enqueue(export_id)
    except AlreadyQueuedError:
        job = calls.status(export_id, exists=True)
        if job.status is State.CREATED:
            raise
        return job
