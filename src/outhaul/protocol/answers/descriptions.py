"""Answers of describe calls: the fields of records.

The server returns most of them as they were loaded into the catalog, so they may have members that
are not declared here. The client and the published description use these declarations.
"""

from pydantic import Field

from outhaul.protocol.answers.model import OpenAnswer


class RestName(OpenAnswer):
    """The name of a field in the REST API."""

    name: str


class LeadField(OpenAnswer):
    """A lead field."""

    id: int
    display_name: str
    data_type: str
    rest: RestName


class RecordField(OpenAnswer):
    """A field of a record."""

    name: str
    display_name: str
    data_type: str
    updateable: bool
    crm_managed: bool


class RecordDescription(OpenAnswer):
    """The fields of the records of a kind."""

    name: str
    searchable_fields: list[list[str]] = Field(
        default=[], description="Sets of fields by which records can be looked up."
    )
    fields: list[RecordField]


class CustomObjectDescription(OpenAnswer):
    """A custom object type."""

    api_name: str
    display_name: str
    id_field: str
    fields: list[RecordField]


class ActivityType(OpenAnswer):
    """An activity type."""

    id: int
    name: str
