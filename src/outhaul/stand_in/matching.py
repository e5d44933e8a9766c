"""Matching of JSON values, for the journal."""

from collections.abc import Mapping
from typing import Any


def is_subset(wanted: Any, found: Any) -> bool:  # noqa: ANN401 - any JSON values
    """Return whether a JSON value has all that a `wanted` one has.

    An object must have the wanted members; others do not matter. An array must have the wanted
    elements, in any order; others do not matter. Any other value must be equal. Raises
    `RecursionError` if the wanted value is nested too deeply.
    """
    if isinstance(wanted, Mapping):
        return isinstance(found, Mapping) and all(
            name in found and is_subset(value, found[name]) for name, value in wanted.items()
        )
    if isinstance(wanted, list):
        return isinstance(found, list) and all(
            any(is_subset(value, each) for each in found) for value in wanted
        )
    # In Python, true is equal to 1.
    return isinstance(wanted, bool) == isinstance(found, bool) and bool(wanted == found)
