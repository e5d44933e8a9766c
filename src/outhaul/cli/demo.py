"""`outhaul demo`: a sample subscription, a server and two extracts, step by step."""

import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.text import Text

from outhaul.accounts.services import Credentials
from outhaul.cli.console import errors, fail, named_errors
from outhaul.cli.environment import write_environment
from outhaul.cli.extract.extraction import Order, extract
from outhaul.cli.options import make_settings, option
from outhaul.cli.store import open_database
from outhaul.clock import now
from outhaul.database.engine import Database
from outhaul.protocol.instants import render_instant
from outhaul.sample.loading import is_loaded, load_sample, make_sample_service
from outhaul.server import COMMAND, PortTakenError
from outhaul.server import serve as serve_until_stopped
from outhaul.settings import Settings

app = typer.Typer(rich_markup_mode=None, add_completion=False)

SERVES = "outhaul serves "
SHOWN_ROWS = 6
ENVIRONMENT = "sample.env"


@dataclass(frozen=True, kw_only=True)
class Extract:
    """One extract that the demo runs."""

    kind: str
    filters: Mapping[str, Any]
    fields: list[str] | None
    headers: dict[str, str]


@app.command()
def demo(
    data: Annotated[
        Path | None,
        option(
            "data",
            text="Folder for the sample subscription. Default: a temporary folder, deleted at "
            "the end.",
        ),
    ] = None,
    serve: Annotated[
        bool,
        typer.Option(
            "--serve",
            envvar="OUTHAUL_SERVE",
            help="Serve the sample subscription until stopped.",
        ),
    ] = False,
    port: Annotated[int, option("port")] = 0,
) -> None:
    """Show the steps of an export: load, serve, extract, check.

    Example: `outhaul demo`; to go on serving the sample: `outhaul demo --serve --data sample`
    """
    with TemporaryDirectory(prefix="outhaul-demo-") as temporary:
        folder = data or Path(temporary)
        settings = make_settings(os.environ, data=folder, port=port)
        with open_database(settings) as database:
            _load(database, settings)
            credentials = make_sample_service(database, now())
        if serve:
            _serve(settings, credentials, folder)
        else:
            _show(settings, credentials, Path(temporary))


def _load(database: Database, settings: Settings) -> None:
    if is_loaded(settings, database):
        errors.print(f"[bold]1[/] the sample subscription is in {settings.data}")
        return
    columns = (
        TextColumn("  loading {task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
    )
    with Progress(
        *columns, console=errors, disable=not errors.is_terminal, transient=True
    ) as progress:
        task = progress.add_task("the sample", total=1.0)
        counts = load_sample(
            database,
            settings,
            now(),
            lambda what, share: progress.update(task, description=what, completed=share),
        )
    loaded = ", ".join(f"{count:,} {what}" for what, count in counts.items())
    errors.print(f"[bold]1[/] a sample subscription, loaded into open tables: {loaded}")


def _serve(settings: Settings, credentials: Credentials, folder: Path) -> None:
    """Serve until stopped. Write a file to the data folder with variables for calls by a shell."""

    def ready(url: str) -> None:
        environment = folder / ENVIRONMENT
        write_environment(
            environment,
            {
                "URL": url,
                "CLIENT_ID": credentials.client_id,
                "CLIENT_SECRET": credentials.client_secret,
            },
        )
        errors.print(f"[bold]2[/] {SERVES}{url}; Ctrl-C ends it")
        errors.print(f"[bold]3[/] in another shell, then as the README shows:  . {environment}")

    with named_errors(PortTakenError):
        serve_until_stopped(settings, ready)


def _show(settings: Settings, credentials: Credentials, folder: Path) -> None:
    moment = now()
    extracts = (
        Extract(
            kind="leads",
            filters={"createdAt": _window(moment, days=30)},
            fields=["id", "firstName", "lastName", "email", "createdAt"],
            headers={"id": "Lead", "email": "Email Address"},
        ),
        Extract(
            kind="activities",
            filters={"createdAt": _window(moment, days=7), "activityTypeIds": [1, 2, 13]},
            fields=None,
            headers={},
        ),
    )
    with _server(settings) as url:
        errors.print(f"[bold]2[/] {SERVES}{url}")
        for step, wanted in enumerate(extracts, 3):
            errors.print(f"[bold]{step}[/] {wanted.kind} by the bulk extract protocol")
            target = folder / f"{wanted.kind}.csv"
            order = Order(
                url=url,
                client_id=credentials.client_id,
                client_secret=credentials.client_secret,
                output=str(target),
                json=False,
                fields=wanted.fields,
                headers=wanted.headers,
                file_format="CSV",
            )
            extract(order, wanted.kind, wanted.filters)
            errors.print("  size and SHA-256 are as the server reported; the first rows:")
            _show_rows(target)
    errors.print(
        "[bold]5[/] the server is stopped. Next:\n"
        "  make serve                       serve the same subscription on port 8750\n"
        "  outhaul load leads FILE…         your own records, into --data DIR\n"
        "  outhaul extract leads --help     from any endpoint that speaks the protocol"
    )


@contextmanager
def _server(settings: Settings) -> Iterator[str]:
    """Run a server in another process, and yield its URL."""
    command = [*COMMAND, "serve"]
    # The variables of this environment must not set another data folder for the server.
    environment = settings.environment(os.environ)
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as server:
        assert server.stderr is not None  # noqa: S101 - it is a pipe
        lines: list[str] = []
        try:
            for line in server.stderr:
                lines.append(line)
                if line.startswith(SERVES):
                    yield line.removeprefix(SERVES).strip()
                    return
            fail("the server did not start:\n" + "".join(lines))
        finally:
            server.terminate()
            # The rest of its output is read, because a full pipe would keep it from ending.
            server.stderr.read()


def _window(moment: datetime, *, days: int) -> dict[str, str]:
    return {
        "startAt": render_instant(moment - timedelta(days=days)),
        "endAt": render_instant(moment),
    }


def _show_rows(path: Path) -> None:
    """Show the first lines of a file, cut to the width of the terminal."""
    with path.open(encoding="utf-8", newline="") as source:
        for line in islice(source, SHOWN_ROWS):
            text = Text("  " + line.rstrip("\n"))
            text.truncate(errors.width, overflow="ellipsis")
            errors.print(text, style="dim")
