"""One extraction by a command: run the job, fetch its file, show the progress."""

import contextlib
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import stamina.instrumentation
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

from outhaul.cli.console import errors, fail, print_json
from outhaul.client import ClientError, Exports, Job, Session, download, download_to

STDOUT = "-"


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
        session = Session(order.url, order.client_id, order.client_secret)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--url") from None
    with session, _ends(), _shown_retries():
        exports = Exports(session, kind_path)
        job = _run(exports, order.request(filters))
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


@contextlib.contextmanager
def _ends() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        # The reader of standard output closed it. Typer then exits with 1, without a message.
        raise
    except (ClientError, OSError) as error:
        fail(" ".join(str(error).split()))


@contextlib.contextmanager
def _shown_retries() -> Iterator[None]:
    def show(details: stamina.instrumentation.RetryDetails) -> None:
        cause = " ".join(str(details.caused_by).split())
        errors.print(escape(f"{cause}; trying again in {details.wait_for:.0f} s"), style="dim")

    stamina.instrumentation.set_on_retry_hooks([show])
    try:
        yield
    finally:
        stamina.instrumentation.set_on_retry_hooks(None)


def _run(exports: Exports, request: Mapping[str, Any]) -> Job:
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=errors, disable=not errors.is_terminal, transient=True) as bar:
        task = bar.add_task("creating a job", total=None)

        def show(job: Job) -> None:
            bar.update(task, description=f"job {escape(job.export_id)}: {job.status}")

        return exports.run(request, show)


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
