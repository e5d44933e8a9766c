"""What records are made of: lead fields and activity types; companies and accounts, of nothing."""

from collections.abc import Mapping
from typing import Any

from outhaul.api.lookups.answering import Lookup, Query, allowed
from outhaul.catalog import entries
from outhaul.catalog.built_in import standard_entries
from outhaul.protocol.answers.descriptions import ActivityType, LeadField, RecordDescription
from outhaul.protocol.answers.envelope import Found, Success
from outhaul.protocol.parameters import OFFSET

# By these the original finds leads without a custom field, in the order of its answer.
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
"""The types of the custom fields that it finds leads by."""


def activity_types(query: Query) -> Found:
    """List the types of activities, from `offset` on."""
    types = list(query.catalog.activity_types().values())
    return Found([described_type(entry) for entry in types[query.offset() :]])


def describe(query: Query) -> Found:
    """List the fields of leads, with the names that they have in both APIs."""
    return Found([described_field(entry) for entry in query.catalog.lead_fields().values()])


def describe2(query: Query) -> Found:
    """List the fields of leads, and those that leads can be looked up by."""
    fields = query.catalog.lead_fields()
    lead = {
        "name": "API Lead",
        "searchableFields": [[name] for name in searchable(fields)],
        "fields": [described_again(entry) for entry in fields.values()],
    }
    return Found([lead])


def nothing(query: Query) -> Found:  # noqa: ARG001 - there is nothing, whoever asks for whatever
    """List nothing: outhaul keeps no such records."""
    return Found([])


def searchable(fields: Mapping[str, entries.LeadField]) -> list[str]:
    """Return the names of the fields that leads can be looked up by: some, and those of one's own.

    `fields` are all fields of leads, by name.
    """
    standard = {entry.name for entry in standard_entries().lead_fields}
    own = [
        name
        for name, entry in fields.items()
        if name not in standard and entry.data_type in _SEARCHABLE_TYPES
    ]
    return [*(name for name in _SEARCHABLE if name in fields), *own]


def described_type(entry: entries.ActivityType) -> dict[str, Any]:
    """Return an activity type as `activities/types.json` shows it; not all have a primary one."""
    shown = {"id": entry.id, "name": entry.name, "attributes": [], **entry.description}
    return {name: value for name, value in shown.items() if value is not None}


def described_field(entry: entries.LeadField) -> dict[str, Any]:
    """Return a lead field as `leads/describe.json` shows it."""
    shown = {
        "id": entry.id,
        "displayName": entry.display_name,
        "dataType": entry.data_type,
        "rest": {"name": entry.name, "readOnly": False},
        **entry.description,
    }
    return {name: value for name, value in shown.items() if value is not None}


def described_again(entry: entries.LeadField) -> dict[str, Any]:
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


FIELDS = (
    Lookup(
        path="/rest/v1/activities/types.json",
        permissions=allowed("Activity"),
        find=activity_types,
        parameters=(OFFSET,),
        result=ActivityType,
        envelope=Success,
    ),
    Lookup(
        path="/rest/v1/leads/describe.json",
        permissions=allowed("Lead"),
        find=describe,
        result=LeadField,
        envelope=Success,
    ),
    Lookup(
        path="/rest/v1/leads/describe2.json",
        permissions=allowed("Lead"),
        find=describe2,
        result=RecordDescription,
        envelope=Success,
    ),
    *(
        Lookup(
            path=f"/rest/v1/{records}/describe.json",
            permissions=allowed("Company", "Named Account"),
            find=nothing,
            result=RecordDescription,
            envelope=Success,
        )
        for records in ("companies", "namedaccounts")
    ),
)
