"""Opening the executor that the settings name."""

from importlib.util import find_spec

from outhaul.export.executor import Executor
from outhaul.export.local import LocalExecutor
from outhaul.export.ray.cluster import RayMissingError
from outhaul.export.ray.executor import RayExecutor
from outhaul.settings import Settings
from outhaul.storage.store import FileStore


def check_executor(settings: Settings) -> None:
    """Check that the libraries of the executor are installed. Raises `RayMissingError`."""
    if settings.executor == "ray" and find_spec("ray") is None:
        raise RayMissingError("--executor ray needs Ray: pip install 'outhaul[ray]'")


def open_executor(settings: Settings, files: FileStore) -> Executor:
    """Return the executor. Raises `RayMissingError`."""
    check_executor(settings)
    if settings.executor == "ray":
        return RayExecutor(settings)
    return LocalExecutor(files, settings.part_threads)
