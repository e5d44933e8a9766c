"""Smart lists in calls under `/rest/asset`. The call by id can show their rules.

The protocol shows rules as a flat list of filters, of which all or any must hold. Rules with nested
groups have the match type `Advanced`, and a text with the logic, such as `1 and (2 or 3)`.
"""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from itertools import count
from typing import Any

from outhaul.api.lookups.answering import Lookup, allowed
from outhaul.api.lookups.assets import Family, asset_list
from outhaul.api.lookups.browsing import program_ids
from outhaul.api.lookups.parameters import EARLIEST, LATEST, path_id
from outhaul.api.lookups.query import Query
from outhaul.catalog.entries import Asset, AssetType, CatalogError
from outhaul.catalog.selection import Selection
from outhaul.catalog.store import Catalog
from outhaul.protocol.answers.assets import AssetList, SmartList, SmartListRules
from outhaul.protocol.answers.envelope import Assets, Found
from outhaul.protocol.parameters import boolean
from outhaul.smart_lists.rules import (
    ActivityRule,
    FieldRule,
    Group,
    ListRule,
    Past,
    Rule,
    conditions,
)
from outhaul.smart_lists.stored import rules_of

_MEMBER_OF_LIST = 0
"""The rule type id of a condition on a static list, which tests neither a field nor activities."""


def rules(smart_list: Asset, catalog: Catalog) -> SmartListRules:
    """Return the rules of a smart list in the shape of the protocol."""
    found = rules_of(catalog, smart_list)
    described = _Described(catalog)
    flat = not any(isinstance(entry, Group) for entry in found.rules)
    shown: dict[str, Any] = {
        "filter_match_type": found.match.capitalize() if flat else "Advanced",
        "triggers": [],
        "filters": [
            {"id": number, **described.condition(entry)}
            for number, entry in enumerate(conditions(found), 1)
        ],
    }
    if not flat:
        shown["filter_custom_rule_logic"] = logic(found)
    return SmartListRules(**shown)


def logic(group: Group) -> str:
    """Return the logic of conditions, numbered from 1 on, such as `1 and (2 or 3)`."""
    return _logic(group, count(1))


def _logic(group: Group, numbers: Iterator[int]) -> str:
    pieces = [
        f"({_logic(entry, numbers)})" if isinstance(entry, Group) else str(next(numbers))
        for entry in group.rules
    ]
    return (" and " if group.match == "all" else " or ").join(pieces)


class _Described:
    """Shows conditions with the names that a catalog has."""

    def __init__(self, catalog: Catalog) -> None:
        self._fields = catalog.lead_fields()
        self._types = catalog.activity_types()
        self._lists = {entry.id: entry for entry in catalog.assets(AssetType.STATIC_LIST)}

    def condition(self, rule: Rule) -> dict[str, Any]:
        """Return a condition as a filter of an answer."""
        match rule:
            case FieldRule():
                return self._field(rule)
            case ListRule():
                return self._list(rule)
            case ActivityRule():
                return self._activity(rule)
        raise AssertionError("a group is no condition")

    def _field(self, rule: FieldRule) -> dict[str, Any]:
        field = self._fields[rule.field]
        values = _past(rule.past) if rule.past else [_text(value) for value in rule.values]
        shown = _conditions(field.id, field.display_name, rule.operator, values, primary=True)
        return _filter(field.display_name, field.id, "Lead Attribute", rule.operator, shown)

    def _list(self, rule: ListRule) -> dict[str, Any]:
        name = self._lists[rule.list_id].qualified_name
        shown = _conditions(0, "List Name", "is", [name], primary=True)
        return _filter("Member of List", _MEMBER_OF_LIST, "Static List", rule.operator, shown)

    def _activity(self, rule: ActivityRule) -> dict[str, Any]:
        kind = self._types[rule.activity_type]
        primary = kind.description.get("primaryAttribute")
        named = primary.get("name", "") if isinstance(primary, Mapping) else ""
        values = [*map(str, rule.value_ids), *rule.values]
        shown = _conditions(0, named, "is", values, primary=True) if values else []
        shown += _conditions(0, "Min. Number of Times", "at least", [str(rule.at_least)])
        if rule.at_most is not None:
            shown += _conditions(0, "Max. Number of Times", "at most", [str(rule.at_most)])
        if isinstance(rule.period, Past):
            shown += _conditions(0, "Date of Activity", "in past", _past(rule.period))
        elif rule.period is not None:
            ends = [rule.period.start, rule.period.end]
            shown += _conditions(0, "Date of Activity", "between", ends)
        return _filter(kind.name, kind.id, "Activity", "is", shown)


def _filter(
    name: str, type_id: int, rule_type: str, operator: str, shown: list[dict[str, Any]]
) -> dict[str, Any]:
    return {
        "name": name,
        "ruleTypeId": type_id,
        "ruleType": rule_type,
        "operator": str(operator),
        "conditions": shown,
    }


def _conditions(
    attribute_id: int, name: str, operator: str, values: list[str], *, primary: bool = False
) -> list[dict[str, Any]]:
    return [
        {
            "activityAttributeId": attribute_id,
            "activityAttributeName": name,
            "operator": str(operator),
            "values": values,
            "isPrimary": primary,
        }
    ]


def _past(past: Past) -> list[str]:
    return [f"{past.amount} {past.unit}"]


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _select(query: Query) -> Selection:
    return Selection(
        updated_from=query.instant("earliestUpdatedAt"),
        updated_until=query.instant("latestUpdatedAt"),
    )


def _by_id(query: Query) -> Found:
    """Show one smart list, with its rules if `includeRules` is true."""
    wanted = query.boolean("includeRules")
    found = query.catalog.browse(AssetType.SMART_LIST, Selection(ids=[query.path_id("id")]), size=1)
    if not found:
        return Found([])
    entry = found[0]
    shown = asset_list(entry, program_ids(query, [entry]))
    if wanted:
        # Rules become invalid if a field is loaded with another type. They are then left out;
        # a job with this smart list reports the problem.
        with suppress(CatalogError):
            return Found([_with_rules(shown, rules(entry, query.catalog))])
    return Found([shown])


def _with_rules(shown: AssetList, found: SmartListRules) -> SmartList:
    return SmartList(**{name: getattr(shown, name) for name in AssetList.model_fields}, rules=found)


_FAMILY = Family(
    kind=AssetType.SMART_LIST,
    path="smartList",
    # A smart list without its rules has the members of a static list.
    result=AssetList,
    show=asset_list,
    result_in_list=AssetList,
    show_in_list=asset_list,
    select=_select,
    parameters=(EARLIEST, LATEST),
)

SMART_LISTS = (
    *(lookup for lookup in _FAMILY.lookups() if "{id}" not in lookup.path),
    Lookup(
        path="/rest/asset/v1/smartList/{id}.json",
        permissions=allowed("Assets"),
        find=_by_id,
        parameters=(
            path_id("id", "smart list"),
            boolean("includeRules", "Whether the answer has the rules."),
        ),
        result=SmartList,
        envelope=Assets,
    ),
)
"""The look-ups of smart lists: browse, by name, by id."""
