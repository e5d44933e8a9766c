"""Leads: one by id, some by the values of a field, those of a static list."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

import polars as pl

from outhaul.api.lookups.answering import Lookup, allowed
from outhaul.api.lookups.browsing import asset_in_path
from outhaul.api.lookups.parameters import BATCH_SIZE, LIST_ID, NEXT_PAGE_TOKEN, path_id
from outhaul.api.lookups.query import Query, token_after
from outhaul.catalog.entries import AssetType, LeadField
from outhaul.errors import Error
from outhaul.kinds.leads import searchable
from outhaul.lake.clauses import Clause, MemberOf, OneOf
from outhaul.lake.conversions import convert, render
from outhaul.lake.numbers import whole_number
from outhaul.lake.snapshot import Snapshot
from outhaul.lake.tables import LEADS as TABLE
from outhaul.lake.tables import column_type
from outhaul.protocol.answers.envelope import Found, Success
from outhaul.protocol.answers.records import Lead
from outhaul.protocol.instants import render_instant
from outhaul.protocol.parameters import text, texts
from outhaul.reading.pages import read_page

MOST_VALUES = 300
"""The most values that a filter may have."""

DEFAULT_FIELDS = ("id", "email", "updatedAt", "createdAt", "lastName", "firstName")
"""The fields in an answer if a call names none."""

_ALL = 2**63 - 1
_WHAT = "leads"


def lead(query: Query) -> Found:
    """Show one lead."""
    lead_id = query.path_id("leadId")
    snapshot = query.lake.snapshot(TABLE)
    fields = _fields(query)
    found = read_page(query.lake, TABLE, snapshot, [OneOf("id", (lead_id,))], fields, size=1)
    if not found.records:
        raise Error.LEAD_UNKNOWN(id=lead_id)
    return Found([_lead(record, fields) for record in found.records])


def leads(query: Query) -> Found:
    """List the leads whose field has one of some values, by id."""
    name = query.required("filterType")
    values = query.some_texts("filterValues")
    fields = query.catalog.lead_fields()
    names = searchable(fields)
    if name not in names:
        raise Error.INVALID(
            parameter="filterType",
            problem=f"leads cannot be looked up by '{name}'; they can by {', '.join(names)}",
        )
    if len(values) > MOST_VALUES:
        raise Error.INVALID(
            parameter="filterValues",
            problem=f"{len(values)} values, where {MOST_VALUES} are allowed",
        )
    snapshot = query.lake.snapshot(TABLE)
    columns = TABLE.columns if snapshot is None else snapshot.columns
    # The type of a column stays the one of the first load, even if the catalog changes.
    of = columns.get(name, column_type(fields[name].data_type))
    if of == pl.Int64:
        return _page(query, snapshot, [OneOf(name, _integers(values))])
    # Values match in any case, so that an e-mail address is found however it is written.
    lowered = pl.Series(values).str.to_lowercase().implode()
    condition = render(pl.col(name), of).str.to_lowercase().is_in(lowered)
    return _page(query, snapshot, [], condition=condition)


def list_leads(query: Query) -> Found:
    """List the leads of a static list, by id."""
    found = asset_in_path(query, AssetType.STATIC_LIST, "listId", "static list")
    return _page(query, query.lake.snapshot(TABLE), [MemberOf(found.id)])


def _integers(values: Sequence[str]) -> tuple[int, ...]:
    """Return values as integers. Raises 1003 for a value that is not an integer."""
    typed = convert(pl.Series(values), pl.Int64())
    for given, value in zip(values, typed, strict=True):
        if value is None:
            raise Error.INVALID(
                parameter="filterValues", problem=f"'{given}' is no value of the field"
            )
    return tuple(typed)


def _page(
    query: Query,
    snapshot: Snapshot | None,
    clauses: Sequence[Clause],
    *,
    condition: pl.Expr | None = None,
) -> Found:
    """Return a page of the leads that match, with the fields that the call names."""
    fields = _fields(query)
    after = query.last_id(_WHAT)
    page = read_page(
        query.lake,
        TABLE,
        snapshot,
        clauses,
        (*fields, *(() if condition is None else condition.meta.root_names())),
        size=query.batch_size(),
        after=None if after is None else (after,),
        condition=condition,
        most_records=_ALL,
    )
    return Found(
        [_lead(record, fields) for record in page.records],
        token=token_after(_WHAT, page.records[-1]["id"]) if page.more else None,
    )


def _fields(query: Query) -> list[str]:
    """Return the id and the fields that a call names. Raises 1006 for an unknown field."""
    known: Mapping[str, LeadField] = query.catalog.lead_fields()
    names = query.texts("fields") or [name for name in DEFAULT_FIELDS if name in known]
    for name in names:
        if name not in known and name != "id":
            raise Error.FIELD_UNKNOWN(field=name)
    return list(dict.fromkeys(["id", *names]))


def _lead(record: Mapping[str, Any], fields: Sequence[str]) -> dict[str, Any]:
    return {name: _shown(record.get(name)) for name in fields}


def _shown(value: Any) -> Any:  # noqa: ANN401 - a field may be of any type
    """Return a value in a form that JSON has."""
    if isinstance(value, datetime):
        return render_instant(value)
    if isinstance(value, float):
        return whole_number(value)
    return value.isoformat() if isinstance(value, date) else value


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
)
