"""`outhaul serve` and `outhaul worker`."""

import os
import signal
import sys
import threading
from enum import StrEnum
from typing import Annotated

import typer

from outhaul.cli.console import Data, DatabaseUrl, LakeUrl, errors, make_settings, named_errors
from outhaul.cli.store import open_database, reach_places
from outhaul.database.engine import DatabaseUnavailableError
from outhaul.export.opening import check_executor
from outhaul.export.ray.cluster import RayMissingError
from outhaul.server import PortTakenError
from outhaul.server import serve as serve_until_stopped
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

FilesUrl = Annotated[
    str | None,
    typer.Option(
        envvar="OUTHAUL_FILES_URL",
        metavar="s3://BUCKET/PREFIX",
        help="Bucket for export files, in place of the folder `files` of the data folder; "
        "OUTHAUL_S3_ENDPOINT, _REGION, _ACCESS_KEY_ID and _SECRET_ACCESS_KEY say how to reach it.",
    ),
]
FilesRedirect = Annotated[
    bool,
    typer.Option(
        "--files-redirect",
        envvar="OUTHAUL_FILES_REDIRECT",
        help="Answer file calls by a redirect to a signed URL of the bucket.",
    ),
]


class ExecutorName(StrEnum):
    """Who can render parts."""

    local = "local"
    ray = "ray"


Executor = Annotated[
    ExecutorName,
    typer.Option(
        envvar="OUTHAUL_EXECUTOR", help="Who renders: the worker itself, or a Ray cluster."
    ),
]
RayAddress = Annotated[
    str | None,
    typer.Option(
        envvar="OUTHAUL_RAY_ADDRESS",
        metavar="HOST:PORT",
        help="Head node of the Ray cluster; this machine is to be one of its nodes.",
    ),
]


@serve_app.command()
def serve(  # noqa: PLR0913, PLR0917 - each is an option of the command
    data: Data = None,
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
    lake_url: LakeUrl = None,
    files_url: FilesUrl = None,
    files_redirect: FilesRedirect = False,
    database_url: DatabaseUrl = None,
    executor: Executor = ExecutorName.local,
    ray_address: RayAddress = None,
) -> None:
    """Serve the records of a data folder by the bulk extract protocol, until stopped.

    What several machines share is a database and buckets (or a folder that all of them have):
    see the page "Running on several machines".

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
        lake_url=lake_url,
        files_url=files_url,
        files_redirect=files_redirect,
        database_url=database_url,
        executor=executor.value,
        ray_address=ray_address,
    )
    with named_errors(RayMissingError):
        check_executor(settings)
    reach_places(settings)
    with named_errors(PortTakenError, DatabaseUnavailableError):
        serve_until_stopped(settings, lambda url: errors.print(f"outhaul serves {url}"))


@worker_app.command()
def worker(  # noqa: PLR0913, PLR0917 - each is an option of the command
    data: Data = None,
    workers: Workers = 2,
    limits: Limits = LimitSet.marketo,
    lease_seconds: LeaseSeconds = 30.0,
    lake_url: LakeUrl = None,
    files_url: FilesUrl = None,
    files_redirect: FilesRedirect = False,
    database_url: DatabaseUrl = None,
    executor: Executor = ExecutorName.local,
    ray_address: RayAddress = None,
    with_parent: Annotated[
        bool, typer.Option("--with-parent", hidden=True, help="End when standard input does.")
    ] = False,
) -> None:
    """Run export jobs, until stopped, beside servers that only answer calls.

    Example: `outhaul worker --data ./data --workers 4`
    """
    settings = make_settings(
        os.environ,
        data=data,
        workers=workers,
        limits=limits.value,
        lease_seconds=lease_seconds,
        lake_url=lake_url,
        files_url=files_url,
        files_redirect=files_redirect,
        database_url=database_url,
        executor=executor.value,
        ray_address=ray_address,
    )
    with named_errors(RayMissingError):
        check_executor(settings)
    reach_places(settings)
    with open_database(settings):
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
