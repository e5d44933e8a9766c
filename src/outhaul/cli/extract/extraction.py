"""One extraction by a command: run the job, fetch its file, show the progress."""

import contextlib
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal, Protocol

import typer
from rich.markup import escape
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TransferSpeedColumn,
)

from outhaul.cli.console import errors, print_error, print_message
from outhaul.cli.extract.interrupts import Interrupted, raised_signals, time_limit
from outhaul.cli.extract.parquet import ParquetOrder, ParquetOutput
from outhaul.cli.extract.periods import ShorterWindowsError, has_shorter_windows
from outhaul.cli.extract.results import show_result
from outhaul.client import (
    Checked,
    ClientError,
    Ending,
    Exports,
    Fate,
    Job,
    OutOfTimeError,
    OutputError,
    Parallel,
    Patience,
    ProtocolError,
    Session,
    download_into,
    is_standard_output,
    open_output,
)
from outhaul.client.sinks import Sink, StreamSink
from outhaul.protocol.states import State
from outhaul.protocol.texts import one_line

STDOUT = "-"
_LONGEST_PROBLEM = 500
_MISSING_ATTEMPTS = 3
_INVALID = "1003"


@dataclass(frozen=True, kw_only=True)
class Order:
    """The arguments that extractions of all kinds have: endpoint, fields, output, limits."""

    url: str
    client_id: str
    client_secret: str
    output: str
    json: bool
    fields: list[str] | None
    headers: dict[str, str]
    file_format: str
    export_id: str | None = None
    """An existing job to take up. Without it, a job is created."""
    timeout: float | None = None
    """Seconds for the whole extraction."""
    poll_seconds: float = 5.0
    """The longest pause between two status calls."""
    queue_wait: float = 3600.0
    """How long to wait for room in a full queue, in seconds."""
    window_days: int | None = None
    """The longest window of a period. `None`: as long as the endpoint takes."""
    newest_first: bool = False
    """Which windows of a period are asked for first."""
    at_once: int = 10
    """Most jobs in the queue."""
    daily_quota: int | Literal["told"] | None = "told"
    """The day's export quota in bytes; `told`: as the endpoint says; `None`: no limit."""
    wait: bool = False
    """Whether to wait for the next day when the day's quota is spent."""
    connections: int = 4
    """Connections over which a large file is fetched at once."""
    parquet: ParquetOrder | None = None
    """How Parquet is written. Without it, the output is the file of the job."""
    columns: Sequence[str] = ()
    """The columns of the file, if they are known."""

    def request(self, filters: Mapping[str, Any]) -> dict[str, Any]:
        """Return the body of the call that creates the job."""
        body: dict[str, Any] = {"format": self.file_format, "filter": dict(filters)}
        if self.fields is not None:
            body["fields"] = self.fields
        if self.headers:
            body["columnHeaderNames"] = self.headers
        return body


def session_of(order: Order) -> Session:
    """Return the session of an extraction. End the command if its address is none."""
    try:
        return Session(
            order.url,
            order.client_id,
            order.client_secret,
            patience=Patience(order.timeout),
            notice=show_notice,
        )
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--url") from None


def extract(order: Order, kind_path: str, filters: Mapping[str, Any]) -> None:
    """Run one extraction. End the command with a message if it fails."""
    session = session_of(order)
    progress = _Progress()
    # The output is opened before the job is made: no job is spent on an output that is refused.
    with (
        session,
        ends(order, progress),
        raised_signals(),
        opened(order, session, kind_path) as (sink, publish),
    ):
        exports = Exports(session, kind_path)
        try:
            job = _run(exports, order, filters, progress)
        except ProtocolError as error:
            if error.code == _INVALID and has_shorter_windows(session, filters):
                raise ShorterWindowsError from error
            raise
        path = exports.file_path(job.export_id)
        with time_limit(session.patience):
            parallel = Parallel(connections=order.connections)
            checked = _fetch(session, path, job, sink, parallel, is_old=progress.was_completed)
            publish(job.format)
    show_result(job, checked, order.output, as_json=order.json)


def _done(_file_format: str) -> None:
    """Publish nothing more: the file of the job is the output."""


@contextlib.contextmanager
def opened(
    order: Order, session: Session, kind_path: str
) -> Iterator[tuple[Sink, Callable[[str], None]]]:
    """Open what the file is written to, and yield what is called when the file is there.

    That takes the format of the file. End the command if the output cannot be written.
    """
    is_stdout = is_standard_output(order.output)
    if order.json and is_stdout:
        raise typer.BadParameter(
            f"with {order.output!r} the file is written to standard output", param_hint="--json"
        )
    if order.output == STDOUT:
        if sys.stdout is None:
            raise typer.BadParameter("standard output is closed", param_hint="--output")
        yield StreamSink(sys.stdout.buffer), _done
        return
    if order.parquet is not None:
        with _parquet(order, order.parquet, session, kind_path) as output:
            yield output
        return
    try:
        sink = open_output(
            order.output,
            notice=show_notice,
            pause=session.patience.pause,
            check=session.patience.check,
        )
    except OutputError as error:
        raise typer.BadParameter(str(error), param_hint="--output") from None
    with sink:
        yield sink, _done


