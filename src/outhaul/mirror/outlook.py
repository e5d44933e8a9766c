"""When everything will be there: what a flight has taken, and what is still to be planned."""

from collections import deque
from collections.abc import Iterable
from statistics import median

from outhaul.client import Forecast, Foresight, Job, Quota
from outhaul.client.forecast import Today, forecast
from outhaul.client.foresight import Size
from outhaul.mirror.planning import Planner
from outhaul.mirror.requests import task_of
from outhaul.mirror.state import PastLoad
from outhaul.mirror.work import Work
from outhaul.protocol.states import State

_GAPS = 20
"""The latest times from one landing to the next, of which the middle one counts."""


class Outlook:
    """Foresees the end of a run, from the sizes of what has landed."""

    def __init__(self, quota: Quota, foresight: Foresight) -> None:
        self._quota = quota
        self._foresight = foresight
        self._landed_at = quota.moment()
        self._gaps: deque[float] = deque(maxlen=_GAPS)

    def landed(self) -> None:
        """Note that a work is done."""
        moment = self._quota.moment()
        self._gaps.append((moment - self._landed_at).total_seconds())
        self._landed_at = moment

    def of(self, flown: Forecast, plan: Planner) -> Forecast:
        """Return the forecast of what a flight has taken and of what the plan still has."""
        sizes = [self._foresight.size(task_of(work)) for work in plan.left()]
        today = Today(
            moment=self._quota.moment(),
            daily_bytes=self._quota.daily_bytes,
            used=self._quota.used(),
            # Not the mean: some gaps are nights, in which the quota was spent.
            seconds_a_job=median(self._gaps) if self._gaps else 0.0,
        )
        return forecast([], [*_taken(flown), *sizes], today)


def _taken(flown: Forecast) -> list[Size | None]:
    """Return the sizes of the tasks that a flight has taken, on average."""
    if flown.bytes is None or not flown.tasks:
        return [None] * flown.tasks
    size = flown.bytes // flown.tasks
    return [Size(bytes=size, records=0, most=size)] * flown.tasks


def learn(foresight: Foresight, loads: Iterable[PastLoad]) -> None:
    """Tell a foresight of earlier loads, so that it knows sizes before the first job."""
    for load in loads:
        work = Work(kind_path="", streams=tuple(load.stream.split(",")), window=load.window)
        job = Job(
            export_id="",
            status=State.COMPLETED,
            records=load.counts.announced,
            file_size=load.counts.bytes,
        )
        foresight.learn(task_of(work), job)
