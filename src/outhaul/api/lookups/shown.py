"""Records of the lake as answers show them, with the fields that a call names."""

from collections.abc import Container, Mapping, Sequence
from datetime import date, datetime
from typing import Any

from outhaul.api.lookups.query import Query
from outhaul.errors import Error
from outhaul.protocol.instants import render_instant
from outhaul.records.numbers import whole_number


def named_fields(query: Query, known: Container[str], default: Sequence[str]) -> list[str]:
    """Return the fields that a call names, or the default. Raises 1006 for an unknown field."""
    names = query.texts("fields") or [name for name in default if name in known]
    for name in names:
        if name not in known:
            raise Error.FIELD_UNKNOWN(field=name)
    return list(dict.fromkeys(names))


def shown(record: Mapping[str, Any], fields: Sequence[str]) -> dict[str, Any]:
    """Return some fields of a record, in a form that JSON has. A missing value is null."""
    return {name: shown_value(record.get(name)) for name in fields}


def shown_value(value: Any) -> Any:  # noqa: ANN401 - a field may be of any type
    """Return a value in a form that JSON has."""
    if isinstance(value, datetime):
        return render_instant(value)
    if isinstance(value, float):
        return whole_number(value)
    return value.isoformat() if isinstance(value, date) else value