@contextlib.contextmanager
def _parquet(
    order: Order, parquet: ParquetOrder, session: Session, kind_path: str
) -> Iterator[tuple[Sink, Callable[[str], None]]]:
    try:
        output = ParquetOutput(
            order.output,
            parquet,
            columns=order.columns,
            headers=order.headers,
            file_format=order.file_format,
        )
    except OutputError as error:
        raise typer.BadParameter(str(error), param_hint="--output") from None
    with output.opened(session, kind_path) as sink:
        yield sink, partial(output.publish, notice=show_notice)


class Telling(Protocol):
    """How far an extraction is, for the message when it breaks off."""

    def told(self, problem: str) -> str:
        """Return the message: the problem, what became of the jobs, and what can be done."""


@dataclass
class _Progress:
    """How far an extraction is, for the message when it breaks off."""

    endings: list[Ending] = field(default_factory=list)
    """What became of its job."""
    was_completed: bool = True
    """Whether the job was Completed when this extraction saw it first."""

    def see(self, job: Job) -> None:
        if job.status is not State.COMPLETED:
            self.was_completed = False

    def complete(self, job: Job) -> None:
        self.endings = [
            Ending(
                export_id=job.export_id,
                fate=Fate.COMPLETED,
                text=f"job {job.export_id} is Completed",
            )
        ]

    def told(self, problem: str) -> str:
        """Return the message: the problem, what became of the job, and what can be done."""
        told = [problem]
        for ending in self.endings:
            advice = {
                Fate.COMPLETED: f": --export-id {ending.export_id} fetches its file",
                Fate.LEFT: f": --export-id {ending.export_id} takes it up",
            }
            told.append(ending.text + advice.get(ending.fate, ""))
        return "; ".join(told)


@contextlib.contextmanager
def ends(order: Order, progress: Telling) -> Iterator[None]:
    """End the command with a message and an exit status, whatever breaks the extraction off."""
    try:
        yield
    except Interrupted as interrupt:
        if order.output == STDOUT:
            _give_up_stdout()
        _show_problem(progress.told(f"stopped by {interrupt}"))
        raise typer.Exit(interrupt.exit_status) from None
    except BrokenPipeError:
        _show_problem(progress.told("the reader of the output is gone"))
        # Typer exits with 1, and drops what is left in the buffer of standard output.
        raise
    except (ClientError, OSError) as error:
        if isinstance(error, OutOfTimeError) and order.output == STDOUT:
            _give_up_stdout()
        _show_problem(progress.told(one_line(_words(error), _LONGEST_PROBLEM)))
        raise typer.Exit(1) from None
    except MemoryError:
        _show_problem(progress.told("there is not enough memory"))
        raise typer.Exit(1) from None
    except (typer.BadParameter, typer.Exit, ShorterWindowsError):
        raise
    except Exception:
        # A fault of this program: its traceback follows.
        _show_problem(progress.told("unexpected error"))
        raise


def _words(error: ClientError | OSError) -> str:
    if isinstance(error, OSError) and error.filename and error.strerror:
        return f"{error.filename}: {error.strerror}"
    return str(error)


def _give_up_stdout() -> None:
    """Drop what is left in the buffer: a reader that does not read would hold up the exit."""
    with contextlib.suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _show_problem(message: str) -> None:
    with contextlib.suppress(OSError):
        print_error(message)


def show_notice(line: str) -> None:
    """Print a line for people on standard error, if anybody reads it."""
    with contextlib.suppress(OSError):
        print_message(line, style="dim")


def _run(exports: Exports, order: Order, filters: Mapping[str, Any], progress: _Progress) -> Job:
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=errors, disable=not errors.is_terminal, transient=True) as bar:
        task = bar.add_task("creating a job", total=None)

        def show(job: Job) -> None:
            progress.see(job)
            bar.update(task, description=escape(f"job {job.export_id}: {job.status}"))

        run = (
            partial(exports.run, order.request(filters))
            if order.export_id is None
            else partial(exports.resume, order.export_id)
        )
        job = run(
            show,
            poll_seconds=order.poll_seconds,
            queue_wait=order.queue_wait,
            on_end=progress.endings.append,
        )
    progress.complete(job)
    return job


def _fetch(  # noqa: PLR0913 - what a download is about
    session: Session, path: str, job: Job, sink: Sink, parallel: Parallel, *, is_old: bool
) -> Checked:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=errors, disable=not errors.is_terminal, transient=True) as bar:
        task = bar.add_task("fetching the file", total=job.file_size)

        def show(received: int) -> None:
            bar.update(task, completed=received)

        # The file of a job that was Completed before is not about to appear.
        attempts = _MISSING_ATTEMPTS if is_old else None
        return download_into(
            session, path, job, sink, show, missing_attempts=attempts, parallel=parallel
        )
