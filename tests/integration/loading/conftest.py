from pathlib import Path

import pytest
from tests.support.catalogs import with_lists

from outhaul.catalog.store import Catalog
from outhaul.database.engine import Database
from outhaul.lake.snapshot import Lake


@pytest.fixture
def database_url(tmp_path: Path) -> str:
    """A file that several processes can open; the lake is what matters here."""
    return f"sqlite:///{tmp_path / 'outhaul.db'}"


@pytest.fixture
def catalog(database: Database) -> Catalog:
    return with_lists(database)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "lake")
