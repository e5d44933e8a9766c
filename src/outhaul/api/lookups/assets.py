"""Programs, forms and static lists, as the calls under `/rest/asset` show them.

What such a call must show of an asset and the catalog does not keep is a constant here: a form's
looks, a program's costs. Nothing of it is asked for by those who extract records.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from outhaul.api.lookups.answering import Lookup, Page, Query, allowed, assets_envelope
from outhaul.api.lookups.browsing import dates, program_ids, said, workspace
from outhaul.catalog.entries import Asset, AssetType
from outhaul.catalog.selection import DRAFT, Selection
from outhaul.errors import Error
from outhaul.protocol.instants import ASSET_ZONE

PAGE = 20
"""Assets on a page where a call does not say how many."""

LARGEST_PAGE = 200

_APPROVED = "approved"

# Our file speaks of programs as the pages for people do, the API in words of its own.
_PROGRAM_TYPES = {
    "event": "event",
    "event with webinar": "webinar",
    "webinar": "webinar",
    "engagement": "nurture",
    "nurture": "nurture",
}
_PROGRAM_STATES = ("locked", "unlocked", "on", "off")

_FORM_LOOKS: Mapping[str, Any] = {
    "theme": "simple",
    "language": "English",
    "locale": "en_US",
    "progressiveProfiling": False,
    "labelPosition": "left",
    "fontFamily": "Helvetica",
    "fontSize": "13px",
    "knownVisitor": {"type": "form"},
    "thankYouList": [{"followupType": "none", "default": True}],
    "buttonLocation": 120,
    "buttonLabel": "Submit",
    "waitingLabel": "Please Wait",
}

Programs = Mapping[str, int]
"""The ids of programs by their names."""


def program(entry: Asset, programs: Programs, *, default_type: str = "default") -> dict[str, Any]:
    """Return a program as it is shown by itself."""
    shown = program_in_list(entry, programs, default_type=default_type)
    for name in ("startDate", "endDate"):
        if text := said(entry, name):
            shown[name] = text
    for name in ("tags", "costs"):
        given = entry.description.get(name)
        shown[name] = given if isinstance(given, list) else []
    return shown


def program_in_list(
    entry: Asset, programs: Programs, *, default_type: str = "program"
) -> dict[str, Any]:
    """Return a program as it is shown among others: the description has another word for plain."""
    state = said(entry, "status").lower()
    shown = {
        **_asset(entry, programs),
        "type": _PROGRAM_TYPES.get(said(entry, "type").lower(), default_type),
        "channel": said(entry, "channel"),
        "status": state if state in _PROGRAM_STATES else "unlocked",
        "workspace": workspace(entry),
    }
    for name in ("sfdcId", "sfdcName"):
        if text := said(entry, name):
            shown[name] = text
    return shown


def form(entry: Asset, programs: Programs) -> dict[str, Any]:
    """Return a form; of its looks, those that its description gives in the same type."""
    given = entry.description
    looks = {
        name: given[name] if isinstance(given.get(name), type(usual)) else usual
        for name, usual in _FORM_LOOKS.items()
    }
    status = DRAFT if said(entry, "status").lower() == DRAFT else _APPROVED
    return {**_asset(entry, programs), "status": status, **looks}


def static_list(entry: Asset, programs: Programs) -> dict[str, Any]:
    """Return a static list."""
    return {**_asset(entry, programs), "workspace": workspace(entry)}


def _asset(entry: Asset, programs: Programs) -> dict[str, Any]:
    """Return what all assets have."""
    return {
        "id": entry.id,
        "name": entry.name,
        "description": said(entry, "description"),
        **dates(entry, zone=ASSET_ZONE),
        "url": said(entry, "url"),
        "folder": _folder(entry, programs),
    }


def _folder(entry: Asset, programs: Programs) -> dict[str, Any]:
    """Return where an asset is: in its program, or in the one folder that there is.

    The schema calls the number `id`, real answers call it `value`.
    """
    if entry.program is None:
        return {"type": "Folder", "id": 1, "value": 1, "folderName": workspace(entry)}
    number = programs.get(entry.program, 0)
    return {"type": "Program", "id": number, "value": number, "folderName": entry.program}


@dataclass(frozen=True, kw_only=True)
class Family:
    """One type of assets: how its calls are named, and how its members are shown."""

    kind: AssetType
    path: str
    show: Callable[[Asset, Programs], dict[str, Any]]
    show_in_list: Callable[[Asset, Programs], dict[str, Any]] | None = None
    select: Callable[[Query], Selection]
    parameters: tuple[str, ...]
    has_status: bool = False

    def lookups(self) -> tuple[Lookup, ...]:
        """Return the three calls: browse, by name, by id."""
        calls = (
            ("s.json", self._browse, (*self.parameters, "maxReturn", "offset")),
            ("/byName.json", self._by_name, ("name", *self._status)),
            ("/{id}.json", self._by_id, self._status),
        )
        return tuple(
            Lookup(
                path=f"/rest/asset/v1/{self.path}{ending}",
                permissions=allowed("Assets"),
                find=find,
                parameters=parameters,
                envelope=assets_envelope,
            )
            for ending, find, parameters in calls
        )

    @property
    def _status(self) -> tuple[str, ...]:
        return ("status",) if self.has_status else ()

    def _browse(self, query: Query) -> Page:
        """Browse assets of this type by id: `maxReturn` of them, from `offset` on."""
        size = query.size("maxReturn", PAGE, LARGEST_PAGE)
        found = query.catalog.browse(
            self.kind, self.select(query), size=size, offset=query.offset()
        )
        programs = program_ids(query, found)
        show = self.show_in_list or self.show
        return Page(result=[show(entry, programs) for entry in found])

    def _by_name(self, query: Query) -> Page:
        """Show the assets of this type that have a name; those of two programs may share one."""
        return self._shown(query, Selection(names=[query.required("name")]))

    def _by_id(self, query: Query) -> Page:
        """Show one asset of this type."""
        return self._shown(query, Selection(ids=[query.path_id("id")]))

    def _shown(self, query: Query, selection: Selection) -> Page:
        if self.has_status:
            selection = replace(selection, drafts=_drafts(query))
        found = query.catalog.browse(self.kind, selection, size=LARGEST_PAGE)
        programs = program_ids(query, found)
        return Page(result=[self.show(entry, programs) for entry in found])


def _updated(query: Query) -> Selection:
    return Selection(
        updated_from=query.instant("earliestUpdatedAt"),
        updated_until=query.instant("latestUpdatedAt"),
    )


def _programs(query: Query) -> Selection:
    """Return which programs a call browses; folders are not kept, so none is to be asked for."""
    window = _updated(query)
    by = query.text("filterType")
    if by is None:
        return window
    if by not in ("id", "programId", "workspace"):
        raise Error.INVALID(
            parameter="filterType", problem=f"'{by}' is none of id, programId, workspace"
        )
    query.required("filterValues")
    if by == "workspace":
        return replace(window, workspaces=query.names("filterValues"))
    return replace(window, ids=query.integers("filterValues"))


def _forms(query: Query) -> Selection:
    return Selection(drafts=_drafts(query))


def _drafts(query: Query) -> bool | None:
    """Return whether a call wants forms that are drafts; `None` where it takes all."""
    status = query.text("status")
    if status is None:
        return None
    if status.lower() not in (_APPROVED, DRAFT):
        raise Error.INVALID(
            parameter="status", problem=f"'{status}' is neither {_APPROVED} nor {DRAFT}"
        )
    return status.lower() == DRAFT


_WINDOW = ("earliestUpdatedAt", "latestUpdatedAt")

_FAMILIES = (
    Family(
        kind=AssetType.PROGRAM,
        path="program",
        show=program,
        show_in_list=program_in_list,
        select=_programs,
        parameters=("filterType", "filterValues", *_WINDOW),
    ),
    Family(
        kind=AssetType.FORM,
        path="form",
        show=form,
        select=_forms,
        parameters=("status",),
        has_status=True,
    ),
    Family(
        kind=AssetType.STATIC_LIST,
        path="staticList",
        show=static_list,
        select=_updated,
        parameters=_WINDOW,
    ),
)

ASSETS = tuple(lookup for family in _FAMILIES for lookup in family.lookups())
