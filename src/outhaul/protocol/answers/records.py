"""Answers with leads and activities."""

from typing import Annotated, Literal, TypeAlias

from pydantic import Field, WithJsonSchema

from outhaul.protocol.answers.model import Answer, Instant, OpenAnswer

AttributeValue: TypeAlias = Annotated[
    str | int | float | bool | None,
    WithJsonSchema({"type": ["string", "number", "boolean", "null"]}),
]


class Membership(Answer):
    """The membership of a lead in a program. Members without a value are absent."""

    acquired_by: bool | None = None
    is_exhausted: bool | None = None
    membership_date: str
    nurture_cadence: str | None = None
    progression_status: str
    reached_success: bool | None = None
    stream: str | None = None
    updated_at: Instant | None = None


class Lead(OpenAnswer):
    """A lead, with the fields that the call names. A field without a value is null."""

    id: int


class ProgramLead(Lead):
    """A member of a program as a lead, with its membership."""

    membership: Membership


class ProgramMember(OpenAnswer):
    """A member of a program, with the fields that the call names."""

    seq: int = Field(description="The position of the record on its page, from 0 on.")
    lead_id: int


class CustomObject(OpenAnswer):
    """A custom object, with the fields that the call names. A field without a value is null."""

    seq: int = Field(description="The position of the record on its page, from 0 on.")
    marketo_guid: str = Field(alias="marketoGUID")


class ProgramMembership(Membership):
    """The membership of a lead in the program with this id."""

    id: int


class ListMembership(Answer):
    """The membership of a lead in a static list. The dates are those of the list."""

    list_id: int
    created_at: Instant
    updated_at: Instant


class SkipReason(Answer):
    """Why a lead was skipped."""

    code: str
    message: str


class MemberStatus(Answer):
    """Whether a lead is on a static list."""

    id: int
    status: Literal["memberof", "notmemberof", "skipped"]
    reasons: list[SkipReason] | None = None


class Unstored(OpenAnswer):
    """A record or asset of a type that outhaul does not store. No answer has one."""


class Attribute(Answer):
    """An attribute of an activity. A list or an object is given as a JSON text."""

    name: str
    value: AttributeValue


class _Activity(Answer):
    id: int = Field(description="The marketoGUID if that is an integer, else a digest of it.")
    marketo_guid: str = Field(alias="marketoGUID")
    lead_id: int
    activity_date: Instant
    activity_type_id: int
    campaign_id: int | None = None


class Activity(_Activity):
    """An activity. Members without a value are absent."""

    primary_attribute_value_id: int | None = None
    primary_attribute_value: str | None = None
    attributes: list[Attribute]


class FieldChange(Answer):
    """The change of one field of a lead. An empty text means no value."""

    id: int
    name: str
    new_value: str
    old_value: str | None = None


class LeadChange(_Activity):
    """A new lead, or a change of a field that the call names."""

    fields: list[FieldChange]
    attributes: list[Attribute]
