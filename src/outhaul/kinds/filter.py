"""What a filter is, what the rule over several filters is, and what their meaning depends on."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from outhaul.kinds.options import Option
from outhaul.lake.clauses import Clause
from outhaul.protocol.shapes import Shape

if TYPE_CHECKING:
    # A client's command reads the declarations of kinds, and has no catalog.
    from outhaul.catalog.store import Catalog
    from outhaul.settings import Limits


@dataclass(frozen=True, kw_only=True)
class Context:
    """What the meaning of a request depends on, apart from the request."""

    catalog: "Catalog"
    limits: "Limits"
    moment: datetime
    """Now, for rules that speak of the past."""


@dataclass(frozen=True, kw_only=True)
class Filter:
    """A filter type: how its value is read from a request, and what it asks of a record."""

    name: str
    shape: Shape
    """The JSON Schema of the value, for the published description."""
    read: Callable[[object, str, Context], Any]
    """Takes the value, the name of its parameter and the context. Returns the value as the job
    stores it, plain data. Raises `ApiError`."""
    clause: Callable[[Mapping[str, Any], Context], Clause]
    """Takes all filters of a request, as they are stored. Returns what this one asks."""
    option: Option | None = None
    """Its option of `outhaul extract`, if it has one."""


def no_check(filters: Mapping[str, Any]) -> None:
    """Accept any filters."""


@dataclass(frozen=True, kw_only=True)
class Rule:
    """The rule over all filters of a request."""

    check: Callable[[Mapping[str, Any], Context], None]
    """Takes the filters as they are stored. Raises `ApiError`."""
    shape: Shape = field(default_factory=dict)
    """As much of the rule as JSON Schema can say, for the published description."""
    check_options: Callable[[Mapping[str, Any]], None] = no_check
    """As much of the rule as `outhaul extract` checks before it calls the endpoint.

    Takes the filters of the request. Raises `FiltersError`.
    """


class FiltersError(ValueError):
    """Filters on the command line do not fit together; `filters` are the names of those meant."""

    def __init__(self, problem: str, *filters: str) -> None:
        super().__init__(problem)
        self.filters = filters
