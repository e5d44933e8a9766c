"""Flights at a simulated endpoint, and what they tell."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from tests.support.simulated import Simulated

from outhaul.client import Ending, Flight, Forecast, Job, Landed, Quota, Task, Watch

MB = 1_000_000


class Notes(Watch):
    """All that a flight tells."""

    def __init__(self) -> None:
        self.made: list[tuple[str, str]] = []
        self.endings: list[Ending] = []
        self.waits: list[tuple[datetime, str]] = []
        self.forecasts: list[Forecast] = []
        self.notices: list[str] = []

    def created(self, task: Task, job: Job) -> None:
        self.made.append((task.name, job.export_id))

    def ended(self, task: Task, ending: Ending) -> None:  # noqa: ARG002 - the base class has it
        self.endings.append(ending)

    def waiting(self, until: datetime, why: str) -> None:
        self.waits.append((until, why))

    def planned(self, forecast: Forecast) -> None:
        self.forecasts.append(forecast)


def tasks(
    count: int,
    *,
    size: int = 10 * MB,
    family: str = "leads",
    export_id: str | None = None,
    **request: Any,
) -> list[Task]:
    """Return tasks that are alike, with their numbers as keys."""
    return [
        Task(
            kind_path="leads",
            request={"size": size, **request},
            name=f"{family} {number}",
            family=family,
            export_id=export_id,
            key=number,
        )
        for number in range(count)
    ]


def fly(
    endpoint: Simulated,
    todo: Iterable[Task],
    *,
    watch: Notes | None = None,
    limit: float | None = None,
    **more: Any,
) -> list[Landed]:
    """Run tasks, and return what became of them in the order of their ends."""
    notes = watch or Notes()
    quota_bytes = None if endpoint.quota_mb is None else endpoint.quota_mb * MB
    with endpoint.session(limit=limit, notice=notes.notices.append) as session:
        quota = Quota(session, ["leads"], more.pop("daily_bytes", quota_bytes))
        with Flight(session, quota=quota, watch=notes, **more) as flight:
            return list(flight.landed(todo))
