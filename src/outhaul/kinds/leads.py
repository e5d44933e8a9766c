"""Leads (bulk lead extract): exactly one filter, and the fields that the catalog has."""

from collections.abc import Mapping

import polars as pl

from outhaul.kinds.filters import (
    EXACTLY_ONE,
    exactly_one_of,
    smart_list_id,
    smart_list_name,
    static_list_id,
    static_list_name,
    window,
)
from outhaul.kinds.kind import Context, Kind
from outhaul.lake.tables import CHANGED_AT, column_type
from outhaul.lake.tables import LEADS as TABLE

ECIDS = "ecids"
"""The Experience Cloud ids of a lead: exported on request, but no field of the catalog."""

_FILTERS = (
    window("createdAt", "createdAt"),
    # Not the visible field, which only standard fields move (bulk lead extract, filters).
    window("updatedAt", CHANGED_AT, needs_setting="updated_at_filter"),
    static_list_id("staticListId"),
    static_list_name("staticListName"),
    smart_list_id("smartListId"),
    smart_list_name("smartListName"),
)


def lead_columns(context: Context) -> Mapping[str, pl.DataType]:
    """Return the fields of leads that may be asked for, and their types."""
    fields = {
        name: column_type(entry.data_type) for name, entry in context.catalog.lead_fields().items()
    }
    return {**fields, ECIDS: pl.String()} if context.limits.ecids else fields


LEADS = Kind(
    name="leads",
    path="leads",
    permissions=frozenset({"Read-Only Lead", "Read-Write Lead"}),
    table=TABLE,
    filters=_FILTERS,
    check=exactly_one_of(_FILTERS),
    rule_shape=EXACTLY_ONE,
    fields=lead_columns,
)
