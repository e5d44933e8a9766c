"""`outhaul serve` and `outhaul worker`."""

import os
import signal
import sys
import threading
from typing import Annotated

import typer

from outhaul.cli.console import errors, named_errors
from outhaul.cli.options import takes
from outhaul.cli.store import open_database, prepare_locations
from outhaul.database.engine import DatabaseUnavailableError
from outhaul.export.opening import check_executor
from outhaul.export.ray.cluster import RayMissingError
from outhaul.kinds.registry import REGISTRY, KindError
from outhaul.server import PortTakenError
from outhaul.server import serve as serve_until_stopped
from outhaul.settings import Settings
from outhaul.worker import Worker

serve_app = typer.Typer(rich_markup_mode=None, add_completion=False)
worker_app = typer.Typer(rich_markup_mode=None, add_completion=False)


ADDRESS = ("host", "port")
"""Where a server listens. A worker has no options for these settings, only their variables."""


@serve_app.command()
@takes(*Settings.options())
def serve(*, settings: Settings) -> None:
    """Serve the records of a data folder by the bulk extract protocol, until stopped.

    Several machines can serve the same records from a shared database and shared buckets or
    folders: see the page "Running on several machines".

    Example: `outhaul serve --data ./data`
    """
    with named_errors(RayMissingError, KindError):
        check_executor(settings)
        REGISTRY.all()
    prepare_locations(settings)
    with named_errors(PortTakenError, DatabaseUnavailableError):
        serve_until_stopped(settings, lambda url: errors.print(f"outhaul serves {url}"))


@worker_app.command()
@takes(*(name for name in Settings.options() if name not in ADDRESS), variables=ADDRESS)
def worker(
    *,
    settings: Settings,
    with_parent: Annotated[
        bool, typer.Option("--with-parent", hidden=True, help="Stop when standard input ends.")
    ] = False,
) -> None:
    """Run export jobs until stopped, for servers that only answer calls.

    Example: `outhaul worker --data ./data --workers 4`
    """
    with named_errors(RayMissingError, KindError):
        check_executor(settings)
        REGISTRY.all()
    prepare_locations(settings)
    with open_database(settings):
        pass  # creates and migrates it
    running = Worker(settings)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: running.stop())
    if with_parent:
        threading.Thread(target=_stop_with_input, args=(running,), daemon=True).start()
    running.run()


def _stop_with_input(running: Worker) -> None:
    # Not through sys.stdin, whose lock this thread would hold while the interpreter ends.
    while os.read(sys.stdin.fileno(), 1024):
        pass
    running.stop()
