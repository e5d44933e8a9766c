"""What records are made of, as look-ups describe it.

Most of these are shown as they were loaded into the catalog, so that all of them are open. They are
declared for the client and for the published description; the server does not build them.
"""

from pydantic import Field

from outhaul.protocol.answers.model import OpenAnswer


class RestName(OpenAnswer):
    """How the REST API names a field."""

    name: str


class LeadField(OpenAnswer):
    """A field of leads."""

    id: int
    display_name: str
    data_type: str
    rest: RestName


class RecordField(OpenAnswer):
    """A field of records."""

    name: str
    display_name: str
    data_type: str
    updateable: bool
    crm_managed: bool


class RecordDescription(OpenAnswer):
    """The fields of a sort of records."""

    name: str
    searchable_fields: list[list[str]] = Field(
        default=[], description="The sets of fields that records can be looked up by."
    )
    fields: list[RecordField]


class CustomObjectDescription(OpenAnswer):
    """A custom object type."""

    api_name: str
    display_name: str
    id_field: str
    fields: list[RecordField]


class ActivityType(OpenAnswer):
    """A type of activities."""

    id: int
    name: str
