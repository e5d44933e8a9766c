"""Storing smart lists in the catalog, and reading their rules back."""

from typing import TYPE_CHECKING

from outhaul.catalog.entries import Asset, AssetType, Entries
from outhaul.smart_lists.parsing import CatalogNames, check_smart_lists, read_rules
from outhaul.smart_lists.rules import Group

if TYPE_CHECKING:
    from outhaul.catalog.store import Catalog


def rules_of(catalog: "Catalog", smart_list: Asset) -> Group:
    """Return the rules of a smart list, with names of lists and activity types replaced by ids.

    Raises `CatalogError` if a name is no longer in the catalog, which may have changed.
    """
    path = f"smart list '{smart_list.qualified_name}': rules"
    return read_rules(smart_list.description.get("rules"), path, _names(catalog, Entries()))


def store_entries(catalog: "Catalog", entries: Entries) -> None:
    """Check the rules of smart lists, then store all entries in one transaction.

    Raises `CatalogError`, and stores nothing, if a rule is not valid, or has a name that is neither
    in the entries nor in the catalog.
    """
    if any(entry.type is AssetType.SMART_LIST for entry in entries.assets):
        check_smart_lists(entries.assets, _names(catalog, entries))
    catalog.store(entries)


def _names(catalog: "Catalog", entries: Entries) -> CatalogNames:
    """Return the names that rules may use once `entries` are in the catalog."""
    lists = {entry.id: entry for entry in catalog.assets(AssetType.STATIC_LIST)}
    for entry in entries.assets:
        if entry.type is AssetType.STATIC_LIST:
            lists[entry.id] = entry
    return CatalogNames(
        {**catalog.lead_fields(), **{entry.name: entry for entry in entries.lead_fields}},
        {**catalog.activity_types(), **{entry.id: entry for entry in entries.activity_types}},
        lists.values(),
    )
