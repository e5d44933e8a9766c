"""Folders with the tables of a set, which are copied instead of being loaded again."""

import os
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from outhaul.accounts.services import DEFAULT_SUBSCRIPTION
from outhaul.catalog.store import Catalog
from outhaul.database.engine import Database
from outhaul.lake.snapshot import Lake
from outhaul.loading.staging import staging_folder

Fill = Callable[[Catalog, Lake], None]
"""Loads a set."""


class Templates:
    """The folders of this process, by the name of the set. They are deleted at its end."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._folders: dict[str, TemporaryDirectory[str]] = {}

    def copy(self, name: str, lake: Lake, fill: Fill) -> bool:
        """Copy the tables of a set into a lake without tables, and return whether this was done.

        The lake must be a folder. `fill` loads the set into a template, if there is none yet.
        """
        folder = lake.location.folder
        if folder is None or _tables(folder):
            return False
        template = self._made(name, fill)
        with staging_folder(lake.folder) as staged:
            for table in _tables(template):
                shutil.copytree(table, staged / table.name)
            for table in _tables(staged):
                try:
                    table.rename(folder / table.name)
                except OSError:  # another load has made this table meanwhile
                    return False
        return True

    def _made(self, name: str, fill: Fill) -> Path:
        with self._lock:
            if name not in self._folders:
                made = TemporaryDirectory(prefix="outhaul-set-")
                database = Database(f"sqlite:///{Path(made.name) / 'outhaul.db'}")
                try:
                    database.migrate()
                    fill(Catalog(database, DEFAULT_SUBSCRIPTION), Lake(Path(made.name) / "lake"))
                finally:
                    database.close()
                self._folders[name] = made
            return Path(self._folders[name].name) / "lake"


def _tables(folder: Path) -> list[Path]:
    if not folder.exists():
        return []
    return [Path(each) for each in os.scandir(folder) if each.is_dir() and each.name[0] != "."]
