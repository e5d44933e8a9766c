"""The tasks of a flight on their way: from the call that creates the job to its end."""

from dataclasses import dataclass, field
from datetime import date

from outhaul.client.calls import Calls
from outhaul.client.creation import Creation
from outhaul.client.foresight import Size
from outhaul.client.jobs import Job
from outhaul.client.tasks import Task


@dataclass(eq=False, kw_only=True)
class Journey:
    """A task, and what is known of its job."""

    task: Task
    calls: Calls
    creation: Creation | None = None
    """Who creates the job; `None` if the job is taken up, or if nothing was begun yet."""
    job: Job | None = None
    """The job as it was seen last."""
    foreseen: Size | None = None
    """The size that was foreseen when the job was put in the queue."""
    days_refused: set[date] = field(default_factory=set)
    """The quota days that had no room for the task."""

    @property
    def known(self) -> Job | None:
        """The job, also if the creation was interrupted just before its end."""
        if self.job is None and self.creation is not None:
            return self.creation.job
        return self.job

    @property
    def is_own(self) -> bool:
        """Whether this run has created the job."""
        return self.creation is not None
