import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from outhaul.catalog.entries import Asset, AssetType, Entries, parse_catalog
from outhaul.catalog.store import Catalog
from outhaul.database.engine import Database
from outhaul.kinds.kind import Context
from outhaul.lake.snapshot import Lake
from outhaul.loading.loads import load_activities, load_leads, load_list_members
from outhaul.settings import Limits

MOMENT = datetime(2026, 1, 31, 12, tzinfo=UTC)
LOADS = {"activities": load_activities, "leads": load_leads, "list_members": load_list_members}


@pytest.fixture
def database_url(tmp_path: Path) -> str:
    """A database without a server. The suites of the stores run on PostgreSQL, too."""
    return f"sqlite:///{tmp_path / 'outhaul.db'}"


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


@pytest.fixture(scope="session")
def context(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Context]:
    database = Database(f"sqlite:///{tmp_path_factory.mktemp('state') / 'outhaul.db'}")
    database.migrate()
    catalog = Catalog(database, "default")
    lists = [{"id": 1001, "name": "Newsletter"}, {"id": 1002, "name": "Trade fair"}]
    forms = [{"id": 31, "name": "Contact", "program": "Website"}]
    catalog.store(parse_catalog({"staticLists": lists, "forms": forms}))
    yield Context(catalog=catalog, limits=Limits(), moment=MOMENT)
    database.close()


@pytest.fixture(scope="session")
def load(
    context: Context, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[Lake, str, Iterable[Mapping[str, Any]]], None]:
    """Load records into a table: one call is one file and one commit."""
    folder = tmp_path_factory.mktemp("files")

    def load(lake: Lake, table: str, records: Iterable[Mapping[str, Any]]) -> None:
        path = folder / f"{table}.jsonl"
        path.write_text("".join(json.dumps(record) + "\n" for record in records), "utf-8")
        LOADS[table](lake, context.catalog, path, MOMENT, lambda _: None)

    return load
