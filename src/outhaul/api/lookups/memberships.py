"""Memberships of a lead: its programs, its static lists, and whether some leads are on a list."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import polars as pl

from outhaul.api.lookups.answering import Lookup, allowed
from outhaul.api.lookups.browsing import asset_in_path
from outhaul.api.lookups.matching import MOST_VALUES, check_count, input_keys
from outhaul.api.lookups.members import MEMBERSHIP, membership
from outhaul.api.lookups.parameters import BATCH_SIZE, LIST_ID, NEXT_PAGE_TOKEN, path_id
from outhaul.api.lookups.query import Query, token_after
from outhaul.catalog.entries import AssetType
from outhaul.catalog.selection import UNDATED, Selection
from outhaul.errors import Error
from outhaul.kinds.program_members import TABLE as MEMBERS
from outhaul.lake.clauses import MemberOf, OneOf
from outhaul.lake.failures import named_failures
from outhaul.lake.tables import LEADS, LIST_MEMBERS
from outhaul.protocol.answers.envelope import Found, RecordPage, Success
from outhaul.protocol.answers.records import ListMembership, MemberStatus, ProgramMembership
from outhaul.protocol.parameters import integers
from outhaul.reading.pages import ALL_RECORDS, read_page

_MOST_PROGRAMS = 100_000
"""More programs than a lead is a member of. Their pages are made of the ids, not of the table."""

_PROGRAMS, _LISTS = "programs of a lead", "lists of a lead"


def programs(query: Query) -> Found:
    """List the programs that a lead is a member of, by id."""
    lead = _lead(query)
    page = read_page(
        query.lake,
        MEMBERS,
        query.lake.snapshot(MEMBERS),
        [OneOf("leadId", (lead,))],
        ("programId", "createdAt", *MEMBERSHIP.values()),
        size=_MOST_PROGRAMS,
        most_records=ALL_RECORDS,
    )
    members = {record["programId"]: record for record in page.records}

    def shown(ids: Sequence[int]) -> list[dict[str, Any]]:
        return [{"id": program, **membership(members[program])} for program in ids]

    return _page(query, _PROGRAMS, members, shown)


def lists(query: Query) -> Found:
    """List the static lists that a lead is a member of, by id."""
    lead = _lead(query)
    snapshot = query.lake.snapshot(LIST_MEMBERS)
    clause = OneOf("leadId", (lead,))
    files = () if snapshot is None else snapshot.files
    scans = [
        query.lake.scan(LIST_MEMBERS.name, [file.path], LIST_MEMBERS.columns)
        .filter(pl.col("leadId") == lead)
        .select(pl.lit(file.partition))
        for file in files
        if clause.may_match(file.bounds)
    ]
    with named_failures():
        found = {row for frame in pl.collect_all(scans) for (row,) in frame.rows()}

    def shown(ids: Sequence[int]) -> list[dict[str, Any]]:
        selected = Selection(ids=ids)
        known = query.catalog.browse(AssetType.STATIC_LIST, selection=selected, size=len(ids) + 1)
        dates = {entry.id: entry.description for entry in known}
        return [
            {
                "listId": entry,
                "createdAt": dates.get(entry, {}).get("createdAt", UNDATED),
                "updatedAt": dates.get(entry, {}).get("updatedAt", UNDATED),
            }
            for entry in ids
        ]

    return _page(query, _LISTS, found, shown)


def are_members(query: Query) -> Found:
    """Show for some leads whether each is on a static list, in the order of the call."""
    static_list = asset_in_path(query, AssetType.STATIC_LIST, "listId", "static list")
    wanted = _wanted(query)
    winners = query.winners(wanted)
    leads = [winners.get(lead, lead) for lead in wanted]
    known = _ids(query, leads)
    members = _ids(query, leads, MemberOf(static_list.id))
    return Found(
        [_status(given, lead, known, members) for given, lead in zip(wanted, leads, strict=True)]
    )


def _status(
    given: int, lead: int, known: frozenset[int], members: frozenset[int]
) -> dict[str, Any]:
    """Return the answer for a lead, which is called `given` and may be the winner of that one."""
    if lead not in known:
        reason = {"code": Error.LEAD_UNKNOWN.code, "message": "Lead not found"}
        return {"id": given, "status": "skipped", "reasons": [reason]}
    return {"id": given, "status": "memberof" if lead in members else "notmemberof"}


def _wanted(query: Query) -> list[int]:
    """Return the ids of the leads that a call names, as a parameter or in a JSON body."""
    if query.input is not None:
        keys = [key["id"] for key in input_keys(query, ["id"])]
        return [query.integer_of(text, "input") for text in keys]
    if not query.integers("id"):
        raise Error.PARAMETER_MISSING(parameter="id")
    ids = query.integers("id")
    check_count(ids, "id")
    return ids


def _ids(query: Query, wanted: Sequence[int], *clauses: MemberOf) -> frozenset[int]:
    """Return the ids of those leads that exist, and that the clauses hold for."""
    page = read_page(
        query.lake,
        LEADS,
        query.lake.snapshot(LEADS),
        [OneOf("id", tuple(wanted)), *clauses],
        ("id",),
        size=len(wanted),
    )
    return frozenset(record["id"] for record in page.records)


def _lead(query: Query) -> int:
    """Return the id of the lead in the path, or of its winner. Raises 1004 if there is no lead."""
    given = query.path_id("leadId")
    lead = query.winner(given)
    if not _ids(query, [lead]):
        raise Error.LEAD_UNKNOWN(id=given)
    return lead


def _page(
    query: Query,
    what: str,
    found: Mapping[int, Any] | set[int],
    shown: Callable[[Sequence[int]], list[dict[str, Any]]],
) -> Found:
    after = query.last_id(what)
    ids = sorted(entry for entry in found if after is None or entry > after)
    size = query.batch_size()
    page = ids[:size]
    return Found(shown(page), token=token_after(what, page[-1]) if len(ids) > size else None)


_LEAD_ID = path_id("leadId", "lead")
_PAGE = (_LEAD_ID, BATCH_SIZE, NEXT_PAGE_TOKEN)

MEMBERSHIPS = (
    Lookup(
        path="/rest/v1/leads/{leadId}/programMembership.json",
        permissions=allowed("Assets", "Lead"),
        find=programs,
        parameters=_PAGE,
        result=ProgramMembership,
        envelope=RecordPage,
    ),
    Lookup(
        path="/rest/v1/leads/{leadId}/listMembership.json",
        permissions=allowed("Assets", "Lead"),
        find=lists,
        parameters=_PAGE,
        result=ListMembership,
        envelope=RecordPage,
    ),
    Lookup(
        path="/rest/v1/lists/{listId}/leads/ismember.json",
        permissions=allowed("Lead"),
        find=are_members,
        parameters=(LIST_ID, integers("id", f"Ids of leads, {MOST_VALUES} at most.")),
        result=MemberStatus,
        envelope=Success,
        keyed=True,
    ),
)
