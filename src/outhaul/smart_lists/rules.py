"""Smart lists: stored rules that say which leads belong to them.

A rule is a condition on a field, on the membership in a static list or on activities, or a group
of rules of which all or any must hold. `docs/smart-lists.md` has the form and what it means.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Literal, TypeAlias

from outhaul.protocol.instants import parse_instant

Scalar: TypeAlias = str | int | float | bool


class ValueType(StrEnum):
    """What a field holds, as far as rules tell it apart; named by a catalog's `dataType`."""

    TEXT = "string"
    INTEGER = "integer"
    NUMBER = "float"
    BOOLEAN = "boolean"
    DATE = "date"
    DATETIME = "datetime"


class Operator(StrEnum):
    """What a condition on a field asks of its value."""

    IS = "is"
    IS_NOT = "is not"
    CONTAINS = "contains"
    STARTS_WITH = "starts with"
    EMPTY = "empty"
    NOT_EMPTY = "not empty"
    GREATER = "greater"
    LESS = "less"
    BETWEEN = "between"
    BEFORE = "before"
    AFTER = "after"
    IN_PAST = "in past"


class Membership(StrEnum):
    """What a condition on a static list asks."""

    MEMBER = "member"
    NOT_MEMBER = "not member"


class Unit(StrEnum):
    """What the length of a period is counted in."""

    MINUTES = "minutes"
    HOURS = "hours"
    DAYS = "days"
    WEEKS = "weeks"


_OF_ALL = {Operator.IS, Operator.IS_NOT, Operator.EMPTY, Operator.NOT_EMPTY}
_OF_NUMBERS = _OF_ALL | {Operator.GREATER, Operator.LESS, Operator.BETWEEN}
_OF_DATES = _OF_ALL | {Operator.BEFORE, Operator.AFTER, Operator.BETWEEN, Operator.IN_PAST}

OPERATORS: Mapping[ValueType, frozenset[Operator]] = {
    ValueType.TEXT: frozenset(_OF_ALL | {Operator.CONTAINS, Operator.STARTS_WITH}),
    ValueType.INTEGER: frozenset(_OF_NUMBERS),
    ValueType.NUMBER: frozenset(_OF_NUMBERS),
    ValueType.BOOLEAN: frozenset(_OF_ALL),
    ValueType.DATE: frozenset(_OF_DATES),
    ValueType.DATETIME: frozenset(_OF_DATES),
}
"""The operators that fit a field, by what it holds."""

OF_ONE_VALUE = {Operator.GREATER, Operator.LESS, Operator.BEFORE, Operator.AFTER}
"""The operators that take a single value, as `value`."""


@dataclass(frozen=True, kw_only=True)
class Past:
    """The time up to the moment at which a rule is evaluated."""

    amount: int
    unit: Unit

    @property
    def length(self) -> timedelta:
        """How long it is."""
        return timedelta(**{self.unit.value: self.amount})

    def to_json(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {"amount": self.amount, "unit": self.unit.value}


@dataclass(frozen=True, kw_only=True)
class Between:
    """The time from a day or moment to another; both belong to it, the last day wholly."""

    start: str
    end: str


@dataclass(frozen=True, kw_only=True)
class FieldRule:
    """A condition on a field of the lead.

    Days and moments are kept as they were written: `2026-01-31` stands for the whole day.
    """

    field: str
    type: ValueType
    operator: Operator
    values: tuple[Scalar, ...] = ()
    past: Past | None = None

    def to_json(self) -> dict[str, Any]:
        """Return it in the form of the catalog file."""
        kept: dict[str, Any] = {"field": self.field, "operator": self.operator.value}
        if self.past is not None:
            return kept | self.past.to_json()
        if self.operator in OF_ONE_VALUE:
            return kept | {"value": self.values[0]}
        return kept | {"values": list(self.values)} if self.values else kept


@dataclass(frozen=True, kw_only=True)
class ListRule:
    """A condition on the membership in a static list."""

    list_id: int
    operator: Membership

    def to_json(self) -> dict[str, Any]:
        """Return it in the form of the catalog file."""
        return {"list": self.list_id, "operator": self.operator.value}


@dataclass(frozen=True, kw_only=True)
class ActivityRule:
    """A condition on how often the lead did something in a period."""

    activity_type: int
    value_ids: tuple[int, ...] = ()
    """Ids of the primary attribute, of which one must be an activity's; none: all count."""
    values: tuple[str, ...] = ()
    """Values of the primary attribute, likewise."""
    at_least: int = 1
    at_most: int | None = None
    period: Past | Between | None = None

    def to_json(self) -> dict[str, Any]:
        """Return it in the form of the catalog file."""
        kept: dict[str, Any] = {"activity": self.activity_type, "atLeast": self.at_least}
        if self.at_most is not None:
            kept["atMost"] = self.at_most
        if self.value_ids:
            kept["primaryAttributeValueIds"] = list(self.value_ids)
        if self.values:
            kept["primaryAttributeValues"] = list(self.values)
        if isinstance(self.period, Past):
            kept["inPast"] = self.period.to_json()
        if isinstance(self.period, Between):
            kept["between"] = [self.period.start, self.period.end]
        return kept


@dataclass(frozen=True, kw_only=True)
class Group:
    """Rules of which all, or any, must hold."""

    match: Literal["all", "any"]
    rules: "tuple[Rule, ...]"

    def to_json(self) -> dict[str, Any]:
        """Return it in the form of the catalog file."""
        return {self.match: [rule.to_json() for rule in self.rules]}


Rule: TypeAlias = FieldRule | ListRule | ActivityRule | Group


def conditions(rule: Rule) -> Iterator[FieldRule | ListRule | ActivityRule]:
    """Give the conditions that a rule is made of, in order."""
    if isinstance(rule, Group):
        for entry in rule.rules:
            yield from conditions(entry)
    else:
        yield rule


def span(written: str) -> tuple[datetime, datetime]:
    """Return the first and last second that a day or a moment stands for: a day is all of it."""
    first = parse_instant(written)
    if len(written) > len("2026-01-31"):
        return first, first
    return first, first.replace(hour=23, minute=59, second=59)
