"""Parsing the rules of smart lists from JSON. An error names the path of the wrong value."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from enum import StrEnum
from math import isfinite
from typing import Any, Protocol, TypeVar

from outhaul.catalog.entries import ActivityType, Asset, AssetType, CatalogError, LeadField
from outhaul.smart_lists.rules import (
    OF_ONE_VALUE,
    OPERATORS,
    ActivityRule,
    Between,
    FieldRule,
    Group,
    ListRule,
    Membership,
    Operator,
    Past,
    Rule,
    Scalar,
    Unit,
    ValueType,
    span,
)

DEEPEST = 20
"""Most levels of nested groups."""

_LONGEST = timedelta(days=36_500)
_INTEGERS = range(-(2**63), 2**63)

_TYPES: Mapping[str, ValueType] = {
    **{entry.value: entry for entry in ValueType},
    "score": ValueType.INTEGER,
    "currency": ValueType.NUMBER,
    "percent": ValueType.NUMBER,
}

Known = TypeVar("Known", bound=StrEnum)
Value = TypeVar("Value")


class Names(Protocol):
    """The meaning of the names in rules."""

    def field_type(self, name: str) -> str | None:
        """Return the `dataType` of a lead field; `None` if there is no such field."""
        ...

    def list_ids(self, named: str | int) -> Sequence[int]:
        """Return the ids of the static lists with this name or id."""
        ...

    def activity_types(self, named: str | int) -> Sequence[int]:
        """Return the ids of the activity types with this name or id."""
        ...


class CatalogNames:
    """The meaning of names in a catalog with these entries."""

    def __init__(
        self,
        fields: Mapping[str, LeadField],
        types: Mapping[int, ActivityType],
        lists: Iterable[Asset],
    ) -> None:
        self._fields = fields
        self._types = types
        self._lists = list(lists)

    def field_type(self, name: str) -> str | None:
        return self._fields[name].data_type if name in self._fields else None

    def list_ids(self, named: str | int) -> Sequence[int]:
        """Return the ids of the static lists with this id or name, qualified or not."""
        return [
            entry.id
            for entry in self._lists
            if named in (entry.id, entry.name, entry.qualified_name)
        ]

    def activity_types(self, named: str | int) -> Sequence[int]:
        return [entry.id for entry in self._types.values() if named in (entry.id, entry.name)]


class PlannedNames:
    """The meaning of names in the rules of a plan, which has ids instead of names."""

    def __init__(self, types: Mapping[str, str]) -> None:
        self._types = types

    def field_type(self, name: str) -> str | None:
        """Return the type that the plan has for a lead field."""
        return self._types.get(name)

    def list_ids(self, named: str | int) -> Sequence[int]:
        """Return the id itself."""
        return [int(named)]

    def activity_types(self, named: str | int) -> Sequence[int]:
        """Return the id itself."""
        return [int(named)]


def check_smart_lists(assets: Iterable[Asset], names: Names) -> None:
    """Raise `CatalogError` if the rules of a smart list in a catalog file are not valid."""
    lists = (entry for entry in assets if entry.type is AssetType.SMART_LIST)
    for n, entry in enumerate(lists):
        read_rules(entry.description.get("rules"), f"{AssetType.SMART_LIST}[{n}].rules", names)


def read_rules(content: object, path: str, names: Names) -> Group:
    """Return the rules of a smart list.

    `path` is the path of the rules in their file. Raises `CatalogError` if the rules are not valid.
    Its message begins with the path of the wrong value.
    """
    rule = _rule(content, path, names, 1)
    if not isinstance(rule, Group):
        raise CatalogError(f"{path}: expected a group, {{'all': […]}} or {{'any': […]}}")
    return rule


def _rule(content: object, path: str, names: Names, depth: int) -> Rule:
    if not isinstance(content, Mapping):
        raise CatalogError(f"{path}: expected an object, found {content!r}")
    sorts: Mapping[str, Callable[[Mapping[str, Any], str, Names], Rule]] = {
        "field": _field_rule,
        "list": _list_rule,
        "activity": _activity_rule,
    }
    found = [name for name in ("all", "any", *sorts) if name in content]
    if len(found) != 1:
        raise CatalogError(
            f"{path}: expected one of all, any, field, list and activity; "
            f"found {' and '.join(found) or 'none'}"
        )
    if found[0] in sorts:
        return sorts[found[0]](content, path, names)
    _only(content, path, found[0])
    if depth > DEEPEST:
        raise CatalogError(f"{path}: more than {DEEPEST} groups inside each other")
    path = f"{path}.{found[0]}"
    rules = tuple(
        _rule(entry, f"{path}[{n}]", names, depth + 1)
        for n, entry in enumerate(_array(content[found[0]], path))
    )
    return Group(match="all" if found[0] == "all" else "any", rules=rules)


def _field_rule(content: Mapping[str, Any], path: str, names: Names) -> FieldRule:
    field = _text(content["field"], f"{path}.field")
    data_type = names.field_type(field)
    if data_type is None:
        raise CatalogError(f"{path}.field: there is no lead field {field!r}")
    of = _TYPES.get(data_type, ValueType.TEXT)
    operator = _one_of(Operator, content.get("operator"), f"{path}.operator")
    if operator not in OPERATORS[of]:
        allowed = ", ".join(entry for entry in Operator if entry in OPERATORS[of])
        raise CatalogError(
            f"{path}.operator: '{operator}' does not fit {field!r}, which is of type "
            f"{data_type}; there are {allowed}"
        )
    rule = FieldRule(field=field, type=of, operator=operator)
    if operator in (Operator.EMPTY, Operator.NOT_EMPTY):
        _only(content, path, "field", "operator")
        return rule
    if operator is Operator.IN_PAST:
        _only(content, path, "field", "operator", "amount", "unit")
        return replace(rule, past=_past(content, path))
    _only(content, path, "field", "operator", "value", "values")
    return replace(rule, values=_values(content, path, rule))


def _values(content: Mapping[str, Any], path: str, rule: FieldRule) -> tuple[Scalar, ...]:
    if "value" in content and "values" in content:
        raise CatalogError(f"{path}.values: it cannot be used with value")
    if rule.operator in OF_ONE_VALUE and "values" in content:
        raise CatalogError(f"{path}.values: '{rule.operator}' takes one value, as 'value'")
    if rule.operator is Operator.BETWEEN:
        entries = _array(content.get("values"), f"{path}.values")
        if len(entries) != 2:  # noqa: PLR2004 - the least and the greatest
            raise CatalogError(f"{path}.values: expected two, found {len(entries)}")
    elif "values" in content:
        entries = _array(content["values"], f"{path}.values")
    else:
        value = _scalar(content.get("value"), f"{path}.value", rule)
        return (value,)
    return tuple(_scalar(entry, f"{path}.values[{n}]", rule) for n, entry in enumerate(entries))


def _scalar(value: object, path: str, rule: FieldRule) -> Scalar:
    """Return a value as the field's type has it."""
    match rule.type:
        case ValueType.BOOLEAN:
            return _boolean(value, path)
        case ValueType.INTEGER:
            return _integer(value, path)
        case ValueType.NUMBER:
            return _number(value, path)
        case ValueType.DATE:
            return _day(value, path)
        case ValueType.DATETIME:
            return _moment(value, path)
    searched = rule.operator in (Operator.CONTAINS, Operator.STARTS_WITH)
    return _text(value, path, empty=not searched)


