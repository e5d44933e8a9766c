"""The shapes of values in requests, as JSON Schema; `outhaul.protocol.body` reads such values.

The published description of the API shows these shapes. A value of the right shape may still be
refused: whether a list exists, or how long a window may be, depends on the subscription.
"""

from collections.abc import Mapping
from typing import Any

Shape = Mapping[str, Any]
"""A JSON Schema (2020-12)."""

BOOLEAN: Shape = {"type": "boolean"}
INTEGER: Shape = {"type": "integer", "format": "int64"}
WRITTEN_INTEGER: Shape = {
    "type": ["integer", "string"],
    "format": "int64",
    "pattern": r"^\s*[+-]?[0-9]+(\.0+)?\s*$",
}
"""An integer in JSON, or its text, which some clients send instead."""
WRITTEN_BOOLEAN: Shape = {
    "type": ["boolean", "string"],
    "pattern": r"^\s*([Tt][Rr][Uu][Ee]|[Ff][Aa][Ll][Ss][Ee]|1|0)\s*$",
}
"""A boolean in JSON, or its text."""
TEXT: Shape = {"type": "string", "minLength": 1}
INSTANT: Shape = {
    "type": "string",
    "description": "ISO 8601, to the second; UTC if it has no offset.",
    "examples": ["2026-01-31T23:59:59Z"],
}
WINDOW: Shape = {
    "type": "object",
    "description": "A window of time. It includes both ends, at the precision of a second.",
    "required": ["startAt", "endAt"],
    "properties": {"startAt": INSTANT, "endAt": INSTANT},
}


def array_of(shape: Shape, *, at_most: int | None = None) -> Shape:
    """Return the shape of an array of at least one value, and at most `at_most` values."""
    array = {"type": "array", "items": shape, "minItems": 1}
    return array if at_most is None else {**array, "maxItems": at_most}


def described(shape: Shape, description: str) -> Shape:
    """Return a shape with a description of the meaning of the value."""
    return {**shape, "description": description}


def one_of(*names: str, description: str) -> Shape:
    """Return the shape of a text that is one of these names."""
    return {"type": "string", "enum": list(names), "description": description}
