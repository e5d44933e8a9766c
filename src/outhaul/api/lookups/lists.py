"""Static lists in calls of the lead database."""

from typing import Any

from outhaul.api.lookups.answering import Lookup, allowed
from outhaul.api.lookups.browsing import (
    asset_in_path,
    dates,
    described,
    in_programs,
    page_by_id,
    workspace,
)
from outhaul.api.lookups.parameters import BATCH_SIZE, IN_PROGRAMS, LIST_ID, NEXT_PAGE_TOKEN
from outhaul.api.lookups.query import Query
from outhaul.catalog.entries import Asset, AssetType
from outhaul.protocol.answers.assets import StaticList
from outhaul.protocol.answers.envelope import Found, Success


def static_lists(query: Query) -> Found:
    """List static lists by id."""
    found, token = page_by_id(query, AssetType.STATIC_LIST, in_programs(query))
    return Found([_list(entry) for entry in found], token=token)


def static_list(query: Query) -> Found:
    """Show one static list."""
    return Found([_list(asset_in_path(query, AssetType.STATIC_LIST, "listId", "static list"))])


def _list(entry: Asset) -> StaticList:
    further: dict[str, Any] = {}
    if description := described(entry, "description"):
        further["description"] = description
    if entry.program is not None:
        further["program_name"] = entry.program
    return StaticList(
        id=entry.id, name=entry.name, workspace_name=workspace(entry), **further, **dates(entry)
    )


LISTS = (
    Lookup(
        path="/rest/v1/lists.json",
        permissions=allowed("Lead"),
        find=static_lists,
        parameters=(*IN_PROGRAMS, BATCH_SIZE, NEXT_PAGE_TOKEN),
        result=StaticList,
    ),
    Lookup(
        path="/rest/v1/lists/{listId}.json",
        permissions=allowed("Lead"),
        find=static_list,
        parameters=(LIST_ID,),
        result=StaticList,
        envelope=Success,
    ),
)
