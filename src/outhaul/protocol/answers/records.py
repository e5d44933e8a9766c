"""Leads and activities as look-ups show them."""

from typing import Annotated, TypeAlias

from pydantic import Field, WithJsonSchema

from outhaul.protocol.answers.model import Answer, Instant, OpenAnswer

AttributeValue: TypeAlias = Annotated[
    str | int | float | bool | None,
    WithJsonSchema({"type": ["string", "number", "boolean", "null"]}),
]


class Lead(OpenAnswer):
    """A lead: the fields that the call names, null where the lead has no value."""

    id: int


class Attribute(Answer):
    """An attribute of an activity. Lists and objects are shown as their text."""

    name: str
    value: AttributeValue


class _Activity(Answer):
    id: int = Field(description="The marketoGUID where that is an integer, else a digest of it.")
    marketo_guid: str = Field(alias="marketoGUID")
    lead_id: int
    activity_date: Instant
    activity_type_id: int
    campaign_id: int | None = None


class Activity(_Activity):
    """An activity, without the members that it has no value for."""

    primary_attribute_value_id: int | None = None
    primary_attribute_value: str | None = None
    attributes: list[Attribute]


class FieldChange(Answer):
    """The change of one field of a lead. An empty text stands for no value."""

    id: int
    name: str
    new_value: str
    old_value: str | None = None


class LeadChange(_Activity):
    """A new lead, or a change of one of the fields that the call names."""

    fields: list[FieldChange]
    attributes: list[Attribute]
