"""The progress of a mirror in a terminal: the jobs, what arrives, what is loaded, the forecast."""

from datetime import datetime
from types import TracebackType
from typing import Self

from rich.console import Group
from rich.live import Live
from rich.markup import escape
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    SpinnerColumn,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TransferSpeedColumn,
)

from outhaul.cli.console import errors, print_message
from outhaul.client import Ending, Forecast, Job, Task
from outhaul.mirror.watch import MirrorWatch
from outhaul.mirror.work import Counts, Work
from outhaul.protocol.instants import render_instant
from outhaul.protocol.states import State


class Shown(MirrorWatch):
    """Shows the progress in a terminal. Elsewhere only notices and waits are printed."""

    def __init__(self) -> None:
        self._jobs = Progress(
            SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn(), console=errors
        )
        self._file = Progress(
            TextColumn("  fetching {task.description}"),
            BarColumn(),
            DownloadColumn(),
            TransferSpeedColumn(),
            console=errors,
        )
        self._load = Progress(
            TextColumn("  loading {task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            console=errors,
        )
        self._live = Live(Group(self._jobs, self._file, self._load), console=errors, transient=True)
        self._line = self._jobs.add_task("beginning", total=None)
        self._fetching = self._file.add_task("", visible=False)
        self._bringing = self._load.add_task("", total=1.0, visible=False)
        self._in_flight: dict[str, State | object] = {}
        self._loaded = 0
        self._records = 0
        self._forecast: Forecast | None = None

    def __enter__(self) -> Self:
        if errors.is_terminal:
            self._live.start()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._live.stop()

    def phase(self, text: str) -> None:
        """Show what begins."""
        self._describe(text)

    def created(self, task: Task, job: Job) -> None:
        """Count the job."""
        self.seen(task, job)

    def seen(self, task: Task, job: Job) -> None:  # noqa: ARG002 - as declared
        """Count the jobs by their states."""
        if job.status.ended:
            self._in_flight.pop(job.export_id, None)
        else:
            self._in_flight[job.export_id] = job.status
        self._describe(self._counted())

    def ended(self, task: Task, ending: Ending) -> None:  # noqa: ARG002 - as declared
        """Count the job no longer."""
        self._in_flight.pop(ending.export_id, None)

    def waiting(self, until: datetime, why: str) -> None:
        """Say what is waited for."""
        line = f"waiting until {render_instant(until)}: {why}"
        if self._forecast is not None and self._forecast.done_at is not None:
            line += f"; all there by {render_instant(self._forecast.done_at)}"
        self._describe(line)
        if not errors.is_terminal:
            print_message(line)

    def planned(self, forecast: Forecast) -> None:
        """Show what is left."""
        self._forecast = forecast
        self._describe(self._counted())

    def arriving(self, work: Work, job: Job, received: int) -> None:
        """Show the bytes of a file."""
        is_here = job.file_size is not None and received >= job.file_size
        self._file.update(
            self._fetching,
            description=escape(work.name),
            completed=received,
            total=job.file_size,
            visible=not is_here,
        )

    def loading(self, work: Work, share: float) -> None:
        """Show how much of a file is loaded."""
        self._load.update(
            self._bringing, description=escape(work.name), completed=share, visible=share < 1
        )

    def loaded(self, work: Work, counts: Counts) -> None:  # noqa: ARG002 - as declared
        """Count what is here."""
        self._loaded += 1
        self._records += counts.records
        self._load.update(self._bringing, visible=False)
        self._describe(self._counted())

    def notice(self, line: str) -> None:
        """Print a line that stays."""
        print_message(line, style="dim")

    def _counted(self) -> str:
        states = [*self._in_flight.values()]
        processing = states.count(State.PROCESSING)
        parts = [
            f"{self._loaded} windows, {self._records:,} records loaded",
            f"{processing} processing, {len(states) - processing} queued",
        ]
        if self._forecast is not None and self._forecast.done_at is not None:
            left = self._forecast.tasks
            parts.append(f"{left} left, all there by {render_instant(self._forecast.done_at)}")
        return "; ".join(parts)

    def _describe(self, text: str) -> None:
        self._jobs.update(self._line, description=escape(text))
