"""Custom objects (bulk custom object extract): those of one type that belong to some leads."""

from collections.abc import Mapping
from typing import Any

import polars as pl

from outhaul.catalog.objects import CustomObjectType
from outhaul.errors import Error
from outhaul.kinds.filters import (
    EXACTLY_ONE,
    exactly_one_of,
    smart_list_id,
    smart_list_name,
    static_list_id,
    static_list_name,
    window,
)
from outhaul.kinds.kind import Context, Filter, Kind
from outhaul.lake.tables import CHANGED_AT, column_type, custom_objects

NAME = "custom-objects"
PATH = "customobjects/{apiName}"
PERMISSIONS = frozenset({"Read-Only Custom Object", "Read-Write Custom Object"})


def _filters(lead: str) -> tuple[Filter, ...]:
    """Return the filters; `lead` is the column that holds a lead's id."""
    return (
        window("updatedAt", CHANGED_AT, needs_setting="updated_at_filter"),
        static_list_id("staticListId", lead),
        static_list_name("staticListName", lead),
        smart_list_id("smartListId", lead),
        smart_list_name("smartListName", lead),
    )


def columns(declared: CustomObjectType) -> Mapping[str, pl.DataType]:
    """Return the fields of a type, and what they are kept as."""
    always = custom_objects(declared.api_name, lead=declared.lead_link).columns
    return {name: always.get(name, column_type(of)) for name, of in declared.fields.items()}


def _of_type(context: Context, api_name: str) -> Kind:
    """Return what the kind is for one type. Raises 1003 with the names that there are."""
    known = context.catalog.custom_object_types()
    declared = known.get(api_name)
    if declared is None:
        raise Error.INVALID(
            parameter="apiName",
            problem=f"there is no custom object type '{api_name}'; "
            f"there are {', '.join(known) or 'none'}",
        )
    lead = declared.lead_link
    filters = _filters(lead or "")
    exactly_one = exactly_one_of(filters)

    def check(given: Mapping[str, Any], context: Context) -> None:
        exactly_one(given, context)
        if lead is None and "updatedAt" not in given:
            raise Error.INVALID(
                parameter="filter",
                problem=f"records of '{api_name}' are not linked to leads by their id; "
                "the only filter is updatedAt",
            )

    return Kind(
        name=NAME,
        path=PATH,
        permissions=PERMISSIONS,
        table=custom_objects(api_name, lead=lead),
        filters=filters,
        check=check,
        rule_shape=EXACTLY_ONE,
        fields=lambda _: columns(declared),
    )


def _no_check(_filters: Mapping[str, Any], _context: Context) -> None:
    """Hold a request to nothing: only a type can be asked for."""


def _no_fields(_: Context) -> Mapping[str, pl.DataType]:
    return {}


CUSTOM_OBJECTS = Kind(
    name=NAME,
    path=PATH,
    permissions=PERMISSIONS,
    table=custom_objects("", lead=None),
    filters=_filters(""),
    check=_no_check,
    rule_shape=EXACTLY_ONE,
    fields=_no_fields,
    of_type=_of_type,
)