def _list_rule(content: Mapping[str, Any], path: str, names: Names) -> ListRule:
    _only(content, path, "list", "operator")
    found = _one_id(content["list"], f"{path}.list", "static list", names.list_ids)
    operator = _one_of(Membership, content.get("operator"), f"{path}.operator")
    return ListRule(list_id=found, operator=operator)


def _activity_rule(content: Mapping[str, Any], path: str, names: Names) -> ActivityRule:
    by_id, by_value = "primaryAttributeValueIds", "primaryAttributeValues"
    _only(content, path, "activity", by_id, by_value, "atLeast", "atMost", "inPast", "between")
    for one, other in ((by_id, by_value), ("inPast", "between")):
        if one in content and other in content:
            raise CatalogError(f"{path}.{other}: it cannot be used with {one}")
    activity = content["activity"]
    found = _one_id(activity, f"{path}.activity", "activity type", names.activity_types)
    at_most = _count(content["atMost"], f"{path}.atMost") if "atMost" in content else None
    at_least = 1 if at_most is None else 0
    if "atLeast" in content:
        at_least = _count(content["atLeast"], f"{path}.atLeast")
    if at_most is not None and at_most < at_least:
        raise CatalogError(f"{path}.atMost: {at_most} is less than atLeast, {at_least}")
    return ActivityRule(
        activity_type=found,
        value_ids=_each(content, by_id, path, _integer),
        values=_each(content, by_value, path, _text),
        at_least=at_least,
        at_most=at_most,
        period=_period(content, path),
    )


