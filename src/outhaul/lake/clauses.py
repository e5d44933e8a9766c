"""Which records a job wants: clauses that a plan can keep, a file can refute, a scan can apply.

A clause is plain data (`to_json`, `parse_clause`), so that a plan outlives the process that made
it. Applied to a file's statistics it says whether a record may be there at all.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

import polars as pl

from outhaul.protocol.instants import parse_instant, render_instant
from outhaul.smart_lists.parsing import PlannedNames, read_rules
from outhaul.smart_lists.pinned import PinnedRecords
from outhaul.smart_lists.rules import FieldRule, Group, conditions

Bounds = Mapping[str, tuple[Any, Any]]
"""Least and greatest value of a file's columns, where known."""

Members = Callable[["int | InSmartList"], pl.Series]
"""Gives the ids of the leads of a list, as pinned, that may be among the records at hand.

The list is a static one, named by its id, or a smart one.
"""


class Clause(Protocol):
    """A condition on a record."""

    @property
    def columns(self) -> frozenset[str]:
        """The columns that it looks at."""
        ...

    def to_json(self) -> dict[str, Any]:
        """Return the clause as plain data."""
        ...

    def expression(self, members: Members) -> pl.Expr:
        """Return the clause as Polars evaluates it."""
        ...

    def may_match(self, bounds: Bounds) -> bool:
        """Tell whether a file of these bounds may hold a record that fits."""
        ...


@dataclass(frozen=True)
class Within(Clause):
    """The column's moment is within a window: both ends belong to it, to the second."""

    column: str
    start: datetime
    end: datetime

    @property
    def columns(self) -> frozenset[str]:
        """The columns that it looks at."""
        return frozenset({self.column})

    def to_json(self) -> dict[str, Any]:
        """Return the clause as plain data."""
        ends = [render_instant(self.start), render_instant(self.end)]
        return {"within": self.column, "window": ends}

    def expression(self, members: Members) -> pl.Expr:  # noqa: ARG002
        """Return the clause as Polars evaluates it."""
        column = pl.col(self.column)
        return (column >= self.start) & (column <= _last_of_second(self.end))

    def may_match(self, bounds: Bounds) -> bool:
        """Tell whether the window and the bounds overlap."""
        least, greatest = bounds.get(self.column, (None, None))
        if least is None or greatest is None:
            return True
        return bool(least <= _last_of_second(self.end) and greatest >= self.start)


@dataclass(frozen=True)
class Between(Clause):
    """The column's integer is between two, both included."""

    column: str
    least: int
    greatest: int

    @property
    def columns(self) -> frozenset[str]:
        """The columns that it looks at."""
        return frozenset({self.column})

    def to_json(self) -> dict[str, Any]:
        """Return the clause as plain data."""
        return {"between": self.column, "bounds": [self.least, self.greatest]}

    def expression(self, members: Members) -> pl.Expr:  # noqa: ARG002
        """Return the clause as Polars evaluates it."""
        return pl.col(self.column).is_between(self.least, self.greatest)

    def may_match(self, bounds: Bounds) -> bool:
        """Tell whether the two and the bounds overlap."""
        least, greatest = bounds.get(self.column, (None, None))
        if least is None or greatest is None:
            return True
        return bool(least <= self.greatest and greatest >= self.least)


@dataclass(frozen=True)
class OneOf(Clause):
    """The column has one of some values, all integers, all texts or all booleans."""

    column: str
    values: tuple[int, ...] | tuple[str, ...] | tuple[bool, ...]

    @property
    def columns(self) -> frozenset[str]:
        """The columns that it looks at."""
        return frozenset({self.column})

    def to_json(self) -> dict[str, Any]:
        """Return the clause as plain data."""
        return {"oneOf": self.column, "values": list(self.values)}

    def expression(self, members: Members) -> pl.Expr:  # noqa: ARG002
        """Return the clause as Polars evaluates it."""
        return pl.col(self.column).is_in(pl.Series(self.values).implode())

    def may_match(self, bounds: Bounds) -> bool:
        """Tell whether one of the values lies in the bounds."""
        least, greatest = bounds.get(self.column, (None, None))
        if least is None or greatest is None:
            return True
        return any(least <= value <= greatest for value in self.values)


