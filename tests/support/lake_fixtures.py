from collections.abc import Iterator
from pathlib import Path

import pytest

from outhaul.catalog.entries import Asset, AssetType, Entries
from outhaul.catalog.store import Catalog
from outhaul.database.engine import Database
from outhaul.lake.snapshot import Lake


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "lake")


@pytest.fixture
def catalog(database: Database) -> Catalog:
    return _with_lists(database)


@pytest.fixture(scope="module")
def shared_catalog(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Catalog]:
    """A catalog for property tests, which only read it."""
    opened = Database(f"sqlite:///{tmp_path_factory.mktemp('state') / 'outhaul.db'}")
    opened.migrate()
    yield _with_lists(opened)
    opened.close()


def _with_lists(database: Database) -> Catalog:
    found = Catalog(database, "default")
    lists = (Asset(type=AssetType.STATIC_LIST, id=n, name=f"List {n}") for n in (1, 2, 3))
    found.store(Entries(assets=tuple(lists)))
    return found
