"""Leads (bulk lead extract): exactly one filter, and the fields that the catalog has."""

from collections.abc import Mapping
from typing import Any

import polars as pl

from outhaul.errors import Error
from outhaul.kinds.filters import static_list_id, static_list_name, unsupported, window
from outhaul.kinds.kind import Context, Kind
from outhaul.lake.load.loads import ECIDS
from outhaul.lake.tables import CHANGED_AT, column_type
from outhaul.lake.tables import LEADS as TABLE

_FILTERS = (
    window("createdAt", "createdAt"),
    # Not the visible field, which only standard fields move (bulk lead extract, filters).
    window("updatedAt", CHANGED_AT, needs_setting="updated_at_filter"),
    static_list_id("staticListId"),
    static_list_name("staticListName"),
    unsupported("smartListId"),
    unsupported("smartListName"),
)


def _check(filters: Mapping[str, Any], _: Context) -> None:
    if len(filters) != 1:
        expected = ", ".join(entry.name for entry in _FILTERS)
        raise Error.INVALID(
            parameter="filter",
            problem=f"expected exactly one of {expected}; got {', '.join(filters) or 'none'}",
        )


def _fields(context: Context) -> Mapping[str, pl.DataType]:
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
    check=_check,
    fields=_fields,
)
