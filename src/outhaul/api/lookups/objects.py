"""What program members and custom objects are made of."""

from collections.abc import Mapping
from typing import Any

from outhaul.api.lookups.answering import Lookup, Page, Query, allowed
from outhaul.catalog.objects import OWN_FIELDS, CustomObjectType, MemberField
from outhaul.errors import Error

_MEMBERS = "API Program Membership"

# When the original came to have such an object: what it says where a declaration does not.
_SINCE = "2021-01-01T00:00:00Z"

_SEARCHABLE = ("leadId", "statusName", "reachedSuccess")


def members(query: Query) -> Page:
    """List the fields of program members."""
    return Page(result=[{"name": _MEMBERS, "fields": _fields(query)}])


def members_again(query: Query) -> Page:
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
    return Page(result=[described])


def custom_object_types(query: Query) -> Page:
    """List the custom object types: those that `names` has, or all."""
    known = query.catalog.custom_object_types()
    names = query.names("names")
    return Page(
        result=[
            described_object(entry) for name, entry in known.items() if not names or name in names
        ]
    )


def custom_object_type(query: Query) -> Page:
    """Describe one custom object type. Raises 1003 with the names that there are."""
    name = query.path_text("customObjectName")
    known = query.catalog.custom_object_types()
    if name not in known:
        raise Error.INVALID(
            parameter="customObjectName",
            problem=f"there is no custom object type '{name}'; "
            f"there are {', '.join(known) or 'none'}",
        )
    return Page(result=[described_object(known[name])])


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
        path="/rest/v1/program/members/describe.json", permissions=allowed("Lead"), find=members
    ),
    Lookup(
        path="/rest/v1/programs/members/describe.json",
        permissions=allowed("Lead"),
        find=members_again,
    ),
    Lookup(
        path="/rest/v1/customobjects.json",
        permissions=allowed("Custom Object"),
        find=custom_object_types,
        parameters=("names",),
    ),
    Lookup(
        path="/rest/v1/customobjects/{customObjectName}/describe.json",
        permissions=allowed("Custom Object"),
        find=custom_object_type,
    ),
)
