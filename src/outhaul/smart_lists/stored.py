"""The rules of the smart lists that a catalog stores."""

from typing import TYPE_CHECKING

from outhaul.catalog.entries import Asset, AssetType, Entries
from outhaul.smart_lists.parsing import CatalogNames, check_smart_lists, read_rules
from outhaul.smart_lists.rules import Group

if TYPE_CHECKING:
    from outhaul.catalog.store import Catalog


def rules_of(catalog: "Catalog", smart_list: Asset) -> Group:
    """Return the rules of a smart list, with ids in place of the names of lists and types.

    Raises `CatalogError` where they do not fit the catalog, which may have changed since.
    """
    place = f"smart list '{smart_list.qualified_name}': rules"
    return read_rules(smart_list.description.get("rules"), place, _names(catalog, Entries()))


def store_entries(catalog: "Catalog", entries: Entries) -> None:
    """Put entries into a catalog, in one transaction, once the rules of smart lists are checked.

    Raises `CatalogError`, and stores none of them, where a rule names what is neither among the
    entries nor in the catalog.
    """
    if any(entry.type is AssetType.SMART_LIST for entry in entries.assets):
        check_smart_lists(entries.assets, _names(catalog, entries))
    catalog.store(entries)


def _names(catalog: "Catalog", entries: Entries) -> CatalogNames:
    """Return what names in rules stand for once `entries` are in the catalog."""
    lists = {entry.id: entry for entry in catalog.assets(AssetType.STATIC_LIST)}
    for entry in entries.assets:
        if entry.type is AssetType.STATIC_LIST:
            lists[entry.id] = entry
    return CatalogNames(
        {**catalog.lead_fields(), **{entry.name: entry for entry in entries.lead_fields}},
        {**catalog.activity_types(), **{entry.id: entry for entry in entries.activity_types}},
        lists.values(),
    )