def _period(content: Mapping[str, Any], path: str) -> Past | Between | None:
    if "inPast" in content:
        path = f"{path}.inPast"
        past = content["inPast"]
        if not isinstance(past, Mapping):
            raise CatalogError(f"{path}: expected an object of amount and unit, found {past!r}")
        _only(past, path, "amount", "unit")
        return _past(past, path)
    if "between" in content:
        ends = _each(content, "between", path, _moment)
        if len(ends) != 2:  # noqa: PLR2004 - the first and the last
            raise CatalogError(f"{path}.between: expected two, found {len(ends)}")
        return Between(start=ends[0], end=ends[1])
    return None


def _past(content: Mapping[str, Any], path: str) -> Past:
    amount = content.get("amount")
    if isinstance(amount, bool) or not isinstance(amount, int) or amount < 1:
        raise CatalogError(f"{path}.amount: expected a positive integer, found {amount!r}")
    unit = _one_of(Unit, content.get("unit"), f"{path}.unit")
    if amount > _LONGEST // timedelta(**{unit.value: 1}):
        raise CatalogError(f"{path}.amount: {amount} {unit} are more than a century")
    return Past(amount=amount, unit=unit)


# Plain values. `path` is the path of the value in its file.


def _only(content: Mapping[str, Any], path: str, *known: str) -> None:
    for name in content:
        if name not in known:
            raise CatalogError(f"{path}.{name}: not known here; there are {', '.join(known)}")


def _array(value: object, path: str) -> list[Any]:
    if not isinstance(value, list) or not value:
        raise CatalogError(f"{path}: expected an array of at least one, found {value!r}")
    return value


def _each(
    content: Mapping[str, Any], name: str, path: str, read: Callable[[object, str], Value]
) -> tuple[Value, ...]:
    """Return the values of an array that may be absent."""
    if name not in content:
        return ()
    entries = _array(content[name], f"{path}.{name}")
    return tuple(read(entry, f"{path}.{name}[{n}]") for n, entry in enumerate(entries))


def _one_of(known: type[Known], value: object, path: str) -> Known:
    try:
        return known(str(value))
    except ValueError:
        raise CatalogError(f"{path}: {value!r} is none of {', '.join(known)}") from None


def _one_id(value: object, path: str, what: str, find: Callable[[str | int], Sequence[int]]) -> int:
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise CatalogError(f"{path}: expected a name or an id, found {value!r}")
    found = find(value)
    if not found:
        raise CatalogError(f"{path}: there is no {what} {value!r}")
    if len(found) > 1:
        ids = ", ".join(map(str, found))
        raise CatalogError(f"{path}: several of {what} have the name {value!r}: ids {ids}")
    return found[0]


def _text(value: object, path: str, *, empty: bool = False) -> str:
    if not isinstance(value, str) or not (value or empty):
        raise CatalogError(f"{path}: expected a text, found {value!r}")
    return value


def _boolean(value: object, path: str) -> bool:
    if not isinstance(value, bool):
        raise CatalogError(f"{path}: expected true or false, found {value!r}")
    return value


def _number(value: object, path: str) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool) or not _is_storable(value):
        raise CatalogError(f"{path}: expected a number, found {value!r}")
    return float(value)


def _is_storable(value: float) -> bool:
    return value in _INTEGERS if isinstance(value, int) else isfinite(value)


def _integer(value: object, path: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value not in _INTEGERS:
        raise CatalogError(f"{path}: expected an integer, found {value!r}")
    return value


def _count(value: object, path: str) -> int:
    if _integer(value, path) < 0:
        raise CatalogError(f"{path}: expected a count, found {value!r}")
    return _integer(value, path)


def _day(value: object, path: str) -> str:
    try:
        return date.fromisoformat(_text(value, path)).isoformat()
    except ValueError:
        raise CatalogError(f"{path}: expected a day as 2026-01-31, found {value!r}") from None


def _moment(value: object, path: str) -> str:
    text = _text(value, path)
    try:
        span(text)
    except ValueError:
        raise CatalogError(
            f"{path}: expected a day as 2026-01-31 or a moment as 2026-01-31T23:59:59Z, "
            f"found {value!r}"
        ) from None
    return text
