"""Smart lists, as the calls under `/rest/asset` show them; by id with their rules, if wanted.

The shape of the answer is flat: filters, and whether all or any must hold. Of nested groups it has
the conditions in order, the match type `Advanced`, and the logic in words, as `1 and (2 or 3)`.
"""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from itertools import count
from typing import Any

from outhaul.api.lookups.answering import Lookup, Query, allowed
from outhaul.api.lookups.assets import Family, asset_list
from outhaul.api.lookups.browsing import program_ids
from outhaul.api.lookups.parameters import EARLIEST, LATEST, path_id
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
"""The id of the rule type of a condition on a static list: it is no activity and no field."""


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
    """Return how conditions, by their numbers from 1 on, come together: `1 and (2 or 3)`."""
    return _logic(group, count(1))


def _logic(group: Group, numbers: Iterator[int]) -> str:
    pieces = [
        f"({_logic(entry, numbers)})" if isinstance(entry, Group) else str(next(numbers))
        for entry in group.rules
    ]
    return (" and " if group.match == "all" else " or ").join(pieces)


class _Described:
    """Describes conditions in the names of a catalog."""

    def __init__(self, catalog: Catalog) -> None:
        self._fields = catalog.lead_fields()
        self._types = catalog.activity_types()
        self._lists = {entry.id: entry for entry in catalog.assets(AssetType.STATIC_LIST)}

    def condition(self, rule: Rule) -> dict[str, Any]:
        """Return a condition as a filter of the smart list."""
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
        asked = _asked(field.id, field.display_name, rule.operator, values, primary=True)
        return _filter(field.display_name, field.id, "Lead Attribute", rule.operator, asked)

    def _list(self, rule: ListRule) -> dict[str, Any]:
        name = self._lists[rule.list_id].qualified_name
        asked = _asked(0, "List Name", "is", [name], primary=True)
        return _filter("Member of List", _MEMBER_OF_LIST, "Static List", rule.operator, asked)

    def _activity(self, rule: ActivityRule) -> dict[str, Any]:
        kind = self._types[rule.activity_type]
        primary = kind.description.get("primaryAttribute")
        named = primary.get("name", "") if isinstance(primary, Mapping) else ""
        values = [*map(str, rule.value_ids), *rule.values]
        asked = _asked(0, named, "is", values, primary=True) if values else []
        asked += _asked(0, "Min. Number of Times", "at least", [str(rule.at_least)])
        if rule.at_most is not None:
            asked += _asked(0, "Max. Number of Times", "at most", [str(rule.at_most)])
        if isinstance(rule.period, Past):
            asked += _asked(0, "Date of Activity", "in past", _past(rule.period))
        elif rule.period is not None:
            ends = [rule.period.start, rule.period.end]
            asked += _asked(0, "Date of Activity", "between", ends)
        return _filter(kind.name, kind.id, "Activity", "is", asked)


def _filter(
    name: str, type_id: int, rule_type: str, operator: str, asked: list[dict[str, Any]]
) -> dict[str, Any]:
    return {
        "name": name,
        "ruleTypeId": type_id,
        "ruleType": rule_type,
        "operator": str(operator),
        "conditions": asked,
    }


def _asked(
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
    """Show one smart list, with its rules where `includeRules` says so."""
    wanted = query.boolean("includeRules")
    found = query.catalog.browse(AssetType.SMART_LIST, Selection(ids=[query.path_id("id")]), size=1)
    if not found:
        return Found([])
    entry = found[0]
    shown = asset_list(entry, program_ids(query, [entry]))
    if wanted:
        # Where a field was loaded in another type since, rules may fit no more: a job says which.
        with suppress(CatalogError):
            return Found([_with_rules(shown, rules(entry, query.catalog))])
    return Found([shown])


def _with_rules(shown: AssetList, found: SmartListRules) -> SmartList:
    return SmartList(**{name: getattr(shown, name) for name in AssetList.model_fields}, rules=found)


_FAMILY = Family(
    kind=AssetType.SMART_LIST,
    path="smartList",
    # A smart list is shown as a static one is.
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
            boolean("includeRules", "Whether the rules are shown."),
        ),
        result=SmartList,
        envelope=Assets,
    ),
)
"""Browse, by name, by id."""
