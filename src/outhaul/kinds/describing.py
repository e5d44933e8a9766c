"""Describe calls: what records are made of, as a kind declares it; `outhaul.api` answers them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from outhaul.protocol.answers.envelope import Found
from outhaul.protocol.parameters import Parameter

if TYPE_CHECKING:
    from outhaul.catalog.store import Catalog


class DescribeQuery(Protocol):
    """A describe call. Its readers raise `ApiError` where a parameter is of a wrong type."""

    @property
    def catalog(self) -> "Catalog":
        """The catalog of the caller's subscription."""

    def offset(self) -> int:
        """Return how many entries come before the page."""

    def names(self, name: str, /) -> list[str]:
        """Return the names that a parameter has; none where it is missing."""

    def path_text(self, name: str, /) -> str:
        """Return a name that the path has."""


@dataclass(frozen=True, kw_only=True)
class Description:
    """A describe call. The caller needs one of the permissions of the kind."""

    path: str
    find: Callable[[DescribeQuery], Found]
    """Its docstring is the summary in the published description."""
    result: Any
    """The declared answer (`outhaul.protocol.answers`) that each entry of the result is."""
    parameters: tuple[Parameter, ...] = ()
    """What `find` reads of the path and the query; it can read no others."""


def described_field(name: str, data_type: str, declared: Mapping[str, Any]) -> dict[str, Any]:
    """Return a field of records as most describe calls show it; `declared` wins."""
    shown = {
        "name": name,
        "displayName": name,
        "dataType": data_type,
        "updateable": True,
        "crmManaged": False,
        **declared,
    }
    return {key: value for key, value in shown.items() if value is not None}
