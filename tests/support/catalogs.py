"""A catalog with three static lists, for records that are loaded."""

from outhaul.catalog.entries import Asset, AssetType, Entries
from outhaul.catalog.store import Catalog
from outhaul.database.engine import Database


def with_lists(database: Database) -> Catalog:
    found = Catalog(database, "default")
    lists = (Asset(type=AssetType.STATIC_LIST, id=n, name=f"List {n}") for n in (1, 2, 3))
    found.store(Entries(assets=tuple(lists)))
    return found
