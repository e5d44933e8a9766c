"""Look-ups of records and assets that outhaul does not store.

They answer as an instance that has none of them. Their parameters are checked as if it had some,
so that a client finds its mistakes here. A kind of another package may store such records: its own
calls then take the place of these (`outhaul.api.lookups.families`).
"""

from collections.abc import Iterator, Sequence

from outhaul.api.calls import Model
from outhaul.api.lookups.answering import Lookup, allowed
from outhaul.api.lookups.assets import LARGEST_PAGE, MAX_RETURN, NAME, PAGE
from outhaul.api.lookups.matching import MOST_VALUES, check_count, filter_values
from outhaul.api.lookups.parameters import BATCH_SIZE, NEXT_PAGE_TOKEN, path_id
from outhaul.api.lookups.posted import INPUT
from outhaul.api.lookups.query import Query, no_token
from outhaul.errors import Error
from outhaul.protocol.answers.descriptions import RecordDescription
from outhaul.protocol.answers.envelope import Assets, Found, Page, RecordPage, Success
from outhaul.protocol.answers.records import Unstored
from outhaul.protocol.parameters import OFFSET, Parameter, path_parameter, text, texts
from outhaul.protocol.shapes import TEXT

RECORDS = {
    "companies": ("Company", "Named Account"),
    "namedaccounts": ("Company", "Named Account"),
    "opportunities": ("Opportunity",),
    "opportunities/roles": ("Opportunity",),
    "salespersons": ("Sales Person",),
}
"""Records of the lead database: the path, and the areas of the permissions."""

ACCOUNT_LISTS = {"namedAccountList": "namedAccounts", "namedaccountlist": "namedaccounts"}
"""Lists of named accounts, and their members. Pages of the contract write both paths."""

ASSET_TYPES = {
    "channel": "channels",
    "email": "emails",
    "emailTemplate": "emailTemplates",
    "file": "files",
    "folder": "folders",
    "landingPage": "landingPages",
    "landingPageTemplate": "landingPageTemplates",
    "segmentation": "segmentation",
    "snippet": "snippets",
    "tagType": "tagTypes",
}
"""Types of assets: the path of one, and the path of all."""

# The contract has no such calls for these types.
_WITHOUT_NAME = ("segmentation", "snippet")
_WITHOUT_ID = ("channel", "segmentation", "tagType")

ASSET_CONTENTS = (
    "email/{id}/content",
    "email/{id}/fullContent",
    "email/{id}/variables",
    "emailTemplate/{id}/content",
    "emailTemplates/{id}/usedBy",
    "folder/{id}/content",
    "folder/{id}/tokens",
    "form/{id}/fields",
    "landingPage/{id}/content",
    "landingPage/{id}/fullContent",
    "landingPage/{id}/variables",
    "landingPageTemplate/{id}/content",
    "program/{id}/smartList",
    "segmentation/{id}/segments",
    "smartCampaign/{id}/smartList",
    "snippet/{id}/content",
    "snippet/{id}/dynamicContent",
)
"""What belongs to one asset, by path."""

_FILTER_VALUES = texts(
    "filterValues", f"Values of the field, {MOST_VALUES} at most.", required=True
)
_FILTER = (
    text("filterType", "The field whose values are compared.", required=True),
    _FILTER_VALUES,
    BATCH_SIZE,
    NEXT_PAGE_TOKEN,
)
_PAGE = (BATCH_SIZE, NEXT_PAGE_TOKEN)
_LIST_ID = path_parameter("id", TEXT, "The marketoGUID of a list.")


def _nothing(  # noqa: PLR0913 - what differs between these look-ups
    path: str,
    areas: Sequence[str],
    about: str,
    parameters: Sequence[Parameter] = (),
    *,
    envelope: Model = Page,
    result: Model = Unstored,
    keyed: bool = False,
) -> Lookup:
    """Return a look-up that finds nothing, once it has checked its parameters."""
    if "{id}" in path:
        parameters = (path_id("id", "record or asset"), *parameters)

    def find(query: Query) -> Found:
        for entry in parameters:
            _check(query, entry)
        return Found([])

    find.__doc__ = f"{about} There are none: outhaul does not store them."
    return Lookup(
        path=path,
        permissions=allowed(*areas),
        find=find,
        parameters=tuple(parameters),
        result=result,
        envelope=envelope,
        keyed=keyed,
    )


def _check(query: Query, entry: Parameter) -> None:
    """Check one parameter as a look-up does that finds something."""
    if entry.location == "path":
        query.path_id(entry.name)
    elif entry is BATCH_SIZE:
        query.batch_size()
    elif entry is MAX_RETURN:
        query.size(entry.name, PAGE, LARGEST_PAGE)
    elif entry is OFFSET:
        query.offset()
    elif entry is NEXT_PAGE_TOKEN:
        if query.text(entry.name) is not None:
            raise no_token("these records")
    elif query.input is not None:
        # Compound keys of a JSON body take the place of the filter.
        check_count(query.input if isinstance(query.input, list) else [], INPUT)
    elif entry is _FILTER_VALUES:
        filter_values(query)
    else:
        query.required(entry.name)


def _list_members(query: Query) -> Found:
    """List the named accounts of a list. There are no lists, so every id is unknown."""
    raise Error.OBJECT_UNKNOWN(what="named account list", id=query.path_text("id"))


def _records() -> Iterator[Lookup]:
    for name, areas in RECORDS.items():
        about = f"List {name.replace('/', ' ')} by the values of a field."
        yield _nothing(f"/rest/v1/{name}.json", areas, about, _FILTER, keyed=True)
        yield _nothing(
            f"/rest/v1/{name}/describe.json",
            areas,
            f"Describe the fields of {name.replace('/', ' ')}.",
            envelope=Success,
            result=RecordDescription,
        )
    for name, members in ACCOUNT_LISTS.items():
        about = "List the lists of named accounts, by id or by name."
        yield _nothing(f"/rest/v1/{name}s.json", ["Named Account List"], about, _FILTER)
        yield Lookup(
            path=f"/rest/v1/{name}/{{id}}/{members}.json",
            permissions=allowed("Named Account"),
            find=_list_members,
            parameters=(_LIST_ID,),
            result=Unstored,
        )
    yield _nothing(
        "/rest/v1/activities/external/types.json",
        ["Activity Metadata"],
        "List custom activity types.",
        envelope=Success,
    )
    yield _nothing(
        "/rest/v1/leads/{id}/smartCampaignMembership.json",
        ["Assets", "Lead"],
        "List the smart campaigns that a lead has been in.",
        _PAGE,
        envelope=RecordPage,
    )
    yield _nothing("/rest/v1/leads/partitions.json", ["Lead"], "List partitions of leads.", _PAGE)


def _assets() -> Iterator[Lookup]:
    def nothing(path: str, about: str, *parameters: Parameter) -> Lookup:
        return _nothing(
            f"/rest/asset/v1/{path}.json", ["Assets"], about, parameters, envelope=Assets
        )

    for one, every in ASSET_TYPES.items():
        yield nothing(every, f"List assets of the type {one}.", MAX_RETURN, OFFSET)
        # The path of this one also matches that of the next, and the first of them is called.
        if one not in _WITHOUT_NAME:
            yield nothing(f"{one}/byName", f"Show the asset of the type {one} with a name.", NAME)
        if one not in _WITHOUT_ID:
            yield nothing(f"{one}/{{id}}", f"Show one asset of the type {one}.")
    for path in ASSET_CONTENTS:
        owner, _, content = path.split("/")
        yield nothing(path, f"Show the {content} of one asset of the type {owner}.")


UNSTORED = (*_records(), *_assets())
