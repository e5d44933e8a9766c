import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from tests.support.catalogs import with_lists
from tests.support.loads import load_activities, load_leads, load_list_members
from tests.support.offline import offline

from outhaul.catalog.entries import parse_catalog
from outhaul.catalog.store import Catalog
from outhaul.database.engine import Database
from outhaul.kinds.filter import Context
from outhaul.lake.snapshot import Lake
from outhaul.limits import Limits

MOMENT = datetime(2026, 1, 31, 12, tzinfo=UTC)
LOADS = {"activities": load_activities, "leads": load_leads, "list_members": load_list_members}


@pytest.fixture(autouse=True)
def without_servers() -> Iterator[None]:
    """Fail what opens a connection or starts a process: such tests are in tests/integration."""
    with offline():
        yield


@pytest.fixture
def database_url(tmp_path: Path) -> str:
    """A database without a server. The suites of the stores run on PostgreSQL, too."""
    return f"sqlite:///{tmp_path / 'outhaul.db'}"


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "lake")


@pytest.fixture
def catalog(database: Database) -> Catalog:
    return with_lists(database)


@pytest.fixture(scope="module")
def shared_catalog(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Catalog]:
    """A catalog for property tests, which only read it."""
    opened = Database(f"sqlite:///{tmp_path_factory.mktemp('state') / 'outhaul.db'}")
    opened.migrate()
    yield with_lists(opened)
    opened.close()


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
