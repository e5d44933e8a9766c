"""The rules of smart lists, which choose the leads that belong to a list.

A rule is a condition on a field, on the membership in a static list or on activities, or a group
of rules of which all or any must hold. `docs/smart-lists.md` describes the JSON of rules.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Literal, TypeAlias

from outhaul.protocol.instants import parse_instant

Scalar: TypeAlias = str | int | float | bool


class ValueType(StrEnum):
    """The type of a field in rules. The values are `dataType`s of the catalog."""

    TEXT = "string"
    INTEGER = "integer"
    NUMBER = "float"
    BOOLEAN = "boolean"
    DATE = "date"
    DATETIME = "datetime"


class Operator(StrEnum):
    """The comparison in a condition on a field."""

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
    """The test in a condition on a static list."""

    MEMBER = "member"
    NOT_MEMBER = "not member"


class Unit(StrEnum):
    """The unit of the length of a period."""

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
"""The operators for each type of field."""

OF_ONE_VALUE = {Operator.GREATER, Operator.LESS, Operator.BEFORE, Operator.AFTER}
"""The operators that take a single value, in the key `value`."""


@dataclass(frozen=True, kw_only=True)
class Past:
    """A period that ends at the moment at which a rule is evaluated."""

    amount: int
    unit: Unit

    @property
    def length(self) -> timedelta:
        """The length of the period."""
        return timedelta(**{self.unit.value: self.amount})

    def to_json(self) -> dict[str, Any]:
        """Return the period in the form of the catalog file."""
        return {"amount": self.amount, "unit": self.unit.value}


@dataclass(frozen=True, kw_only=True)
class Between:
    """A period between two days or moments. It includes both, and the whole of the last day."""

    start: str
    end: str


@dataclass(frozen=True, kw_only=True)
class FieldRule:
    """A condition on a field of the lead.

    Days and moments stay texts as in the file, because `2026-01-31` stands for the whole day.
    """

    field: str
    type: ValueType
    operator: Operator
    values: tuple[Scalar, ...] = ()
    past: Past | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the rule in the form of the catalog file."""
        content: dict[str, Any] = {"field": self.field, "operator": self.operator.value}
        if self.past is not None:
            return content | self.past.to_json()
        if self.operator in OF_ONE_VALUE:
            return content | {"value": self.values[0]}
        return content | {"values": list(self.values)} if self.values else content


@dataclass(frozen=True, kw_only=True)
class ListRule:
    """A condition on the membership in a static list."""

    list_id: int
    operator: Membership

    def to_json(self) -> dict[str, Any]:
        """Return the rule in the form of the catalog file."""
        return {"list": self.list_id, "operator": self.operator.value}


@dataclass(frozen=True, kw_only=True)
class ActivityRule:
    """A condition on the number of a lead's activities of one type in a period."""

    activity_type: int
    value_ids: tuple[int, ...] = ()
    """Count only activities with one of these ids as primary attribute; empty: count all."""
    values: tuple[str, ...] = ()
    """Count only activities with one of these values as primary attribute; empty: count all."""
    at_least: int = 1
    at_most: int | None = None
    period: Past | Between | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the rule in the form of the catalog file."""
        content: dict[str, Any] = {"activity": self.activity_type, "atLeast": self.at_least}
        if self.at_most is not None:
            content["atMost"] = self.at_most
        if self.value_ids:
            content["primaryAttributeValueIds"] = list(self.value_ids)
        if self.values:
            content["primaryAttributeValues"] = list(self.values)
        if isinstance(self.period, Past):
            content["inPast"] = self.period.to_json()
        if isinstance(self.period, Between):
            content["between"] = [self.period.start, self.period.end]
        return content


@dataclass(frozen=True, kw_only=True)
class Group:
    """Rules of which all, or any, must hold."""

    match: Literal["all", "any"]
    rules: "tuple[Rule, ...]"

    def to_json(self) -> dict[str, Any]:
        """Return the group in the form of the catalog file."""
        return {self.match: [rule.to_json() for rule in self.rules]}


Rule: TypeAlias = FieldRule | ListRule | ActivityRule | Group


def conditions(rule: Rule) -> Iterator[FieldRule | ListRule | ActivityRule]:
    """Yield the conditions in a rule, in order."""
    if isinstance(rule, Group):
        for entry in rule.rules:
            yield from conditions(entry)
    else:
        yield rule


def span(written: str) -> tuple[datetime, datetime]:
    """Return the first and the last second, in UTC, of a written day or moment."""
    first = parse_instant(written)
    if len(written) > len("2026-01-31"):
        return first, first
    return first, first.replace(hour=23, minute=59, second=59)
