"""Leads: one by id, some by the values of a field, those of a static list or of a program."""

from typing import Any

from outhaul.api.lookups.answering import Lookup, allowed
from outhaul.api.lookups.browsing import asset_in_path
from outhaul.api.lookups.matching import MOST_VALUES, Match, by_lead, by_values, filter_values
from outhaul.api.lookups.members import MEMBERSHIP, PROGRAM_ID, members_page, membership
from outhaul.api.lookups.parameters import BATCH_SIZE, LIST_ID, NEXT_PAGE_TOKEN, path_id
from outhaul.api.lookups.query import Query, token_after
from outhaul.api.lookups.shown import named_fields, shown
from outhaul.catalog.entries import AssetType
from outhaul.errors import Error
from outhaul.kinds.leads import searchable
from outhaul.lake.clauses import MemberOf, OneOf
from outhaul.lake.snapshot import Snapshot
from outhaul.lake.tables import LEADS as TABLE
from outhaul.protocol.answers.envelope import Found, Success
from outhaul.protocol.answers.records import Lead, ProgramLead
from outhaul.protocol.parameters import text, texts
from outhaul.reading.pages import ALL_RECORDS, read_page
from outhaul.records.columns import column_type

DEFAULT_FIELDS = ("id", "email", "updatedAt", "createdAt", "lastName", "firstName")
"""The fields in an answer if a call names none."""

_WHAT = "leads"


def lead(query: Query) -> Found:
    """Show one lead."""
    lead_id = query.path_id("leadId")
    snapshot = query.lake.snapshot(TABLE)
    fields = _fields(query)
    clauses = [OneOf("id", (query.winner(lead_id),))]
    found = read_page(query.lake, TABLE, snapshot, clauses, fields, size=1)
    if not found.records:
        raise Error.LEAD_UNKNOWN(id=lead_id)
    return Found([shown(record, fields) for record in found.records])


def leads(query: Query) -> Found:
    """List the leads whose field has one of some values, by id."""
    name = query.required("filterType")
    query.some_texts("filterValues")
    fields = query.catalog.lead_fields()
    names = searchable(fields)
    if name not in names:
        raise Error.INVALID(
            parameter="filterType",
            problem=f"leads cannot be looked up by '{name}'; they can by {', '.join(names)}",
        )
    values = filter_values(query)
    if name == "id":
        return _page(query, query.lake.snapshot(TABLE), by_lead(query, name, values))
    snapshot = query.lake.snapshot(TABLE)
    columns = TABLE.columns if snapshot is None else snapshot.columns
    # The type of a column stays as it is, even if the catalog changes.
    of = columns.get(name, column_type(fields[name].data_type))
    return _page(query, snapshot, by_values(name, of, values))


def list_leads(query: Query) -> Found:
    """List the leads of a static list, by id."""
    found = asset_in_path(query, AssetType.STATIC_LIST, "listId", "static list")
    return _page(query, query.lake.snapshot(TABLE), Match(clauses=(MemberOf(found.id),)))


def program_leads(query: Query) -> Found:
    """List the leads that are members of a program, by id, each with its membership.

    A member without a lead is shown with null in all fields, as in an export.
    """
    fields = _fields(query)
    members, token = members_page(query, Match(), MEMBERSHIP.values())
    ids = tuple(member["leadId"] for member in members)
    found: dict[int, dict[str, Any]] = {}
    if ids:
        snapshot = query.lake.snapshot(TABLE)
        clauses = [OneOf("id", ids)]
        page = read_page(query.lake, TABLE, snapshot, clauses, fields, size=len(ids))
        found = {record["id"]: record for record in page.records}
    return Found(
        [
            {
                **shown(found.get(member["leadId"], {}), fields),
                "id": member["leadId"],
                "membership": membership(member),
            }
            for member in members
        ],
        token=token,
    )


def _page(query: Query, snapshot: Snapshot | None, match: Match) -> Found:
    """Return a page of the leads that match, with the fields that the call names."""
    fields = _fields(query)
    after = query.last_id(_WHAT)
    page = read_page(
        query.lake,
        TABLE,
        snapshot,
        match.clauses,
        (*fields, *match.columns),
        size=query.batch_size(),
        after=None if after is None else (after,),
        condition=match.condition,
        most_records=ALL_RECORDS,
    )
    return Found(
        [shown(record, fields) for record in page.records],
        token=token_after(_WHAT, page.records[-1]["id"]) if page.more else None,
    )


def _fields(query: Query) -> list[str]:
    """Return the id and the fields that a call names. Raises 1006 for an unknown field."""
    known = {"id", *query.catalog.lead_fields()}
    return list(dict.fromkeys(["id", *named_fields(query, known, DEFAULT_FIELDS)]))


_FIELDS = texts("fields", "The names of the fields in the answer.")
_PAGE = (_FIELDS, BATCH_SIZE, NEXT_PAGE_TOKEN)

LEADS = (
    Lookup(
        path="/rest/v1/leads.json",
        permissions=allowed("Lead"),
        find=leads,
        parameters=(
            text("filterType", "The field whose values are compared.", required=True),
            texts("filterValues", f"Values of the field, {MOST_VALUES} at most.", required=True),
            *_PAGE,
        ),
        result=Lead,
    ),
    Lookup(
        path="/rest/v1/lead/{leadId}.json",
        permissions=allowed("Lead"),
        find=lead,
        parameters=(path_id("leadId", "lead"), _FIELDS),
        result=Lead,
        envelope=Success,
    ),
    Lookup(
        path="/rest/v1/lists/{listId}/leads.json",
        permissions=allowed("Lead"),
        find=list_leads,
        parameters=(LIST_ID, *_PAGE),
        result=Lead,
    ),
    # Older pages of the protocol have this path, and some clients use it.
    Lookup(
        path="/rest/v1/list/{listId}/leads.json",
        permissions=allowed("Lead"),
        find=list_leads,
        parameters=(LIST_ID, *_PAGE),
        result=Lead,
    ),
    Lookup(
        path="/rest/v1/leads/programs/{programId}.json",
        permissions=allowed("Lead"),
        find=program_leads,
        parameters=(PROGRAM_ID, *_PAGE),
        result=ProgramLead,
    ),
)
