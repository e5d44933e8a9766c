"""The fields of a kind with their types, from the describe calls of the endpoint."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import Field

from outhaul.client.answers import read
from outhaul.client.errors import AnswerError, HttpError, ProtocolError
from outhaul.client.session import Session
from outhaul.protocol.answers.model import Answer

ACTIVITY_FIELDS: Mapping[str, str] = {
    "marketoGUID": "string",
    "leadId": "integer",
    "activityDate": "datetime",
    "activityTypeId": "integer",
    "campaignId": "integer",
    "primaryAttributeValueId": "integer",
    "primaryAttributeValue": "string",
    "attributes": "string",
    "actionResult": "string",
}
"""The fields of activities. The protocol fixes them, so that no call describes them."""

_FIXED: Mapping[str, Mapping[str, str]] = {
    "leads": {"id": "integer", "createdAt": "datetime", "updatedAt": "datetime"},
    "program/members": {
        "programId": "integer",
        "leadId": "integer",
        "isExhausted": "boolean",
        "createdAt": "datetime",
        "updatedAt": "datetime",
    },
}
_FIXED_OF_OBJECTS = {"marketoGUID": "string", "createdAt": "datetime", "updatedAt": "datetime"}
"""Fields that an endpoint may leave out of a description."""


class _Rest(Answer):
    name: str


class _LeadField(Answer):
    data_type: str = "string"
    rest: _Rest | None = None
    """It is missing for a field that only SOAP has."""


class _Field(Answer):
    name: str
    data_type: str = "string"


class _Record(Answer):
    fields: list[_Field] = Field(default=[])


@dataclass(frozen=True, kw_only=True)
class ActivityType:
    """An activity type: its attributes by name, with the `dataType` of each."""

    id: int
    name: str
    attributes: Mapping[str, str]


class _Attribute(Answer):
    name: str
    data_type: str = "string"


class _ActivityType(Answer):
    id: int
    name: str = ""
    attributes: list[_Attribute] | None = None


def field_types(session: Session, kind_path: str) -> dict[str, str]:
    """Return the `dataType` of each field that an export of a kind may have, by its name.

    `kind_path` is `leads`, `activities`, `program/members`, `customobjects/<name>`, or the path of
    a kind whose describe call has the address `/rest/v1/<kind_path>/describe.json`. Members come
    with the fields of leads, which their exports may have too. Raises `ClientError`.
    """
    match kind_path:
        case "activities":
            return dict(ACTIVITY_FIELDS)
        case "leads":
            return {**_FIXED["leads"], **_lead_fields(session)}
        case "program/members":
            return {**field_types(session, "leads"), **member_types(session)}
        case _:
            described = _fields(session, f"/rest/v1/{kind_path}/describe.json")
            return {**_FIXED_OF_OBJECTS, **described}


def member_types(session: Session) -> dict[str, str]:
    """Return the `dataType` of each field of program members, without those of their leads.

    Raises `ClientError`.
    """
    own = _fields(session, "/rest/v1/programs/members/describe.json")
    return {**_FIXED["program/members"], **own}


def activity_types(session: Session) -> list[ActivityType]:
    """Return all activity types of an endpoint. Raises `ClientError`."""
    found: dict[int, ActivityType] = {}
    while True:
        # An endpoint that ignores the offset sends the same types again.
        entries = _result(session, "/rest/v1/activities/types.json", {"offset": len(found)})
        page = [read(_ActivityType, entry, "an activity type") for entry in entries]
        fresh = {
            each.id: ActivityType(
                id=each.id,
                name=each.name,
                attributes={one.name: one.data_type for one in each.attributes or ()},
            )
            for each in page
            if each.id not in found
        }
        if not fresh:
            return list(found.values())
        found.update(fresh)


def _lead_fields(session: Session) -> dict[str, str]:
    """Return the lead fields. Some endpoints have only the second of the two describe calls."""
    try:
        entries = _result(session, "/rest/v1/leads/describe.json")
    except (ProtocolError, HttpError):
        return _fields(session, "/rest/v1/leads/describe2.json")
    fields = [read(_LeadField, entry, "a lead field") for entry in entries]
    return {each.rest.name: each.data_type for each in fields if each.rest is not None}


def _fields(session: Session, path: str) -> dict[str, str]:
    records = [read(_Record, entry, "a description") for entry in _result(session, path)]
    return {field.name: field.data_type for record in records for field in record.fields}


def _result(
    session: Session, path: str, params: Mapping[str, str | int | list[str]] | None = None
) -> Sequence[Any]:
    result = session.call("GET", path, params).get("result") or []
    if not isinstance(result, list):
        raise AnswerError(f"the result of {path} is no list")
    return result
