"""Declarations of the describe calls of a kind, which `outhaul.api` answers."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import polars as pl

from outhaul.catalog.objects import INFERRED
from outhaul.lake.tables import Table
from outhaul.protocol.answers.envelope import Found
from outhaul.protocol.parameters import Parameter
from outhaul.records.columns import column_type
from outhaul.records.conversions import data_type as data_type_of

if TYPE_CHECKING:
    from outhaul.catalog.store import Catalog


class DescribeQuery(Protocol):
    """The catalog and the parameters of a describe call.

    The methods raise `ApiError` if a parameter has a wrong type.
    """

    @property
    def catalog(self) -> "Catalog":
        """The catalog of the caller's subscription."""

    def columns(self, table: Table, /) -> Mapping[str, pl.DataType]:
        """Return the types of the columns that a table has; nothing if it cannot be read."""

    def offset(self) -> int:
        """Return the number of entries before the page."""

    def names(self, name: str, /) -> list[str]:
        """Return the names in a parameter, an empty list if it is missing."""

    def path_text(self, name: str, /) -> str:
        """Return a name in the path."""


@dataclass(frozen=True, kw_only=True)
class Description:
    """A describe call. The caller needs one of the permissions of the kind."""

    path: str
    find: Callable[[DescribeQuery], Found]
    """Finds the result. Its docstring is the summary in the API description."""
    result: Any
    """The declared answer (`outhaul.protocol.answers`) for each entry of the result."""
    parameters: tuple[Parameter, ...] = ()
    """All parameters that `find` reads, in the path and the query."""


def shown_type(declared: str, stored: pl.DataType | None) -> str:
    """Return the `dataType` of a field. The type of its column, if it differs, is what counts."""
    if stored is None or stored == column_type(declared):
        return declared
    return data_type_of(stored)


def described_field(name: str, data_type: str, declared: Mapping[str, Any]) -> dict[str, Any]:
    """Return a field as most describe calls show it. Members in `declared` replace the defaults."""
    shown = {
        "name": name,
        "displayName": name,
        "dataType": data_type,
        "updateable": True,
        "crmManaged": False,
        **declared,
    }
    shown["dataType"] = data_type
    return {key: value for key, value in shown.items() if value is not None and key != INFERRED}
