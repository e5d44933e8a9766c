"""Declarations for loading, which `outhaul.loading` carries out."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import polars as pl

from outhaul.catalog.entries import Entries
from outhaul.lake.tables import Table
from outhaul.records.columns import Column

if TYPE_CHECKING:
    from outhaul.catalog.store import Catalog


@dataclass(frozen=True, kw_only=True)
class Inferring:
    """Loading of columns that the catalog does not know, with `--infer-fields`."""

    help: str
    """The help of `--infer-fields`."""
    entries: Callable[["Catalog", Mapping[str, pl.DataType]], Entries]
    """Returns the catalog entries of columns that are new, or whose inferred type has changed.

    Arguments: the catalog, the columns' types.
    """


@dataclass(frozen=True, kw_only=True)
class Noting:
    """Storing of values in the catalog: the distinct combinations of values in some columns."""

    columns: tuple[str, ...]
    store: Callable[["Catalog", Collection[tuple[Any, ...]]], None]
    """Stores the combinations in the catalog."""


@dataclass(frozen=True, kw_only=True)
class Deleting:
    """Deletion of leads by some of the loaded records."""

    condition: pl.Expr
    """True of a record that deletes a lead."""
    lead: str
    """The column with the lead's id."""
    moment: str
    """The column with the time of the deletion."""


@dataclass(frozen=True, kw_only=True)
class Merging:
    """Merging of leads by some of the loaded records."""

    condition: pl.Expr
    """True of a record that says that leads were merged into another."""
    winner: str
    """The column with the id of the other lead."""
    losers: str
    """The column that says which leads were merged into it."""
    read: Callable[[str | None], Sequence[int]]
    """Returns the ids that a value of `losers` has. Raises `ValueError` if it has none."""
    moment: str
    """The column with the time of the merge."""
    name: str
    """The column that identifies the record in messages."""


@dataclass(frozen=True, kw_only=True)
class Loading:
    """How files are loaded into a table."""

    table: Table
    columns: Callable[["Catalog"], Iterable[Column]]
    """The columns that a file may have."""
    inferring: Inferring | None = None
    noting: Noting | None = None
    deleting: Deleting | None = None
    merging: Merging | None = None
    stand_ins: Mapping[str, str] = field(default_factory=dict)
    """Texts that exports write instead of null, by field. Loading one again keeps the null."""
    of_leads: Callable[["Catalog"], Collection[str]] | None = None
    """Columns that exports of the kind may have, and that leads are loaded with.

    A file may have them, but they are not loaded with these records.
    """
