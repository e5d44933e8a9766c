"""`outhaul worker`.

It does not import the API, which takes as long as all else that a worker imports.
"""

import os
import signal
import sys
import threading
from typing import Annotated

import typer

from outhaul.cli.console import named_errors
from outhaul.cli.options import takes
from outhaul.cli.store import open_database, prepare_locations
from outhaul.export.opening import check_executor
from outhaul.export.ray.cluster import RayMissingError
from outhaul.kinds.registry import REGISTRY, KindError
from outhaul.settings import Settings
from outhaul.worker import Worker

app = typer.Typer(rich_markup_mode=None, add_completion=False)


ADDRESS = ("host", "port")
"""Where a server listens. A worker has no options for these settings, only their variables."""

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


@app.command()
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
    _stop_on_signals(running)
    if with_parent:
        threading.Thread(target=_stop_with_input, args=(running,), daemon=True).start()
    running.run()


def _stop_on_signals(running: Worker) -> None:
    def stop(*_: object) -> None:
        # A second signal must not interrupt this: a thread that sets an event holds its lock, and
        # would wait for itself.
        for number in _SIGNALS:
            signal.signal(number, lambda *_: None)
        running.stop()

    for number in _SIGNALS:
        signal.signal(number, stop)


def _stop_with_input(running: Worker) -> None:
    # Not through sys.stdin, whose lock this thread would hold while the interpreter ends.
    while os.read(sys.stdin.fileno(), 1024):
        pass
    running.stop()
