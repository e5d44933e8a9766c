"""How files become records of a table, as a kind declares it; `outhaul.loading` does it."""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import polars as pl

from outhaul.catalog.entries import Entries
from outhaul.lake.tables import Table

if TYPE_CHECKING:
    from outhaul.catalog.store import Catalog


@dataclass(frozen=True, kw_only=True)
class Column:
    """What a column of a file may hold."""

    name: str
    type: pl.DataType
    required: bool = False
    positive: bool = False
    members: Collection[int] | None = None
    """The only values that exist, where the catalog knows them."""
    members_of: str = ""
    """What those values are, for the reason why another value does not fit."""
    json_object: bool = False
    """Whether a value is the text of a JSON object."""


@dataclass(frozen=True, kw_only=True)
class Inferring:
    """Columns that the catalog does not know are taken in, where `--infer-fields` says so."""

    help: str
    """The help of `--infer-fields`."""
    entries: Callable[["Catalog", Mapping[str, pl.DataType]], Entries]
    """Takes the new columns and their types. Returns what the catalog stores of them."""


@dataclass(frozen=True, kw_only=True)
class Noting:
    """The catalog learns the different values that some columns have together."""

    columns: tuple[str, ...]
    store: Callable[["Catalog", Collection[tuple[Any, ...]]], None]


@dataclass(frozen=True, kw_only=True)
class Deleting:
    """Some records say that a lead is deleted."""

    condition: pl.Expr
    lead: str
    """The column that holds the lead's id."""
    moment: str
    """The column that says when the lead was deleted."""


@dataclass(frozen=True, kw_only=True)
class Loading:
    """How files become records of a table."""

    table: Table
    columns: Callable[["Catalog"], Iterable[Column]]
    """The columns that a file may have."""
    inferring: Inferring | None = None
    noting: Noting | None = None
    deleting: Deleting | None = None
