"""Static lists, as the lead database shows them."""

from typing import Any

from outhaul.api.lookups.answering import Lookup, Page, Query, allowed
from outhaul.api.lookups.browsing import dates, in_programs, page_by_id, said, the_one, workspace
from outhaul.catalog.entries import Asset, AssetType


def static_lists(query: Query) -> Page:
    """List static lists by id."""
    found, token = page_by_id(query, AssetType.STATIC_LIST, in_programs(query))
    return Page(result=[_list(entry) for entry in found], token=token)


def static_list(query: Query) -> Page:
    """Show one static list."""
    return Page(result=[_list(the_one(query, AssetType.STATIC_LIST, "listId", "static list"))])


def _list(entry: Asset) -> dict[str, Any]:
    shown: dict[str, Any] = {"id": entry.id, "name": entry.name}
    if description := said(entry, "description"):
        shown["description"] = description
    if entry.program is not None:
        shown["programName"] = entry.program
    return {**shown, "workspaceName": workspace(entry), **dates(entry)}


LISTS = (
    Lookup(
        path="/rest/v1/lists.json",
        permissions=allowed("Lead"),
        find=static_lists,
        parameters=("id", "name", "programName", "workspaceName", "batchSize", "nextPageToken"),
    ),
    Lookup(path="/rest/v1/lists/{listId}.json", permissions=allowed("Lead"), find=static_list),
)
