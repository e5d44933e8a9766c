"""Functions for look-ups of assets: pages by id, an asset by id, members of descriptions."""

from collections.abc import Iterable, Mapping
from typing import Any

from outhaul.api.lookups.query import Query, token_after
from outhaul.catalog.entries import ID_RANGE, Asset, AssetType
from outhaul.catalog.selection import UNDATED, WORKSPACE, Selection
from outhaul.errors import Error


def in_programs(query: Query, *, triggerable: bool = False) -> Selection:
    """Return the selection by the parameters `IN_PROGRAMS`."""
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
    """Return a page of assets, and the token of the next page, `None` on the last."""
    size = query.batch_size()
    after = query.last_id(kind)
    found = query.catalog.browse(kind, selection, size=size + 1, after=after)
    page = found[:size]
    return page, token_after(kind, page[-1].id) if len(found) > size else None


def asset_in_path(query: Query, kind: AssetType, parameter: str, what: str) -> Asset:
    """Return the asset whose id is in the path. Raises 1013 if there is none."""
    asset_id = query.path_id(parameter)
    found = query.catalog.asset(kind, asset_id) if asset_id in ID_RANGE else None
    if found is None:
        raise Error.OBJECT_UNKNOWN(what=what, id=asset_id)
    return found


def program_ids(query: Query, entries: Iterable[Asset]) -> Mapping[str, int]:
    """Return the ids of the programs of some assets, by program name."""
    names = {entry.program for entry in entries if entry.program is not None}
    if not names:
        return {}
    found = query.catalog.assets_named(AssetType.PROGRAM, names)
    return {program.name: program.id for program in found}


def described(entry: Asset, name: str) -> str:
    """Return a text in the description of an asset, empty if it has none of this name."""
    value: Any = entry.description.get(name)
    return value if isinstance(value, str) else ""


def workspace(entry: Asset) -> str:
    """Return the name of an asset's workspace."""
    return described(entry, "workspaceName") or described(entry, "workspace") or WORKSPACE


def dates(entry: Asset) -> dict[str, Any]:
    """Return when an asset was created and updated, as members of an answer."""
    created = described(entry, "createdAt")
    updated = described(entry, "updatedAt")
    return {
        "created_at": created or updated or UNDATED,
        "updated_at": updated or created or UNDATED,
    }
