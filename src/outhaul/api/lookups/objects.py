"""What program members and custom objects are made of."""

from collections.abc import Mapping
from typing import Any

from outhaul.api.lookups.answering import Lookup, Query, allowed
from outhaul.catalog.objects import OWN_FIELDS, CustomObjectType, MemberField
from outhaul.errors import Error
from outhaul.protocol.answers.descriptions import CustomObjectDescription, RecordDescription
from outhaul.protocol.answers.envelope import Found, Success
from outhaul.protocol.parameters import path_parameter, texts
from outhaul.protocol.shapes import TEXT

_MEMBERS = "API Program Membership"

# When the original came to have such an object: what it says where a declaration does not.
_SINCE = "2021-01-01T00:00:00Z"

_SEARCHABLE = ("leadId", "statusName", "reachedSuccess")


def members(query: Query) -> Found:
    """List the fields of program members."""
    return Found([{"name": _MEMBERS, "fields": _fields(query)}])


def members_again(query: Query) -> Found:
    """List the fields of program members, and those that members can be looked up by."""
    fields = _fields(query)
    names = {entry["name"] for entry in fields}
    described = {
        "name": _MEMBERS,
        "description": "API Program Membership Map",
        "createdAt": _SINCE,
        "updatedAt": _SINCE,
        "dedupeFields": ["leadId", "programId"],
        "searchableFields": [[name] for name in _SEARCHABLE if name in names],
        "fields": fields,
    }
    return Found([described])


def custom_object_types(query: Query) -> Found:
    """List the custom object types: those that `names` has, or all."""
    known = query.catalog.custom_object_types()
    names = query.names("names")
    return Found(
        [described_object(entry) for name, entry in known.items() if not names or name in names]
    )


def custom_object_type(query: Query) -> Found:
    """Describe one custom object type. Raises 1003 with the names that there are."""
    name = query.path_text("customObjectName")
    known = query.catalog.custom_object_types()
    if name not in known:
        raise Error.INVALID(
            parameter="customObjectName",
            problem=f"there is no custom object type '{name}'; "
            f"there are {', '.join(known) or 'none'}",
        )
    return Found([described_object(known[name])])


def described_object(entry: CustomObjectType) -> dict[str, Any]:
    """Return a custom object type as `describe.json` shows it, with all that it must have."""
    shown = {
        "apiName": entry.api_name,
        "displayName": entry.api_name,
        "pluralName": entry.description.get("displayName", entry.api_name),
        "description": "",
        "createdAt": _SINCE,
        "updatedAt": _SINCE,
        "idField": "marketoGUID",
        "dedupeFields": [],
        "searchableFields": [["marketoGUID"]],
        "relationships": [],
        "state": "approved",
        "status": "approved",
        "version": "approved",
        **{name: value for name, value in entry.description.items() if value is not None},
    }
    declared = {field["name"]: field for field in entry.description.get("fields", [])}
    shown["fields"] = [
        _field(name, of, declared.get(name, {"updateable": name not in OWN_FIELDS}))
        for name, of in entry.fields.items()
    ]
    return shown


def described_member_field(entry: MemberField) -> dict[str, Any]:
    """Return a field of program members as both descriptions show it."""
    return _field(entry.name, entry.data_type, entry.description)


def _fields(query: Query) -> list[dict[str, Any]]:
    return [described_member_field(entry) for entry in query.catalog.member_fields().values()]


def _field(name: str, data_type: str, declared: Mapping[str, Any]) -> dict[str, Any]:
    shown = {
        "name": name,
        "displayName": name,
        "dataType": data_type,
        "updateable": True,
        "crmManaged": False,
        **declared,
    }
    return {key: value for key, value in shown.items() if value is not None}


OBJECTS = (
    Lookup(
        path="/rest/v1/program/members/describe.json",
        permissions=allowed("Lead"),
        find=members,
        result=RecordDescription,
        envelope=Success,
    ),
    Lookup(
        path="/rest/v1/programs/members/describe.json",
        permissions=allowed("Lead"),
        find=members_again,
        result=RecordDescription,
        envelope=Success,
    ),
    Lookup(
        path="/rest/v1/customobjects.json",
        permissions=allowed("Custom Object"),
        find=custom_object_types,
        parameters=(texts("names", "Only the types that have one of these API names."),),
        result=CustomObjectDescription,
        envelope=Success,
    ),
    Lookup(
        path="/rest/v1/customobjects/{customObjectName}/describe.json",
        permissions=allowed("Custom Object"),
        find=custom_object_type,
        parameters=(path_parameter("customObjectName", TEXT, "The API name of a type."),),
        result=CustomObjectDescription,
        envelope=Success,
    ),
)
