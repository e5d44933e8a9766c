"""What a flight tells its caller as it goes."""

from datetime import datetime

from outhaul.client.endings import Ending
from outhaul.client.forecast import Forecast
from outhaul.client.jobs import Job
from outhaul.client.tasks import Task


class Watch:
    """What a flight tells. Each method does nothing; override those that you need.

    An exception of a method ends the flight.
    """

    def created(self, task: Task, job: Job) -> None:
        """Store the id of a job, which was created and is not in the queue yet."""

    def seen(self, task: Task, job: Job) -> None:
        """Note the state of a job that was looked at."""

    def ended(self, task: Task, ending: Ending) -> None:
        """Note what became of a job that had not ended when the flight did."""

    def waiting(self, until: datetime, why: str) -> None:
        """Note that nothing is begun before `until`, in UTC. `why` is a phrase for people."""

    def planned(self, forecast: Forecast) -> None:
        """Note the forecast: before the first job is begun, and after each that has ended."""
