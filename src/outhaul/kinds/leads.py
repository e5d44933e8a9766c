"""Leads (bulk lead extract). A request has exactly one filter."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import polars as pl

from outhaul.catalog.built_in import standard_entries
from outhaul.catalog.entries import Entries, LeadField
from outhaul.catalog.objects import INFERRED
from outhaul.kinds.describing import DescribeQuery, Description, shown_type
from outhaul.kinds.filter import Context
from outhaul.kinds.kind import Kind
from outhaul.kinds.loading import Inferring, Loading
from outhaul.kinds.shared_filters import (
    created_at,
    exactly_one_of,
    smart_list_id,
    smart_list_name,
    static_list_id,
    static_list_name,
    updated_at,
)
from outhaul.lake.tables import LEADS as TABLE
from outhaul.protocol.answers import descriptions as answers
from outhaul.protocol.answers.envelope import Found
from outhaul.records.columns import Column, column_type
from outhaul.records.conversions import data_type

if TYPE_CHECKING:
    from outhaul.catalog.store import Catalog

ECIDS = "ecids"
"""The field with the Experience Cloud ids of a lead. It can be exported, but is not described."""

# The standard fields by which a live instance looks up leads, in the order of its answer.
_SEARCHABLE = (
    "cookies",
    "department",
    "email",
    "facebookId",
    "id",
    "leadPartitionId",
    "linkedInId",
    "sfdcAccountId",
    "sfdcContactId",
    "sfdcId",
    "sfdcLeadId",
    "sfdcLeadOwnerId",
    "sfdcOpptyId",
    "twitterId",
)
_SEARCHABLE_TYPES = ("string", "email", "integer")
"""The types of custom fields by which a live instance looks up leads."""

_FILTERS = (
    created_at("createdAt"),
    # Not the field `updatedAt`, which only changes of standard fields update (bulk lead extract,
    # filters).
    updated_at("Leads"),
    static_list_id("staticListId"),
    static_list_name("staticListName"),
    smart_list_id("smartListId"),
    smart_list_name("smartListName"),
)


def lead_columns(context: Context) -> Mapping[str, pl.DataType]:
    """Return the lead fields that a request may name, and their types."""
    fields = {
        name: column_type(entry.data_type) for name, entry in context.catalog.lead_fields().items()
    }
    return {**fields, ECIDS: pl.String()} if context.limits.ecids else fields


def _loadable(catalog: "Catalog") -> Iterable[Column]:
    yield Column(name="id", type=pl.Int64(), required=True, positive=True)
    for name, entry in catalog.lead_fields().items():
        if name not in {"id", ECIDS}:
            of = column_type(entry.data_type)
            yield Column(name=name, type=of, inferred=entry.inferred)
    yield Column(name=ECIDS, type=pl.String())


def _inferred(catalog: "Catalog", found: Mapping[str, pl.DataType]) -> Entries:
    """Return catalog entries of inferred fields, in the form of `describe.json`."""
    known = catalog.lead_fields()
    free = max(entry.id for entry in known.values()) + 1
    ids = {
        name: known[name].id if name in known else free + n
        for n, name in enumerate(found)
        if name not in known or known[name].inferred
    }
    return Entries(
        lead_fields=tuple(
            LeadField(
                id=number,
                name=name,
                display_name=name,
                data_type=data_type(found[name]),
                description={
                    "id": number,
                    "displayName": name,
                    "dataType": data_type(found[name]),
                    "rest": {"name": name, "readOnly": False},
                    INFERRED: True,
                },
            )
            for name, number in ids.items()
        )
    )


def describe(query: DescribeQuery) -> Found:
    """List lead fields, with their names in the API."""
    return Found([described_field(entry) for entry in _described(query).values()])


def _described(query: DescribeQuery) -> Mapping[str, LeadField]:
    """Return lead fields with the types of the columns that the table of leads has."""
    columns = query.columns(TABLE)
    return {
        name: replace(entry, data_type=shown_type(entry.data_type, columns.get(name)))
        for name, entry in query.catalog.lead_fields().items()
    }


def describe2(query: DescribeQuery) -> Found:
    """List lead fields, and the fields by which leads can be looked up."""
    known = query.catalog.lead_fields()
    lead = {
        "name": "API Lead",
        "searchableFields": [[name] for name in searchable(known)],
        "fields": [described_again(entry) for entry in _described(query).values()],
    }
    return Found([lead])


def searchable(fields: Mapping[str, LeadField]) -> list[str]:
    """Return the names of the fields by which leads can be looked up.

    They are some standard fields, and the custom fields of some types. `fields` has all lead
    fields, by name.
    """
    standard = {entry.name for entry in standard_entries().lead_fields}
    own = [
        name
        for name, entry in fields.items()
        if name not in standard and entry.data_type in _SEARCHABLE_TYPES
    ]
    return [*(name for name in _SEARCHABLE if name in fields), *own]


def described_field(entry: LeadField) -> dict[str, Any]:
    """Return a lead field as `leads/describe.json` shows it."""
    shown = {
        "id": entry.id,
        "displayName": entry.display_name,
        "dataType": entry.data_type,
        "rest": {"name": entry.name, "readOnly": False},
        **entry.description,
    } | {"dataType": entry.data_type}
    return {name: value for name, value in shown.items() if value is not None and name != INFERRED}


def described_again(entry: LeadField) -> dict[str, Any]:
    """Return a lead field as `leads/describe2.json` shows it."""
    description = described_field(entry)
    shown: dict[str, Any] = {
        "name": entry.name,
        "displayName": entry.display_name,
        "dataType": entry.data_type,
        "updateable": not description["rest"].get("readOnly", False),
        "crmManaged": False,
    }
    return shown if "length" not in description else {**shown, "length": description["length"]}


LEADS = Kind(
    name="leads",
    plural="leads",
    path="leads",
    permissions=frozenset({"Read-Only Lead", "Read-Write Lead"}),
    filters=_FILTERS,
    rule=exactly_one_of(_FILTERS),
    fields=lead_columns,
    fields_example="id,email,createdAt",
    extract_help="""Extract leads, by one filter: created, updated, or on a list.

    Example: `outhaul extract leads --fields id,email,updatedAt
    --created-at 2026-01-01T00:00:00Z/2026-01-31T23:59:59Z --output leads.csv`
    """,
    load_help="""Load leads; they merge by id.

    Example: `outhaul load leads leads.csv --data ./data --infer-fields`
    """,
    loading=Loading(
        table=TABLE,
        columns=_loadable,
        inferring=Inferring(
            help="Add columns that the catalog does not know, as new fields.",
            entries=_inferred,
        ),
    ),
    descriptions=(
        Description(path="/rest/v1/leads/describe.json", find=describe, result=answers.LeadField),
        Description(
            path="/rest/v1/leads/describe2.json", find=describe2, result=answers.RecordDescription
        ),
    ),
)
