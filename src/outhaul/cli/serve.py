"""`outhaul serve` and `outhaul worker`."""

import os
import signal
import sys
import threading
from enum import StrEnum
from typing import Annotated

import typer

from outhaul.cli.console import Data, errors, make_settings, named_errors
from outhaul.cli.store import make_folder, open_database
from outhaul.serving import PortTakenError
from outhaul.serving import serve as serve_until_stopped
from outhaul.worker import Worker

serve_app = typer.Typer(rich_markup_mode=None, add_completion=False)
worker_app = typer.Typer(rich_markup_mode=None, add_completion=False)


class LimitSet(StrEnum):
    """The sets of limits that ship."""

    marketo = "marketo"
    open = "open"


Limits = Annotated[
    LimitSet,
    typer.Option(
        envvar="OUTHAUL_LIMITS",
        help="Limits to start from: those of the original, or no quotas. "
        "OUTHAUL_LIMIT_<NAME> overrides a single one, such as OUTHAUL_LIMIT_QUEUED_JOBS=20.",
    ),
]
Workers = Annotated[
    int,
    typer.Option(
        envvar="OUTHAUL_WORKERS",
        min=0,
        help="Export jobs that run at a time; with 0 the server only answers calls.",
    ),
]
LeaseSeconds = Annotated[
    float,
    typer.Option(
        envvar="OUTHAUL_LEASE_SECONDS",
        min=1.0,
        help="After so many seconds a job whose worker died is taken up by another.",
    ),
]


@serve_app.command()
def serve(  # noqa: PLR0913, PLR0917 - each is an option of the command
    data: Data,
    host: Annotated[
        str, typer.Option(envvar="OUTHAUL_HOST", help="Address to listen on.")
    ] = "127.0.0.1",
    port: Annotated[
        int,
        typer.Option(envvar="OUTHAUL_PORT", min=0, max=65535, help="Port; 0 takes a free one."),
    ] = 8750,
    workers: Workers = 2,
    limits: Limits = LimitSet.marketo,
    lease_seconds: LeaseSeconds = 30.0,
) -> None:
    """Serve the records of a data folder by the bulk extract protocol, until stopped.

    Example: `outhaul serve --data ./data`
    """
    settings = make_settings(
        os.environ,
        data=data,
        host=host,
        port=port,
        workers=workers,
        limits=limits.value,
        lease_seconds=lease_seconds,
    )
    make_folder(data)
    with named_errors(PortTakenError):
        serve_until_stopped(settings, lambda url: errors.print(f"outhaul serves {url}"))


@worker_app.command()
def worker(
    data: Data,
    workers: Workers = 2,
    limits: Limits = LimitSet.marketo,
    lease_seconds: LeaseSeconds = 30.0,
    with_parent: Annotated[
        bool, typer.Option("--with-parent", hidden=True, help="End when standard input does.")
    ] = False,
) -> None:
    """Run export jobs of a data folder, until stopped, beside servers that only answer calls.

    Example: `outhaul worker --data ./data --workers 4`
    """
    settings = make_settings(
        os.environ,
        data=data,
        workers=workers,
        limits=limits.value,
        lease_seconds=lease_seconds,
    )
    with open_database(data):
        pass  # made and migrated
    running = Worker(settings)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: running.stop())
    if with_parent:
        threading.Thread(target=_stop_with_input, args=(running,), daemon=True).start()
    running.run()


def _stop_with_input(running: Worker) -> None:
    # Not through sys.stdin: its lock would be held when the interpreter ends.
    while os.read(sys.stdin.fileno(), 1024):
        pass
    running.stop()
