"""How jobs get into the queue, and how a run waits for that and for their end."""

from collections.abc import Iterator
from dataclasses import dataclass

from outhaul.client.calls import Calls
from outhaul.client.errors import AlreadyQueuedError
from outhaul.client.jobs import Job
from outhaul.client.patience import Patience
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


class QueueRoom:
    """Whether the endpoint's queue has refused a job, and for how long it has had no room."""

    def __init__(self, pace: Pace, patience: Patience) -> None:
        self.was_full = False
        """Whether it has ever refused a job."""
        self._pace = pace
        self._patience = patience
        self._pauses = pace.pauses()
        self._since: float | None = None
        self._until = float("-inf")

    @property
    def is_waited_for(self) -> bool:
        """Whether it is too early to try again."""
        return self._patience.now() < self._until

    @property
    def is_given_up(self) -> bool:
        """Whether there has been no room for as long as the pace allows."""
        return self._since is not None and (
            self._patience.now() - self._since >= self._pace.queue_wait
        )

    def missing(self) -> None:
        """Note that there is no room now."""
        if self._since is None:
            self._since = self._patience.now()

    def refused(self, *, at_least: float) -> None:
        """Note that the endpoint has refused a job. It is tried again `at_least` so late."""
        self.was_full = True
        self.missing()
        self._until = self._patience.now() + max(next(self._pauses), at_least)

    def freed(self) -> None:
        """Note that a job has left the queue: it is worth while to try again at once."""
        self._until = float("-inf")

    def entered(self) -> None:
        """Note that a job was put in the queue."""
        self._since = None
        self._until = float("-inf")
        self._pauses = self._pace.pauses()


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
