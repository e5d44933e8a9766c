"""Members of a program, by the values of a field, or by when they were changed."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any

from outhaul.api.lookups.answering import Lookup, allowed
from outhaul.api.lookups.matching import MOST_VALUES, Match, by_lead, by_values, filter_values
from outhaul.api.lookups.parameters import BATCH_SIZE, NEXT_PAGE_TOKEN, path_id
from outhaul.api.lookups.query import Query, token_after
from outhaul.api.lookups.shown import named_fields, shown, shown_value
from outhaul.errors import Error
from outhaul.kinds.program_members import TABLE, searchable
from outhaul.lake.clauses import OneOf, Within
from outhaul.lake.tables import CHANGED_AT
from outhaul.protocol.answers.envelope import Found, RecordPage
from outhaul.protocol.answers.records import ProgramMember
from outhaul.protocol.parameters import instant, text, texts
from outhaul.reading.pages import ALL_RECORDS, read_page
from outhaul.records.columns import column_type

DEFAULT_FIELDS = ("acquiredBy", "leadId", "membershipDate", "programId", "reachedSuccess")
"""The fields in an answer if a call names none."""

MEMBERSHIP = {
    "acquiredBy": "acquiredBy",
    "isExhausted": "isExhausted",
    "membershipDate": "membershipDate",
    "nurtureCadence": "nurtureCadence",
    "progressionStatus": "statusName",
    "reachedSuccess": "reachedSuccess",
    "stream": "trackName",
    "updatedAt": "updatedAt",
}
"""The members of a lead's membership, and the fields of program members that they show."""

LONGEST_WINDOW = timedelta(days=7)

_UPDATED = "updatedAt"
_WHAT = "program members"


def program_members(query: Query) -> Found:
    """List the members of a program that match a filter, by the id of their lead."""
    name = query.required("filterType")
    match = _changed(query) if name == _UPDATED else _matching(query, name)
    known = query.catalog.member_fields()
    fields = ["leadId", *named_fields(query, known, DEFAULT_FIELDS)]
    members, token = members_page(query, match, fields)
    return Found(
        [{**shown(member, fields), "seq": n} for n, member in enumerate(members)],
        token=token,
        more=token is not None,
    )


def members_page(
    query: Query, match: Match, fields: Iterable[str]
) -> tuple[Sequence[Mapping[str, Any]], str | None]:
    """Return members of the program in the path, and the token of the next page, if there is one.

    Raises 1013 if there is no such program.
    """
    program = query.path_id("programId")
    if not query.catalog.has_program(program):
        raise Error.OBJECT_UNKNOWN(what="program", id=program)
    after = query.last_id(_WHAT)
    page = read_page(
        query.lake,
        TABLE,
        query.lake.snapshot(TABLE),
        [OneOf("programId", (program,)), *match.clauses],
        (*fields, "createdAt", *match.columns),
        size=query.batch_size(),
        after=None if after is None else (after,),
        condition=match.condition,
        most_records=ALL_RECORDS,
    )
    return page.records, token_after(_WHAT, page.records[-1]["leadId"]) if page.more else None


def membership(member: Mapping[str, Any]) -> dict[str, Any]:
    """Return what an answer says of a membership. The contract requires a date and a status."""
    since = member.get("membershipDate") or member.get("createdAt")
    values = {name: member.get(field) for name, field in MEMBERSHIP.items()}
    values["membershipDate"] = since or ""
    values["progressionStatus"] = values["progressionStatus"] or ""
    return {name: shown_value(value) for name, value in values.items() if value is not None}


def _matching(query: Query, name: str) -> Match:
    fields = query.catalog.member_fields()
    names = [*searchable(fields), _UPDATED]
    if name not in names:
        raise Error.INVALID(
            parameter="filterType",
            problem=f"program members cannot be looked up by '{name}'; "
            f"they can by {', '.join(names)}",
        )
    values = filter_values(query)
    if name == "leadId":
        return by_lead(query, name, values)
    snapshot = query.lake.snapshot(TABLE)
    columns = TABLE.columns if snapshot is None else snapshot.columns
    return by_values(name, columns.get(name, column_type(fields[name].data_type)), values)


def _changed(query: Query) -> Match:
    """Return the match for a window of changes, which includes both ends."""
    query.required("startAt")
    query.required("endAt")
    start, end = query.instant("startAt"), query.instant("endAt")
    assert start is not None and end is not None  # noqa: S101, PT018 - both are there
    if end < start:
        raise Error.INVALID(parameter="endAt", problem="it is before startAt")
    if end - start > LONGEST_WINDOW:
        raise Error.INVALID(
            parameter="endAt", problem=f"more than {LONGEST_WINDOW.days} days after startAt"
        )
    return Match(clauses=(Within(CHANGED_AT, start, end),))


PROGRAM_ID = path_id("programId", "program")

MEMBERS = (
    Lookup(
        path="/rest/v1/programs/{programId}/members.json",
        permissions=allowed("Lead"),
        find=program_members,
        parameters=(
            PROGRAM_ID,
            text("filterType", "The field whose values are compared, or updatedAt.", required=True),
            texts("filterValues", f"Values of the field, {MOST_VALUES} at most."),
            instant("startAt", "With updatedAt: only members that were changed then or later."),
            instant("endAt", "With updatedAt: only members that were changed then or earlier."),
            texts("fields", "The names of the fields in the answer; leadId is always included."),
            BATCH_SIZE,
            NEXT_PAGE_TOKEN,
        ),
        result=ProgramMember,
        envelope=RecordPage,
    ),
)
