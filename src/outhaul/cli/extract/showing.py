"""What a terminal shows of an extraction of several jobs: bars, and a forecast that moves on."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from rich.console import Group
from rich.filesize import decimal
from rich.live import Live
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

from outhaul.cli.console import errors
from outhaul.client import (
    ClientError,
    Ending,
    ExtractedFile,
    ExtractWatch,
    Fate,
    Forecast,
    Job,
    Task,
    Window,
)
from outhaul.protocol.states import State
from outhaul.protocol.texts import one_line

_SHOWN = 200
_BAR_WIDTH = 20


def render_minute(moment: datetime) -> str:
    """Return a moment for people: `2026-12-03 04:00 UTC`."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


class Display(ExtractWatch):
    """The bars of an extraction, and how far it is. Only a terminal shows bars.

    `notice` gets what should be read also where there is no terminal.
    """

    def __init__(self, notice: Callable[[str], None]) -> None:
        self.windows: Sequence[Window | None] = ()
        self.done = 0
        """Windows whose file is there."""
        self.endings: list[Ending] = []
        """What became of the jobs in flight, if the extraction broke off."""
        self.forecast: Forecast | None = None
        self._notice = notice
        self._jobs: dict[Any, Job] = {}
        self._bytes = 0
        self._waits = ""
        self._bars = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(_BAR_WIDTH),
            TextColumn("{task.fields[told]}", markup=False),
            TimeElapsedColumn(),
            console=errors,
        )
        self._all = self._bars.add_task("asking the endpoint", total=None, told="")
        self._file = self._bars.add_task("", total=None, told="", visible=False)
        self._line = Text(style="dim")

    @contextlib.contextmanager
    def shown(self) -> Iterator[None]:
        """Show the bars while the context is entered."""
        if not errors.is_terminal:
            yield
            return
        with Live(Group(self._bars, self._line), console=errors, transient=True):
            yield

    def begun(self, windows: Sequence[Window | None], files: Sequence[ExtractedFile]) -> None:
        self.windows, self.done = windows, len(files)
        self._bytes = sum(file.checked.size for file in files)
        if files:
            self._notice(f"{self._count()} there from an earlier run")
        self._show()

    def seen(self, task: Task, job: Job) -> None:
        self._jobs[task.key] = job
        self._waits = ""
        self._show()

    def ended(self, task: Task, ending: Ending) -> None:  # noqa: ARG002 - the id is in the ending
        self.endings.append(ending)

    def waiting(self, until: datetime, why: str) -> None:
        told = f"{why}: waiting until {render_minute(until)}"
        if told != self._waits and "quota" in why:
            self._notice(
                "; ".join(filter(None, (f"{self._count()} there", told, self._forecast())))
            )
        self._waits = told
        self._show()

    def planned(self, forecast: Forecast) -> None:
        self.forecast = forecast
        self._show()

    def fetching(self, task: Task, job: Job, received: int) -> None:
        size = job.file_size
        told = decimal(received) if size is None else f"{decimal(received)} of {decimal(size)}"
        self._bars.update(
            self._file,
            description=f"fetching {_short(self.windows[task.key])}",
            completed=received,
            total=size,
            told=told,
            visible=True,
        )

    def arrived(self, file: ExtractedFile) -> None:
        self.done += 1
        self._bytes += file.checked.size
        self._bars.update(self._file, visible=False)
        self._show()

    def failed(self, task: Task, error: ClientError) -> None:
        self._notice(f"{task.name}: {one_line(str(error), _SHOWN)}; the others go on")

    def joining(self) -> None:
        self._bars.update(self._all, description="joining the windows")
        self._line.plain = ""

    def _count(self) -> str:
        total = len(self.windows)
        return f"{self.done} of {total} window{'' if total == 1 else 's'}"

    def _show(self) -> None:
        states = [job.status for job in self._jobs.values()]
        counts = [
            (states.count(State.PROCESSING), "processing"),
            (states.count(State.QUEUED), "queued"),
        ]
        told = [decimal(self._bytes), *(f"{count} {name}" for count, name in counts if count)]
        self._bars.update(
            self._all,
            description=self._count(),
            completed=self.done,
            total=len(self.windows) or None,
            told=", ".join(told),
        )
        self._line.plain = "; ".join(filter(None, (self._waits, self._forecast())))

    def _forecast(self) -> str:
        found = self.forecast
        if found is None or found.done_at is None or not found.tasks:
            return ""
        size = "" if found.bytes is None else f"about {decimal(found.bytes)} left, "
        return f"{size}all there by {render_minute(found.done_at)}"

    def told(self, problem: str, goes_on: str) -> str:
        """Return the message for an extraction that broke off: what is there, and what was left.

        `goes_on` says how to go on.
        """
        told = [problem]
        cancelled = sum(ending.fate is Fate.CANCELLED for ending in self.endings)
        if cancelled:
            told.append(f"{cancelled} job{'' if cancelled == 1 else 's'} cancelled")
        told += [ending.text for ending in self.endings if ending.fate is Fate.LEFT]
        if self.windows:
            told.append(f"{self._count()} there{goes_on}")
        return "; ".join(told)


def _short(window: Window | None) -> str:
    if window is None:
        return "the file"
    return f"{window.start:%Y-%m-%d} to {window.end:%Y-%m-%d}"
