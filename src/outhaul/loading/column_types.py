"""The type that each column of a file gets: that of the table, a wider one, or an inferred one.

A column of the table has one type for all its records. If a value does not fit it, the column is
widened (`outhaul.lake.widening`) to the type that the catalog declares, or, if its type was
inferred, to the narrowest type that fits. Otherwise the value is refused.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

import polars as pl

from outhaul.lake.snapshot import Snapshot
from outhaul.lake.tables import Table
from outhaul.lake.widening import fits, wider
from outhaul.records.columns import Column
from outhaul.records.conversions import data_type
from outhaul.records.fitting import Narrowest


@dataclass(frozen=True, kw_only=True)
class Decision:
    """The type of a field, if that is not simply the one that the catalog declares."""

    field: str
    type: pl.DataType
    widened: bool
    """Whether the type has changed. Otherwise the column has a type of earlier loads."""
    reason: str


class ColumnTypes:
    """The columns that a file may have, with their types."""

    def __init__(
        self, declared: Iterable[Column], table: Table, snapshot: Snapshot | None, *, infer: bool
    ) -> None:
        self._declared = {column.name: column for column in declared}
        self._table = table
        self._snapshot = snapshot
        self._infer = infer
        self.existing: Mapping[str, pl.DataType] = (
            table.columns if snapshot is None else snapshot.columns
        )
        """The columns of the table."""
        self.columns = {column.name: column for column in self._as_existing()}
        """The columns whose type is known, which a file may have."""
        self._wider = dict(self._find_wider())
        self._widening: set[str] = set()
        self._narrowest: dict[str, Narrowest] = {}

    def misfits(self, given: pl.DataFrame, fitted: pl.DataFrame) -> list[str]:
        """Return the columns to widen, because a value is null only after it was fitted."""
        found = [
            name
            for name in self._wider
            if name in fitted.columns and fitted[name].null_count() > given[name].null_count()
        ]
        for name in found:
            # A declared type that does not hold the values of the table cannot be given.
            if not self._is_inferred(name) and not self._holds_old(name, self._wider[name][0]):
                del self._wider[name]
        return [name for name in found if name in self._wider]

    def widen(self, names: Iterable[str]) -> None:
        """Give columns a wider type. The file must then be read from its beginning."""
        for name in names:
            self._widening.add(name)
            to = self._wider.pop(name)
            if self._is_inferred(name):
                del self.columns[name]
            else:
                self.columns[name] = replace(self.columns[name], type=to[0], hint="")

    def begin(self) -> None:
        """Forget the values of an earlier reading of the file."""
        self._narrowest = {}

    def look(self, given: pl.Series) -> None:
        """Take values of a column whose type is not known into account."""
        if given.name not in self._narrowest:
            of = self.existing.get(given.name)
            candidates = Narrowest.CANDIDATES if of is None else wider(of)
            self._narrowest[given.name] = Narrowest(candidates)
        self._narrowest[given.name].look(given)

    def settle(self) -> dict[str, pl.DataType]:
        """Return the types of the columns that were not known, at the end of the file."""
        return {
            name: found.type if self._holds_old(name, found.type) else pl.String()
            for name, found in self._narrowest.items()
        }

    @property
    def widening(self) -> Collection[str]:
        """The columns of the table that get a wider type."""
        return self._widening

    def inferred(self, final: Mapping[str, pl.DataType]) -> dict[str, pl.DataType]:
        """Return the columns that are new to the catalog. `final` has those of the file."""
        return {name: of for name, of in final.items() if name not in self._declared}

    def outdated(self, final: Mapping[str, pl.DataType]) -> dict[str, pl.DataType]:
        """Return the inferred columns whose type in the catalog is not that of the table."""
        now = {**self.existing, **final}
        return {
            name: now[name]
            for name, column in self._declared.items()
            if column.inferred and now.get(name, column.type) != column.type
        }

    def differences(self) -> Iterator[Decision]:
        """Yield the fields of which the catalog declares another type than the table has."""
        return self.decisions(
            {name: of for name, of in self.existing.items() if name in self._declared}
        )

    def decisions(self, final: Mapping[str, pl.DataType]) -> Iterator[Decision]:
        """Yield what was decided about columns of a file. `final` has their types."""
        for name, of in final.items():
            before, declared = self.existing.get(name), self._declared.get(name)
            if before is None or name in self._table.columns:
                continue
            if of != before:
                reason = f"it was {data_type(before)}, which does not hold every value of the file"
                yield Decision(field=name, type=of, widened=True, reason=reason)
            elif declared is not None and not declared.inferred and declared.type != of:
                yield Decision(
                    field=name, type=of, widened=False, reason=_difference(declared.type, of)
                )

    def _as_existing(self) -> Iterator[Column]:
        """Yield the columns. The type of a column that the table has stays as it is there."""
        if self._infer:
            # An interrupted load may leave columns there that the catalog does not know.
            for name in self.existing.keys() - self._declared.keys():
                yield Column(name=name, type=self.existing[name])
        for name, column in self._declared.items():
            if column.inferred and self._infer and name not in self.existing:
                continue  # an interrupted load inferred its type from a file that is not here
            of = self.existing.get(name, column.type)
            hint = ""
            if column.inferred and not self._infer:
                hint = "; --infer-fields would widen the field"
            elif of != column.type and name not in self._table.columns:
                hint = f" ({_difference(column.type, of)})"
            yield replace(column, type=of, hint=hint)

    def _find_wider(self) -> Iterator[tuple[str, tuple[pl.DataType, ...]]]:
        """Yield the columns that can be widened, and the types that they can get."""
        for name, column in self.columns.items():
            of = self.existing.get(name)
            if of is None or name in self._table.columns or column.has_rules:
                continue
            if self._is_inferred(name):
                if self._infer and wider(of):
                    yield name, wider(of)
                continue
            declared = self._declared[name].type
            if declared in wider(of):
                yield name, (declared,)

    def _is_inferred(self, name: str) -> bool:
        return name not in self._declared or self._declared[name].inferred

    def _holds_old(self, name: str, to: pl.DataType) -> bool:
        """Return whether a type holds all values that the table has in a column."""
        if self._snapshot is None or name not in self.existing:
            return True
        return fits(self._snapshot, name, to)


def _difference(declared: pl.DataType, of: pl.DataType) -> str:
    return (
        f"the catalog says {data_type(declared)}, but the column has had the type {data_type(of)} "
        "since an earlier load"
    )
