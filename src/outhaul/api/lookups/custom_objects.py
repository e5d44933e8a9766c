"""Custom objects of one type, by the values of a field, or by compound keys."""

from collections.abc import Sequence

import polars as pl

from outhaul.api.lookups.answering import Lookup, allowed
from outhaul.api.lookups.matching import (
    MOST_VALUES,
    Match,
    by_keys,
    by_lead,
    by_values,
    filter_values,
    input_keys,
)
from outhaul.api.lookups.parameters import BATCH_SIZE, NEXT_PAGE_TOKEN
from outhaul.api.lookups.posted import INPUT
from outhaul.api.lookups.query import Query
from outhaul.api.lookups.shown import named_fields, shown
from outhaul.catalog.objects import CustomObjectType
from outhaul.errors import Error
from outhaul.kinds.custom_objects import known_type, table_of
from outhaul.lake.clauses import OneOf
from outhaul.protocol.answers.envelope import Found, RecordPage
from outhaul.protocol.answers.records import CustomObject
from outhaul.protocol.paging import encode_token
from outhaul.protocol.parameters import path_parameter, text, texts
from outhaul.protocol.shapes import TEXT
from outhaul.reading.pages import ALL_RECORDS, read_page
from outhaul.records.columns import column_type

ID = "marketoGUID"
DEDUPE_FIELDS = "dedupeFields"

# The contract has both names for the field of the id.
_ID_NAMES = ("idfield", "idfields")
_WHAT = "custom objects"


def custom_objects(query: Query) -> Found:
    """List custom objects of a type that have some values in a field, by marketoGUID."""
    declared = known_type(query)
    filtered = _filtered_by(query, declared)
    table = table_of(declared.api_name, lead=declared.lead_link)
    snapshot = query.lake.snapshot(table)
    columns = table.columns if snapshot is None else snapshot.columns
    match = _match(
        query,
        {name: columns.get(name, column_type(declared.fields[name])) for name in filtered},
        declared.lead_link,
    )
    default = (ID, *declared.dedupe_fields, "updatedAt", "createdAt", *filtered)
    fields = [ID, *named_fields(query, {*declared.fields, "marketoGuid"}, default)]
    # An example of the contract writes the field like this.
    fields = list(dict.fromkeys(ID if name == "marketoGuid" else name for name in fields))
    after = query.position(_WHAT, 1)
    page = read_page(
        query.lake,
        table,
        snapshot,
        match.clauses,
        (*fields, *match.columns),
        size=query.batch_size(),
        after=after,
        condition=match.condition,
        most_records=ALL_RECORDS,
    )
    return Found(
        [{**shown(record, fields), "seq": n} for n, record in enumerate(page.records)],
        token=encode_token((_WHAT, page.records[-1][ID])) if page.more else None,
        more=page.more,
    )


def _filtered_by(query: Query, declared: CustomObjectType) -> Sequence[str]:
    """Return the field of the filter, or the fields of the compound key."""
    by = query.text("filterType")
    if by is None and query.input is None:
        raise Error.PARAMETER_MISSING(parameter="filterType")
    if by is None or by == DEDUPE_FIELDS:
        if declared.dedupe_fields:
            return declared.dedupe_fields
    elif by.lower() in _ID_NAMES:
        return (ID,)
    names = [entry[0] for entry in declared.searchable_fields if len(entry) == 1]
    if by not in names:
        known = ["idField", *([DEDUPE_FIELDS] if declared.dedupe_fields else []), *names]
        raise Error.INVALID(
            parameter="filterType",
            problem=f"'{declared.api_name}' cannot be looked up by '{by or DEDUPE_FIELDS}'; "
            f"it can by {', '.join(known)}",
        )
    return (by,)


def _match(query: Query, fields: dict[str, pl.DataType], lead_link: str | None) -> Match:
    if query.input is not None:
        match = by_keys(fields, keys := input_keys(query, list(fields)))
        guids = [key[ID] for key in keys if ID in key]
    elif len(fields) > 1:
        raise Error.PARAMETER_MISSING(parameter=INPUT)
    else:
        ((name, of),) = fields.items()
        guids = filter_values(query)
        if name == lead_link:
            return by_lead(query, name, guids)
        match = by_values(name, of, guids)
        if name != ID:
            return match
    # The statistics of files have this column, and their clauses compare exactly.
    return Match(clauses=(OneOf(ID, tuple(guids)),)) if ID in fields else match


CUSTOM_OBJECTS = (
    Lookup(
        path="/rest/v1/customobjects/{customObjectName}.json",
        permissions=allowed("Custom Object"),
        find=custom_objects,
        parameters=(
            path_parameter("customObjectName", TEXT, "The API name of a type."),
            text("filterType", "The field whose values are compared; idField, dedupeFields."),
            texts("filterValues", f"Values of the field, {MOST_VALUES} at most."),
            texts("fields", "The names of the fields in the answer; the id is always included."),
            BATCH_SIZE,
            NEXT_PAGE_TOKEN,
        ),
        result=CustomObject,
        envelope=RecordPage,
        keyed=True,
    ),
)
