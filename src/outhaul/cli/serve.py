"""`outhaul serve`."""

import typer

from outhaul.cli.console import errors, named_errors
from outhaul.cli.options import takes
from outhaul.cli.store import prepare_locations
from outhaul.database.engine import DatabaseUnavailableError
from outhaul.export.opening import check_executor
from outhaul.export.ray.cluster import RayMissingError
from outhaul.kinds.registry import REGISTRY, KindError
from outhaul.server import PortTakenError
from outhaul.server import serve as serve_until_stopped
from outhaul.settings import Settings

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.command()
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
