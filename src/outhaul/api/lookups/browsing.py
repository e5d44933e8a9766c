"""What look-ups of the catalog's assets share: pages by id, one by its id, what assets say."""

from collections.abc import Iterable, Mapping
from typing import Any

from outhaul.api.lookups.answering import Query, token_after
from outhaul.catalog.entries import ID_RANGE, Asset, AssetType
from outhaul.catalog.selection import WORKSPACE, Selection
from outhaul.errors import Error

UNDATED = "2000-01-01T00:00:00Z"
"""The dates of an asset whose description has none; the protocol wants some."""


def in_programs(query: Query, *, triggerable: bool = False) -> Selection:
    """Return the selection that the lead database's lists of assets share."""
    return Selection(
        ids=query.integers("id") or None,
        names=query.names("name") or None,
        programs=query.names("programName") or None,
        workspaces=query.names("workspaceName") or None,
        triggerable=triggerable,
    )


def page_by_id(
    query: Query, kind: AssetType, selection: Selection
) -> tuple[list[Asset], str | None]:
    """Return a page of assets, and the token of the next one if there is any."""
    size = query.batch_size()
    after = query.place_after(kind)
    found = query.catalog.browse(kind, selection, size=size + 1, after=after)
    page = found[:size]
    return page, token_after(kind, page[-1].id) if len(found) > size else None


def the_one(query: Query, kind: AssetType, parameter: str, what: str) -> Asset:
    """Return the asset whose id is part of the path. Raises 1013 where there is none."""
    asset_id = query.path_id(parameter)
    found = query.catalog.asset(kind, asset_id) if asset_id in ID_RANGE else None
    if found is None:
        raise Error.OBJECT_UNKNOWN(what=what, id=asset_id)
    return found


def program_ids(query: Query, entries: Iterable[Asset]) -> Mapping[str, int]:
    """Return the ids of the programs that assets are in, by name."""
    names = {entry.program for entry in entries if entry.program is not None}
    if not names:
        return {}
    found = query.catalog.assets_named(AssetType.PROGRAM, names)
    return {program.name: program.id for program in found}


def said(entry: Asset, name: str) -> str:
    """Return a text of an asset's description, empty where it has none."""
    value: Any = entry.description.get(name)
    return value if isinstance(value, str) else ""


def workspace(entry: Asset) -> str:
    """Return the name of an asset's workspace."""
    return said(entry, "workspaceName") or said(entry, "workspace") or WORKSPACE


def dates(entry: Asset) -> dict[str, Any]:
    """Return when an asset was made and changed, by the names of the members of answers."""
    created = said(entry, "createdAt")
    updated = said(entry, "updatedAt")
    return {
        "created_at": created or updated or UNDATED,
        "updated_at": updated or created or UNDATED,
    }