@dataclass(frozen=True)
class AnyOf(Clause):
    """At least one of some clauses holds."""

    clauses: tuple[Clause, ...]

    @property
    def columns(self) -> frozenset[str]:
        """The columns that it looks at."""
        return frozenset().union(*(clause.columns for clause in self.clauses))

    def to_json(self) -> dict[str, Any]:
        """Return the clause as plain data."""
        return {"anyOf": [clause.to_json() for clause in self.clauses]}

    def expression(self, members: Members) -> pl.Expr:
        """Return the clause as Polars evaluates it."""
        return pl.any_horizontal([clause.expression(members) for clause in self.clauses])

    def may_match(self, bounds: Bounds) -> bool:
        """Tell whether one of the clauses may match."""
        return any(clause.may_match(bounds) for clause in self.clauses)


@dataclass(frozen=True)
class MemberOf(Clause):
    """The lead is a member of a static list, in the version of the members that is pinned."""

    list_id: int
    column: str = "id"
    """The column that holds the lead's id."""

    @property
    def columns(self) -> frozenset[str]:
        """The columns that it looks at."""
        return frozenset({self.column})

    def to_json(self) -> dict[str, Any]:
        """Return the clause as plain data."""
        return {"memberOf": self.list_id, "lead": self.column}

    def expression(self, members: Members) -> pl.Expr:
        """Return the clause as Polars evaluates it."""
        return pl.col(self.column).is_in(members(self.list_id).implode())

    def may_match(self, bounds: Bounds) -> bool:  # noqa: ARG002
        """Tell what can be said without the members."""
        return True


@dataclass(frozen=True)
class InSmartList(Clause):
    """The lead fits the rules of a smart list, at a moment, in the records that are pinned."""

    rules: Group
    moment: datetime
    """Now, as the rules have it, to the second."""
    column: str = "id"
    """The column that holds the lead's id."""
    pinned: PinnedRecords | None = None
    """What the rules look at; `None` before there is a plan."""

    @property
    def columns(self) -> frozenset[str]:
        """The columns that it looks at."""
        return frozenset({self.column})

    def to_json(self) -> dict[str, Any]:
        """Return the clause as plain data."""
        return {
            "inSmartList": self.rules.to_json(),
            "types": {
                entry.field: entry.type.value
                for entry in conditions(self.rules)
                if isinstance(entry, FieldRule)
            },
            "moment": render_instant(self.moment),
            "lead": self.column,
            "pinned": None if self.pinned is None else self.pinned.to_json(),
        }

    def expression(self, members: Members) -> pl.Expr:
        """Return the clause as Polars evaluates it."""
        return pl.col(self.column).is_in(members(self).implode())

    def may_match(self, bounds: Bounds) -> bool:  # noqa: ARG002
        """Tell what can be said without the leads."""
        return True


def parse_clause(content: Mapping[str, Any]) -> Clause:
    """Return the clause that `to_json` gave."""
    match content:
        case {"within": str(column), "window": [str(start), str(end)]}:
            return Within(column, parse_instant(start), parse_instant(end))
        case {"oneOf": str(column), "values": [*values]}:
            return OneOf(column, tuple(values))
        case {"anyOf": [*clauses]}:
            return AnyOf(tuple(parse_clause(clause) for clause in clauses))
        case {"memberOf": int(list_id)}:
            return MemberOf(list_id, content.get("lead", "id"))
        case {"between": str(column), "bounds": [int(least), int(greatest)]}:
            return Between(column, least, greatest)
        case {"inSmartList": rules, "types": types, "moment": str(moment), "lead": str(column)}:
            pinned = content["pinned"]
            return InSmartList(
                rules=read_rules(rules, "rules", PlannedNames(types)),
                moment=parse_instant(moment),
                column=column,
                pinned=None if pinned is None else PinnedRecords.from_json(pinned),
            )
        case _:
            raise ValueError(f"not a clause: {content}")


def all_of(clauses: Sequence[Clause], members: Members) -> pl.Expr:
    """Return the expression that holds where all clauses do."""
    everything = pl.lit(value=True)
    return pl.all_horizontal([everything, *(clause.expression(members) for clause in clauses)])


def _last_of_second(moment: datetime) -> datetime:
    return moment.replace(microsecond=999_999)
