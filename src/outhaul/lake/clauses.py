"""Clauses: conditions on records, which select the records of a reading.

A clause can be stored as plain data (`to_json`, `parse_clause`), because another process may use a
reading later. The statistics of a file can show that no record of it matches (`may_match`). A
clause that reads other tables must be pinned before use: it then names the files that it reads.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar, Self

import polars as pl

from outhaul.lake.files import Bounds, TableFile
from outhaul.lake.tables import LIST_MEMBERS
from outhaul.protocol.instants import parse_instant, render_instant

if TYPE_CHECKING:
    # The command line reads declarations of kinds, which use clauses, without a lake's libraries.
    from outhaul.lake.snapshot import Lake, Snapshots


@dataclass(frozen=True, kw_only=True)
class Scope:
    """What a clause is evaluated with: the lake, and the range of lead ids of the records."""

    lake: "Lake"
    ids: tuple[int, int] | None
    """The least and the greatest lead id; `None` if no record has a lead."""


class UnpinnedError(ValueError):
    """A clause reads other tables, and is not pinned to files of them."""


class Clause(ABC):
    """A condition on a record. `tag` names the type of the clause in plain data."""

    tag: ClassVar[str]
    _by_tag: ClassVar[dict[str, type["Clause"]]] = {}

    def __init_subclass__(cls) -> None:
        if "tag" in vars(cls):
            Clause._by_tag[cls.tag] = cls

    @property
    @abstractmethod
    def columns(self) -> frozenset[str]:
        """The columns of the record that the clause reads."""

    @abstractmethod
    def to_json(self) -> dict[str, Any]:
        """Return the clause as plain data: an object whose one member is its tag."""

    @classmethod
    @abstractmethod
    def from_json(cls, content: Any) -> Self:  # noqa: ANN401 - JSON, of the form that the class writes
        """Return the clause from the value that `to_json` has under the tag."""

    @abstractmethod
    def expression(self, scope: Scope) -> pl.Expr:
        """Return the clause as an expression of Polars. Raises `UnpinnedError`."""

    def may_match(self, bounds: Bounds) -> bool:  # noqa: ARG002 - true of any file
        """Return whether a file with these bounds may contain a record that matches the clause."""
        return True

    def pin(self, snapshots: "Snapshots") -> "Clause":  # noqa: ARG002 - this reads no other table
        """Return the clause with the names of the files of other tables that it reads."""
        return self

    @property
    def files(self) -> Iterator[TableFile]:
        """The pinned files of other tables."""
        yield from ()


@dataclass(frozen=True)
class Within(Clause):
    """The moment in a column is in a window. Both ends are included, to the second."""

    tag = "within"

    column: str
    start: datetime
    end: datetime

    @property
    def columns(self) -> frozenset[str]:
        return frozenset({self.column})

    def to_json(self) -> dict[str, Any]:
        window = [render_instant(self.start), render_instant(self.end)]
        return {self.tag: {"column": self.column, "window": window}}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        start, end = content["window"]
        return cls(content["column"], parse_instant(start), parse_instant(end))

    def expression(self, scope: Scope) -> pl.Expr:  # noqa: ARG002
        column = pl.col(self.column)
        return (column >= self.start) & (column <= _last_of_second(self.end))

    def may_match(self, bounds: Bounds) -> bool:
        least, greatest = bounds.get(self.column, (None, None))
        if least is None or greatest is None:
            return True
        return bool(least <= _last_of_second(self.end) and greatest >= self.start)


@dataclass(frozen=True)
class Between(Clause):
    """The integer in a column is in a range. Both ends are included."""

    tag = "between"

    column: str
    least: int
    greatest: int

    @property
    def columns(self) -> frozenset[str]:
        return frozenset({self.column})

    def to_json(self) -> dict[str, Any]:
        return {self.tag: {"column": self.column, "bounds": [self.least, self.greatest]}}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        return cls(content["column"], *content["bounds"])

    def expression(self, scope: Scope) -> pl.Expr:  # noqa: ARG002
        return pl.col(self.column).is_between(self.least, self.greatest)

    def may_match(self, bounds: Bounds) -> bool:
        least, greatest = bounds.get(self.column, (None, None))
        if least is None or greatest is None:
            return True
        return bool(least <= self.greatest and greatest >= self.least)


@dataclass(frozen=True)
class AtLeast(Clause):
    """The text in a column is this one, or follows it in the order of UTF-8."""

    tag = "atLeast"

    column: str
    least: str

    @property
    def columns(self) -> frozenset[str]:
        return frozenset({self.column})

    def to_json(self) -> dict[str, Any]:
        return {self.tag: {"column": self.column, "least": self.least}}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        return cls(content["column"], content["least"])

    def expression(self, scope: Scope) -> pl.Expr:  # noqa: ARG002
        return pl.col(self.column) >= self.least

    def may_match(self, bounds: Bounds) -> bool:
        greatest = bounds.get(self.column, (None, None))[1]
        return greatest is None or bool(greatest >= self.least)


@dataclass(frozen=True)
class OneOf(Clause):
    """The value in a column is one of some values, which are all of one type."""

    tag = "oneOf"

    column: str
    values: tuple[int, ...] | tuple[str, ...] | tuple[bool, ...]

    @property
    def columns(self) -> frozenset[str]:
        return frozenset({self.column})

    def to_json(self) -> dict[str, Any]:
        return {self.tag: {"column": self.column, "values": list(self.values)}}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        return cls(content["column"], tuple(content["values"]))

    def expression(self, scope: Scope) -> pl.Expr:  # noqa: ARG002
        return pl.col(self.column).is_in(pl.Series(self.values).implode())

    def may_match(self, bounds: Bounds) -> bool:
        least, greatest = bounds.get(self.column, (None, None))
        if least is None or greatest is None:
            return True
        return any(least <= value <= greatest for value in self.values)


@dataclass(frozen=True)
class NoneOf(Clause):
    """The value in a column is none of some integers."""

    tag = "noneOf"

    column: str
    values: tuple[int, ...]

    @property
    def columns(self) -> frozenset[str]:
        return frozenset({self.column})

    def to_json(self) -> dict[str, Any]:
        return {self.tag: {"column": self.column, "values": list(self.values)}}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        return cls(content["column"], tuple(content["values"]))

    def expression(self, scope: Scope) -> pl.Expr:  # noqa: ARG002
        return ~pl.col(self.column).is_in(pl.Series(self.values, dtype=pl.Int64).implode())

    def may_match(self, bounds: Bounds) -> bool:
        least, greatest = bounds.get(self.column, (None, None))
        return least is None or least != greatest or least not in self.values


@dataclass(frozen=True)
class Combination(Clause):
    """Several clauses as one."""

    clauses: tuple[Clause, ...]

    @property
    def columns(self) -> frozenset[str]:
        return frozenset().union(*(clause.columns for clause in self.clauses))

    def to_json(self) -> dict[str, Any]:
        return {self.tag: [clause.to_json() for clause in self.clauses]}

    @classmethod
    def from_json(cls, content: Sequence[Mapping[str, Any]]) -> Self:
        return cls(tuple(parse_clause(clause) for clause in content))

    def pin(self, snapshots: "Snapshots") -> Clause:
        return replace(self, clauses=tuple(clause.pin(snapshots) for clause in self.clauses))

    @property
    def files(self) -> Iterator[TableFile]:
        for clause in self.clauses:
            yield from clause.files


@dataclass(frozen=True)
class AllOf(Combination):
    """All of some clauses are true."""

    tag = "allOf"

    def expression(self, scope: Scope) -> pl.Expr:
        return all_of(self.clauses, scope)

    def may_match(self, bounds: Bounds) -> bool:
        return all(clause.may_match(bounds) for clause in self.clauses)


@dataclass(frozen=True)
class AnyOf(Combination):
    """At least one of some clauses is true."""

    tag = "anyOf"

    def expression(self, scope: Scope) -> pl.Expr:
        return pl.any_horizontal([clause.expression(scope) for clause in self.clauses])

    def may_match(self, bounds: Bounds) -> bool:
        return any(clause.may_match(bounds) for clause in self.clauses)


@dataclass(frozen=True)
class MemberOf(Clause):
    """The lead of the record is a member of a static list."""

    tag = "memberOf"

    list_id: int
    column: str = "id"
    """The column that holds the lead's id."""
    pinned: tuple[str, ...] | None = None
    """The files with the members of the list, as paths under the folder of their table."""

    @property
    def columns(self) -> frozenset[str]:
        return frozenset({self.column})

    def to_json(self) -> dict[str, Any]:
        pinned = None if self.pinned is None else list(self.pinned)
        return {self.tag: {"list": self.list_id, "lead": self.column, "files": pinned}}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        pinned = None if content["files"] is None else tuple(content["files"])
        return cls(content["list"], content["lead"], pinned)

    def expression(self, scope: Scope) -> pl.Expr:
        if self.pinned is None:
            raise UnpinnedError(f"the members of list {self.list_id} are not pinned")
        members = members_of(scope, self.pinned)
        return pl.col(self.column).is_in(members.implode())

    def pin(self, snapshots: "Snapshots") -> Clause:
        return replace(self, pinned=tuple(member_files(snapshots, self.list_id)))

    @property
    def files(self) -> Iterator[TableFile]:
        for path in self.pinned or ():
            yield TableFile(LIST_MEMBERS.name, path)


