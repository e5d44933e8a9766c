"""The status of a job as a live instance shows it: not at once, but refreshed now and then."""

from dataclasses import replace
from datetime import datetime, timedelta

from outhaul.jobs.job import Job
from outhaul.protocol.states import State


def refreshed(job: Job, moment: datetime, seconds: int | None) -> Job:
    """Return a job as it was when its status was refreshed last: every so many `seconds`.

    The seconds count from the moment at which the job was queued. What happens at the moment of a
    refresh shows at the next one. `None` shows everything at once. The client's own calls always
    show at once, because their answers have the new state.
    """
    if seconds is None or job.queued_at is None or job.state is State.CANCELLED:
        return job
    interval = timedelta(seconds=seconds)
    last = job.queued_at + max(0, (moment - job.queued_at) // interval) * interval
    if job.started_at is None or job.started_at >= last:
        return replace(job, state=State.QUEUED, started_at=None, finished_at=None)
    if job.finished_at is None or job.finished_at >= last:
        return replace(job, state=State.PROCESSING, finished_at=None)
    return job
