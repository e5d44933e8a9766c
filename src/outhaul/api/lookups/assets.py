"""Programs, forms and static lists in calls under `/rest/asset`.

Members that the protocol requires and the catalog does not have are constants here, such as the
looks of a form. Clients that extract records do not use them.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from outhaul.api.lookups.answering import Lookup, allowed
from outhaul.api.lookups.browsing import dates, described, program_ids, workspace
from outhaul.api.lookups.parameters import EARLIEST, LATEST, path_id
from outhaul.api.lookups.query import Query
from outhaul.catalog.entries import Asset, AssetType
from outhaul.catalog.selection import DRAFT, Selection
from outhaul.errors import Error
from outhaul.protocol.answers.assets import AssetList, Folder, Form, Program, ProgramInList
from outhaul.protocol.answers.envelope import Assets, Found
from outhaul.protocol.answers.model import Answer
from outhaul.protocol.parameters import OFFSET, Parameter, choice, size, text, texts

PAGE = 20
"""The default number of assets on a page."""

LARGEST_PAGE = 200
MAX_RETURN = size("maxReturn", LARGEST_PAGE, PAGE)
NAME = text("name", "The name of the asset, without the name of its program.", required=True)

_APPROVED = "approved"
_STATUS = choice("status", _APPROVED, DRAFT, description="Only approved forms, or only drafts.")

# Program types by their names in the user interface, which a catalog file can have. The API has
# other names.
_PROGRAM_TYPES = {
    "event": "event",
    "event with webinar": "webinar",
    "webinar": "webinar",
    "engagement": "nurture",
    "nurture": "nurture",
}
_PROGRAM_FILTERS = ("id", "programId", "workspace")
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


def program(entry: Asset, programs: Programs) -> Program:
    """Return a program for an answer about one program."""
    shown = _program(entry, programs, "default")
    for name in ("startDate", "endDate"):
        if given := described(entry, name):
            shown[name] = given
    for name in ("tags", "costs"):
        listed = entry.description.get(name)
        shown[name] = listed if isinstance(listed, list) else []
    return Program(**shown)


def program_in_list(entry: Asset, programs: Programs) -> ProgramInList:
    """Return a program for a list of programs, where the plain type has another name."""
    return ProgramInList(**_program(entry, programs, "program"))


def _program(entry: Asset, programs: Programs, default_type: str) -> dict[str, Any]:
    state = described(entry, "status").lower()
    shown = {
        **members_of_assets(entry, programs),
        "type": _PROGRAM_TYPES.get(described(entry, "type").lower(), default_type),
        "channel": described(entry, "channel"),
        "status": state if state in _PROGRAM_STATES else "unlocked",
        "workspace": workspace(entry),
    }
    for name in ("sfdcId", "sfdcName"):
        if given := described(entry, name):
            shown[name] = given
    return shown


def form(entry: Asset, programs: Programs) -> Form:
    """Return a form. Its description may replace a default of its looks by a value of that type."""
    given = entry.description
    looks = {
        name: given[name] if type(given.get(name)) is type(usual) else usual
        for name, usual in _FORM_LOOKS.items()
    }
    status = DRAFT if described(entry, "status").lower() == DRAFT else _APPROVED
    return Form(**members_of_assets(entry, programs), status=status, **looks)


def asset_list(entry: Asset, programs: Programs) -> AssetList:
    """Return a static list, or a smart list without its rules."""
    return AssetList(**members_of_assets(entry, programs), workspace=workspace(entry))


def members_of_assets(entry: Asset, programs: Programs) -> dict[str, Any]:
    """Return the members that all assets have."""
    return {
        "id": entry.id,
        "name": entry.name,
        "description": described(entry, "description"),
        **dates(entry),
        "url": described(entry, "url"),
        "folder": _folder(entry, programs),
    }


def _folder(entry: Asset, programs: Programs) -> Folder:
    """Return the folder of an asset: its program, or folder 1, the only other folder.

    The published schema calls the number `id`; live instances send `value`.
    """
    if entry.program is None:
        return Folder(type="Folder", id=1, value=1, folder_name=workspace(entry))
    number = programs.get(entry.program, 0)
    return Folder(type="Program", id=number, value=number, folder_name=entry.program)


@dataclass(frozen=True, kw_only=True)
class Family:
    """The look-ups of one asset type: their paths, their parameters, and their answers."""

    kind: AssetType
    path: str
    result: type[Answer]
    show: Callable[[Asset, Programs], Answer]
    result_in_list: type[Answer]
    show_in_list: Callable[[Asset, Programs], Answer]
    select: Callable[[Query], Selection]
    parameters: tuple[Parameter, ...]
    has_status: bool = False

    def lookups(self) -> tuple[Lookup, ...]:
        """Return the three look-ups: browse, by name, by id."""
        calls = (
            ("s.json", self._browse, (*self.parameters, MAX_RETURN, OFFSET), self.result_in_list),
            ("/byName.json", self._by_name, (NAME, *self._status), self.result),
            ("/{id}.json", self._by_id, (path_id("id", self._what), *self._status), self.result),
        )
        return tuple(
            Lookup(
                path=f"/rest/asset/v1/{self.path}{ending}",
                permissions=allowed("Assets"),
                find=find,
                parameters=parameters,
                result=result,
                envelope=Assets,
            )
            for ending, find, parameters, result in calls
        )

    @property
    def _status(self) -> tuple[Parameter, ...]:
        return (_STATUS,) if self.has_status else ()

    @property
    def _what(self) -> str:
        return _NAMES.get(self.path, self.path)

    def _browse(self, query: Query) -> Found:
        """List assets of this type by id: `maxReturn` of them, after the first `offset`."""
        size = query.size("maxReturn", PAGE, LARGEST_PAGE)
        found = query.catalog.browse(
            self.kind, self.select(query), size=size, offset=query.offset()
        )
        programs = program_ids(query, found)
        return Found([self.show_in_list(entry, programs) for entry in found])

    def _by_name(self, query: Query) -> Found:
        """Show the assets of this type with a name. Assets of two programs can share a name."""
        return self._shown(query, Selection(names=[query.required("name")]))

    def _by_id(self, query: Query) -> Found:
        """Show one asset of this type."""
        return self._shown(query, Selection(ids=[query.path_id("id")]))

    def _shown(self, query: Query, selection: Selection) -> Found:
        if self.has_status:
            selection = replace(selection, drafts=_drafts(query))
        found = query.catalog.browse(self.kind, selection, size=LARGEST_PAGE)
        programs = program_ids(query, found)
        return Found([self.show(entry, programs) for entry in found])


def programs_by_tag(query: Query) -> Found:
    """List the programs that have a tag, by id."""
    wanted = {"tagType": query.required("tagType"), "tagValue": query.required("tagValue")}
    size = query.size("maxReturn", PAGE, LARGEST_PAGE)
    offset = query.offset()
    found = [entry for entry in query.catalog.assets(AssetType.PROGRAM) if _has_tag(entry, wanted)]
    page = found[offset : offset + size]
    programs = program_ids(query, page)
    return Found([program(entry, programs) for entry in page])


def _has_tag(entry: Asset, wanted: Mapping[str, str]) -> bool:
    tags = entry.description.get("tags")
    return isinstance(tags, list) and any(
        isinstance(tag, dict) and wanted.items() <= tag.items() for tag in tags
    )


def _updated(query: Query) -> Selection:
    return Selection(
        updated_from=query.instant("earliestUpdatedAt"),
        updated_until=query.instant("latestUpdatedAt"),
    )


def _programs(query: Query) -> Selection:
    """Return the selection of programs. Filters by folder are refused: no folders are stored."""
    window = _updated(query)
    by = query.text("filterType")
    if by is None:
        return window
    if by not in _PROGRAM_FILTERS:
        raise Error.INVALID(
            parameter="filterType", problem=f"'{by}' is none of {', '.join(_PROGRAM_FILTERS)}"
        )
    query.required("filterValues")
    if by == "workspace":
        return replace(window, workspaces=query.names("filterValues"))
    return replace(window, ids=query.integers("filterValues"))


def _forms(query: Query) -> Selection:
    return Selection(drafts=_drafts(query))


def _drafts(query: Query) -> bool | None:
    """Return whether a call wants only drafts; `None` if it wants all forms."""
    status = query.text("status")
    if status is None:
        return None
    if status.lower() not in (_APPROVED, DRAFT):
        raise Error.INVALID(
            parameter="status", problem=f"'{status}' is neither {_APPROVED} nor {DRAFT}"
        )
    return status.lower() == DRAFT


_WINDOW = (EARLIEST, LATEST)
_NAMES = {
    "smartCampaign": "smart campaign",
    "smartList": "smart list",
    "staticList": "static list",
}

_FAMILIES = (
    Family(
        kind=AssetType.PROGRAM,
        path="program",
        result=Program,
        show=program,
        result_in_list=ProgramInList,
        show_in_list=program_in_list,
        select=_programs,
        parameters=(
            choice(
                "filterType",
                *_PROGRAM_FILTERS,
                description="The property that `filterValues` refer to.",
            ),
            texts("filterValues", "Ids, or names of workspaces."),
            *_WINDOW,
        ),
    ),
    Family(
        kind=AssetType.FORM,
        path="form",
        result=Form,
        show=form,
        result_in_list=Form,
        show_in_list=form,
        select=_forms,
        parameters=(_STATUS,),
        has_status=True,
    ),
    Family(
        kind=AssetType.STATIC_LIST,
        path="staticList",
        result=AssetList,
        show=asset_list,
        result_in_list=AssetList,
        show_in_list=asset_list,
        select=_updated,
        parameters=_WINDOW,
    ),
)

BY_TAG = Lookup(
    path="/rest/asset/v1/program/byTag.json",
    permissions=allowed("Assets"),
    find=programs_by_tag,
    parameters=(
        text("tagType", "The type of a tag.", required=True),
        text("tagValue", "The value of that tag.", required=True),
        MAX_RETURN,
        OFFSET,
    ),
    result=Program,
    envelope=Assets,
)

# The path of the look-up by tag also matches that of the look-up by id, and the first of them is
# called.
ASSETS = (BY_TAG, *(lookup for family in _FAMILIES for lookup in family.lookups()))
