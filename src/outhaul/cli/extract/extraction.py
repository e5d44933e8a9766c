"""One extraction by a command: run the job, fetch its file, show the progress."""

import contextlib
import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

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

from outhaul.cli.console import errors, print_json
from outhaul.cli.extract.interrupts import Interrupted, raised_signals
from outhaul.client import (
    ClientError,
    Ending,
    Exports,
    Fate,
    Job,
    Patience,
    Session,
    download,
    download_to,
)
from outhaul.protocol.texts import one_line

STDOUT = "-"
_LONGEST_PROBLEM = 500


@dataclass(frozen=True, kw_only=True)
class Order:
    """The arguments that extractions of all kinds have: endpoint, fields, format and output."""

    url: str
    client_id: str
    client_secret: str
    output: str
    json: bool
    fields: list[str] | None
    headers: dict[str, str]
    file_format: str
    timeout: float | None = None
    """Seconds for the whole extraction."""
    poll_seconds: float = 5.0
    """The longest pause between two status calls."""
    queue_wait: float = 3600.0
    """How long to wait for room in a full queue, in seconds."""

    def request(self, filters: Mapping[str, Any]) -> dict[str, Any]:
        """Return the body of the call that creates the job."""
        body: dict[str, Any] = {"format": self.file_format, "filter": dict(filters)}
        if self.fields is not None:
            body["fields"] = self.fields
        if self.headers:
            body["columnHeaderNames"] = self.headers
        return body


def extract(order: Order, kind_path: str, filters: Mapping[str, Any]) -> None:
    """Run one extraction. End the command with a message if it fails."""
    _check_output(order)
    try:
        session = Session(
            order.url,
            order.client_id,
            order.client_secret,
            patience=Patience(order.timeout),
            notice=_show_notice,
        )
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--url") from None
    progress = _Progress()
    with session, _ends(order, progress), raised_signals():
        exports = Exports(session, kind_path)
        job = _run(exports, order, filters, progress)
        _fetch(session, exports.file_path(job.export_id), job, order.output)
    size = job.file_size
    if size is None and order.output != STDOUT:
        size = Path(order.output).stat().st_size
    if order.json:
        print_json(
            {
                "exportId": job.export_id,
                "records": job.records,
                "bytes": size,
                "checksum": job.checksum,
                "output": order.output,
            }
        )
        return
    records = "records" if job.records is None else f"{job.records:,} records"
    form = f"{size:,} bytes, " if size is not None else ""
    target = "standard output" if order.output == STDOUT else order.output
    checked = job.checksum or "no checksum given"
    errors.print(escape(f"{records} ({form}{checked}) of job {job.export_id} written to {target}"))


def _check_output(order: Order) -> None:
    """Check before the job is created that its file can be written."""
    if order.output == STDOUT:
        if order.json:
            raise typer.BadParameter(
                "with '-' the file is written to standard output", param_hint="--json"
            )
        return
    target = Path(order.output)
    if target.is_dir() or not target.name:
        raise typer.BadParameter(f"{order.output} is a folder", param_hint="--output")
    if not target.parent.is_dir():
        raise typer.BadParameter(f"there is no folder {target.parent}", param_hint="--output")


@dataclass
class _Progress:
    """How far an extraction is, for the message when it breaks off."""

    endings: list[Ending] = field(default_factory=list)
    """What became of its job."""

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
def _ends(order: Order, progress: _Progress) -> Iterator[None]:
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
        _show_problem(progress.told(one_line(str(error), _LONGEST_PROBLEM)))
        raise typer.Exit(1) from None
    except MemoryError:
        _show_problem(progress.told("there is not enough memory"))
        raise typer.Exit(1) from None


def _give_up_stdout() -> None:
    """Drop what is left in the buffer: a reader that does not read would hold up the exit."""
    with contextlib.suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _show_problem(message: str) -> None:
    with contextlib.suppress(OSError):
        errors.print(f"[bold red]error:[/] {escape(message)}")


def _show_notice(line: str) -> None:
    with contextlib.suppress(OSError):
        errors.print(escape(line), style="dim")


def _run(exports: Exports, order: Order, filters: Mapping[str, Any], progress: _Progress) -> Job:
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=errors, disable=not errors.is_terminal, transient=True) as bar:
        task = bar.add_task("creating a job", total=None)

        def show(job: Job) -> None:
            bar.update(task, description=escape(f"job {job.export_id}: {job.status}"))

        job = exports.run(
            order.request(filters),
            show,
            poll_seconds=order.poll_seconds,
            queue_wait=order.queue_wait,
            on_end=progress.endings.append,
        )
    progress.complete(job)
    return job


def _fetch(session: Session, path: str, job: Job, output: str) -> None:
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

        if output == STDOUT:
            download_to(session, path, job, sys.stdout.buffer, show)
        else:
            download(session, path, job, Path(output), show)
