"""Declarations of filters, and of the rule over all filters of a request."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from outhaul.kinds.options import Option
from outhaul.lake.clauses import Clause
from outhaul.protocol.shapes import Shape

if TYPE_CHECKING:
    # `outhaul extract` reads declarations of kinds, and has no catalog.
    from outhaul.catalog.store import Catalog
    from outhaul.limits import Limits


@dataclass(frozen=True, kw_only=True)
class Context:
    """What a request is read with: the catalog, the limits, and the current time."""

    catalog: "Catalog"
    limits: "Limits"
    moment: datetime
    """The current time, for rules about periods that end now."""


@dataclass(frozen=True, kw_only=True)
class Filter:
    """A filter type: how its value is read, and which clause it becomes."""

    name: str
    shape: Shape
    """The JSON Schema of the value, for the API description."""
    read: Callable[[object, str, Context], Any]
    """Checks a value. Arguments: the value, the name of its parameter, the context. Returns the
    value that the job stores, as plain data. Raises `ApiError`."""
    clause: Callable[[Mapping[str, Any], Context], Clause]
    """Returns the clause of this filter. Arguments: all stored filters, the context."""
    option: Option | None = None
    """The option of `outhaul extract` for this filter, if any."""


def no_check(filters: Mapping[str, Any]) -> None:
    """Accept any filters."""


@dataclass(frozen=True, kw_only=True)
class Rule:
    """The rule over all filters of a request."""

    check: Callable[[Mapping[str, Any], Context], None]
    """Checks the stored filters of a request. Raises `ApiError`."""
    shape: Shape = field(default_factory=dict)
    """The rule as far as JSON Schema can express it, for the API description."""
    check_options: Callable[[Mapping[str, Any]], None] = no_check
    """Checks the rule as far as `outhaul extract` can before it calls the endpoint.

    The argument is the filters of the request. Raises `FiltersError`.
    """


class FiltersError(ValueError):
    """Filters on the command line cannot be combined. `filters` names those concerned."""

    def __init__(self, problem: str, *filters: str) -> None:
        super().__init__(problem)
        self.filters = filters