def parse_clause(content: Mapping[str, Any]) -> Clause:
    """Return the clause from the result of `to_json`. Raises `ValueError` for other content."""
    known = Clause._by_tag  # noqa: SLF001 - this module declares the registry
    if len(content) != 1 or (tag := next(iter(content))) not in known:
        raise ValueError(f"not a clause: {content}")
    return known[tag].from_json(content[tag])


def all_of(clauses: Sequence[Clause], scope: Scope) -> pl.Expr:
    """Return an expression that is true if all clauses are true."""
    everything = pl.lit(value=True)
    return pl.all_horizontal([everything, *(clause.expression(scope) for clause in clauses)])


def member_files(snapshots: "Snapshots", list_id: int) -> list[str]:
    """Return the files with the members of a static list, as paths under their table's folder."""
    snapshot = snapshots.of(LIST_MEMBERS)
    files = () if snapshot is None else snapshot.files
    return [file.path for file in files if file.partition == list_id]


def member_count(lake: "Lake", list_id: int) -> int:
    """Return how many leads a static list has. Only statistics are read."""
    snapshot = lake.snapshot(LIST_MEMBERS)
    files = () if snapshot is None else snapshot.files
    return sum(file.records for file in files if file.partition == list_id)


def members_of(scope: Scope, paths: Sequence[str]) -> pl.Series:
    """Return the ids of a list's members within the scope. `paths` are from `member_files`."""
    if not paths or scope.ids is None:
        return pl.Series("leadId", [], dtype=pl.Int64)
    scan = scope.lake.scan(LIST_MEMBERS.name, paths, LIST_MEMBERS.columns)
    return scan.filter(pl.col("leadId").is_between(*scope.ids)).collect()["leadId"]


def _last_of_second(moment: datetime) -> datetime:
    return moment.replace(microsecond=999_999)
