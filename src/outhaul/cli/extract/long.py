"""One extraction by a command that takes several jobs: a period in windows, or one a window."""

import contextlib
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer

from outhaul.cli.extract.extraction import (
    Order,
    ends,
    opened,
    session_of,
    show_notice,
)
from outhaul.cli.extract.interrupts import raised_signals, time_limit
from outhaul.cli.extract.periods import TOLD, fits_in_one, flag_of, period_in
from outhaul.cli.extract.results import show_files, show_joined
from outhaul.cli.extract.showing import Display, render_minute
from outhaul.client import (
    Extract,
    Means,
    OutputError,
    Pace,
    Parallel,
    QuotaSpentError,
    Session,
    Wanted,
    Window,
)
from outhaul.client.partial import partial_path
from outhaul.client.sinks import FileSink

_NAMES = ("{window}", "{start}", "{end}")


def needs_windows(order: Order, filters: Mapping[str, Any]) -> bool:
    """Return whether an extraction takes several jobs, or options ask for what only these do."""
    if order.wait or order.daily_quota != TOLD or any(name in order.output for name in _NAMES):
        return True
    found = period_in(filters)
    # A folder is a place for many files. One job has one file, which needs a name.
    return found is not None and not fits_in_one(found[1], order.window_days)


def extract_windows(order: Order, kind_path: str, filters: Mapping[str, Any]) -> None:
    """Run one extraction of several jobs. End the command with a message if it fails."""
    found = period_in(filters)
    name, period = found or ("createdAt", None)
    others = {key: value for key, value in filters.items() if found is None or key != name}
    wanted = Wanted(
        kind_path=kind_path,
        request=order.request(others),
        period=period,
        by=name,
        window_days=order.window_days,
        newest_first=order.newest_first,
    )
    session = session_of(order)
    display = Display(show_notice)
    means = Means(
        at_once=order.at_once,
        daily_bytes=order.daily_quota,
        wait=order.wait,
        pace=Pace(poll_seconds=order.poll_seconds, queue_wait=order.queue_wait),
        parallel=Parallel(connections=order.connections),
        watch=display,
    )
    run = _Run(order, session, wanted, means, display)
    with session, ends(order, run), raised_signals():
        if is_pattern(order.output):
            run.into_files()
        else:
            run.into_one()


@dataclass
class _Run:
    """One run of the command."""

    order: Order
    session: Session
    wanted: Wanted
    means: Means
    display: Display
    goes_on: str = ""
    """How a later run goes on, for the message."""
    folder: Path | None = None
    """What a later run goes on with, for the message."""

    def into_one(self) -> None:
        order = self.order
        with contextlib.ExitStack() as stack:
            # The output is opened first: no job is spent on an output that is refused.
            sink, publish = stack.enter_context(opened(order, self.session, self.wanted.kind_path))
            if isinstance(sink, FileSink):
                folder = _folder_of(Path(os.path.realpath(order.output)))
                self.folder, self.goes_on = folder, "the same command goes on"
            else:
                made = tempfile.TemporaryDirectory(prefix="outhaul-")
                folder = Path(stack.enter_context(made))
                self.goes_on = "a stream cannot be gone on with: use a file"
            extract = stack.enter_context(self._extract(folder))
            with self.display.shown(), time_limit(self.session.patience), self._spent():
                extracted = extract.join(sink)
                publish(order.file_format)
        show_joined(extracted, order.output, as_json=order.json)

    def into_files(self) -> None:
        order = self.order
        pattern = order.output
        if pattern.endswith(os.sep):
            Path(pattern).mkdir(exist_ok=True)
            pattern += "{window}." + order.file_format.lower()
        folder = _folder_of(Path(order.output.rstrip(os.sep)))
        self.goes_on = "the same command goes on"

        def path_of(window: Window | None) -> Path:
            return Path(_named(pattern, window))

        with self._extract(folder, path_of) as extract:
            with self.display.shown(), time_limit(self.session.patience), self._spent():
                files = list(extract.files())
            extract.finish(remove_files=False)
        files.sort(key=lambda file: str(file.window))
        show_files(files, order.output, as_json=order.json)

    def told(self, problem: str) -> str:
        where = f", in {self.folder}" if self.folder and self.display.done else ""
        return self.display.told(problem, f"{where}: {self.goes_on}")

    @contextlib.contextmanager
    def _extract(
        self, folder: Path, path_of: Callable[[Window | None], Path] | None = None
    ) -> Iterator[Extract]:
        extract = Extract(
            self.session,
            self.wanted,
            folder,
            path_of=path_of,
            means=self.means,
            name=self.order.output,
        )
        try:
            extract.__enter__()
        except OutputError as error:
            raise typer.BadParameter(str(error), param_hint="--output") from None
        except ValueError as error:
            raise typer.BadParameter(str(error), param_hint=flag_of(self.wanted.by)) from None
        with contextlib.closing(extract):
            yield extract

    @contextlib.contextmanager
    def _spent(self) -> Iterator[None]:
        """Say when all would be there if the day's quota is spent."""
        try:
            yield
        except QuotaSpentError:
            forecast = self.display.forecast
            by = forecast.done_at if forecast else None
            self.goes_on += ", or use --wait"
            if by is not None:
                self.goes_on += f"; then all is there by {render_minute(by)}"
            raise


def is_pattern(output: str) -> bool:
    """Return whether an output names a file for each window."""
    return output.endswith(os.sep) or any(name in output for name in _NAMES)


def _folder_of(target: Path) -> Path:
    """Return the folder `<target>.parts`, which has what an unfinished extract has so far."""
    partial = partial_path(target)
    return partial.with_name(partial.name + "s")


def _named(pattern: str, window: Window | None) -> str:
    names = (
        ("all", "all", "all")
        if window is None
        else (window.name, window.start_name, window.end_name)
    )
    for name, text in zip(_NAMES, names, strict=True):
        pattern = pattern.replace(name, text)
    return pattern
