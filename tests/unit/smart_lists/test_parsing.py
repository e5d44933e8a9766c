import json
import re
from typing import Any

import pytest
from tests.support.paths import DOCS

from outhaul.catalog.entries import CatalogError, Entries, LeadField, parse_catalog
from outhaul.catalog.store import Catalog
from outhaul.database.engine import Database
from outhaul.protocol.instants import parse_instant
from outhaul.smart_lists.parsing import DEEPEST, PlannedNames, read_rules
from outhaul.smart_lists.rules import (
    OPERATORS,
    ActivityRule,
    Between,
    FieldRule,
    Group,
    ListRule,
    Membership,
    Operator,
    Past,
    Unit,
    ValueType,
    span,
)
from outhaul.smart_lists.stored import rules_of, store_entries

PAGE = (DOCS / "smart-lists.md").read_text("utf-8")
FORM = {"id": 1, "name": "List"}
LISTS = [
    {"id": 1, "name": "Readers"},
    {"id": 2, "name": "Twins", "program": "A"},
    {"id": 3, "name": "Twins", "program": "B"},
]


@pytest.fixture
def catalog(database: Database) -> Catalog:
    found = Catalog(database, "default")
    found.store(parse_catalog({"staticLists": LISTS}))
    days = LeadField(id=9_001, name="aDay", display_name="A day", data_type="date")
    found.store(Entries(lead_fields=(days,)))
    return found


def read(catalog: Catalog, *rules: Any) -> tuple[Any, ...]:
    """Return the rules of a list that was loaded and read again."""
    entries = parse_catalog({"smartLists": [{**FORM, "rules": {"all": list(rules)}}]})
    store_entries(catalog, entries)
    found = rules_of(catalog, entries.assets[0])
    assert found.match == "all"
    return found.rules


def field(operator: str, **more: Any) -> dict[str, Any]:
    return {"field": "country", "operator": operator, **more}


def test_rules_of_every_sort_are_read(catalog: Catalog) -> None:
    assert read(
        catalog,
        field("is", value="Japan"),
        {"field": "leadScore", "operator": "between", "values": [1, 2]},
        {"field": "createdAt", "operator": "in past", "amount": 2, "unit": "weeks"},
        {"list": "Readers", "operator": "not member"},
        {"list": "B.Twins", "operator": "member"},
        {"any": [{"activity": "Open Email", "atMost": 3, "primaryAttributeValues": ["a"]}]},
        {"activity": 1, "inPast": {"amount": 5, "unit": "hours"}, "primaryAttributeValueIds": [7]},
        {"activity": 1, "atLeast": 2, "between": ["2026-01-01", "2026-01-31T10:00:00Z"]},
    ) == (
        FieldRule(field="country", type=ValueType.TEXT, operator=Operator.IS, values=("Japan",)),
        FieldRule(
            field="leadScore", type=ValueType.INTEGER, operator=Operator.BETWEEN, values=(1, 2)
        ),
        FieldRule(
            field="createdAt",
            type=ValueType.DATETIME,
            operator=Operator.IN_PAST,
            past=Past(amount=2, unit=Unit.WEEKS),
        ),
        ListRule(list_id=1, operator=Membership.NOT_MEMBER),
        ListRule(list_id=3, operator=Membership.MEMBER),
        Group(
            match="any",
            rules=(ActivityRule(activity_type=10, values=("a",), at_least=0, at_most=3),),
        ),
        ActivityRule(activity_type=1, value_ids=(7,), period=Past(amount=5, unit=Unit.HOURS)),
        ActivityRule(
            activity_type=1,
            at_least=2,
            period=Between(start="2026-01-01", end="2026-01-31T10:00:00Z"),
        ),
    )


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        (None, ": expected an object, found None"),
        ({}, ": expected one of all, any, field, list and activity; found none"),
        ({"all": [], "field": "a"}, ": expected one of .* found all and field"),
        ({"all": []}, r"\.all: expected an array of at least one"),
        ({"any": [field("is", value="a")], "operator": "is"}, r"\.operator: not known here"),
        ({"any": [field("is", value="a"), 7]}, r"\.any\[1\]: expected an object, found 7"),
        # Names that there are not
        ({"field": "shoeSize", "operator": "is"}, r"\.field: there is no lead field 'shoeSize'"),
        ({"field": 7, "operator": "is"}, r"\.field: expected a text, found 7"),
        ({"list": "Nobody", "operator": "member"}, r"\.list: there is no static list 'Nobody'"),
        ({"list": 99, "operator": "member"}, r"\.list: there is no static list 99"),
        ({"list": "Twins", "operator": "member"}, r"\.list: several .* 'Twins': ids 2, 3"),
        ({"list": True, "operator": "member"}, r"\.list: expected a name or an id"),
        ({"activity": "Dance"}, r"\.activity: there is no activity type 'Dance'"),
        ({"activity": 9_999}, r"\.activity: there is no activity type 9999"),
        ({"activity": None}, r"\.activity: expected a name or an id"),
        # Operators that there are not, or that do not fit
        (field("resembles", value="a"), r"\.operator: 'resembles' is none of is, is not, "),
        ({"field": "country"}, r"\.operator: None is none of"),
        (
            field("greater", value=1),
            r"\.operator: 'greater' does not fit 'country', which is of type string; there are is",
        ),
        ({"list": 1, "operator": "is"}, r"\.operator: 'is' is none of member, not member"),
        ({"field": "unsubscribed", "operator": "less", "value": 1}, r"\.operator: 'less' does not"),
        ({"field": "leadScore", "operator": "in past"}, r"\.operator: 'in past' does not fit"),
        # Values that do not fit
        (field("is"), r"\.value: expected a text, found None"),
        (field("is", value="a", values=["a"]), r"\.values: it cannot be used with value"),
        (field("is", values=[]), r"\.values: expected an array of at least one"),
        (field("is", values=["a", 1]), r"\.values\[1\]: expected a text, found 1"),
        (field("contains", value=""), r"\.value: expected a text, found ''"),
        (field("empty", value="a"), r"\.value: not known here; there are field, operator"),
        ({"field": "leadScore", "operator": "is", "value": 1.5}, r"\.value: expected an integer"),
        ({"field": "leadScore", "operator": "is", "value": 2**63}, r"\.value: expected an integer"),
        ({"field": "urgency", "operator": "less", "value": True}, r"\.value: expected a number"),
        ({"field": "urgency", "operator": "less", "value": 10**30}, r"\.value: expected a number"),
        ({"field": "unsubscribed", "operator": "is", "value": 1}, r"\.value: expected true or"),
        ({"field": "leadScore", "operator": "greater", "values": [1]}, r"\.values: .* one value"),
        ({"field": "leadScore", "operator": "between", "values": [1]}, r"\.values: expected two"),
        ({"field": "leadScore", "operator": "between", "value": 1}, r"\.values: expected an array"),
        ({"field": "createdAt", "operator": "after", "value": "soon"}, r"\.value: expected a day"),
        ({"field": "aDay", "operator": "is", "value": "2026-02-30"}, r"\.value: expected a day"),
        (
            {"field": "aDay", "operator": "is", "value": "2026-01-31T00:00:00Z"},
            r"\.value: expected a day",
        ),
        # Periods and counts
        (
            {"field": "createdAt", "operator": "in past", "amount": 0, "unit": "days"},
            r"\.amount: expected a positive integer",
        ),
        (
            {"field": "createdAt", "operator": "in past", "amount": 1, "unit": "moons"},
            r"\.unit: 'moons' is none of minutes, hours, days, weeks",
        ),
        (
            {"field": "createdAt", "operator": "in past", "amount": 10**30, "unit": "days"},
            r"\.amount: 1000000000000000000000000000000 days are more than a century",
        ),
        ({"activity": 1, "atLeast": -1}, r"\.atLeast: expected a count"),
        ({"activity": 1, "atLeast": 2, "atMost": 1}, r"\.atMost: 1 is less than atLeast, 2"),
        ({"activity": 1, "inPast": 7}, r"\.inPast: expected an object of amount and unit"),
        ({"activity": 1, "inPast": {"days": 7}}, r"\.inPast\.days: not known here"),
        ({"activity": 1, "between": ["2026-01-01"]}, r"\.between: expected two, found 1"),
        ({"activity": 1, "between": ["a", "b"]}, r"\.between\[0\]: expected a day"),
        (
            {"activity": 1, "inPast": {"amount": 1, "unit": "days"}, "between": []},
            r"\.between: it cannot be used with inPast",
        ),
        (
            {"activity": 1, "primaryAttributeValueIds": [1], "primaryAttributeValues": ["a"]},
            r"\.primaryAttributeValues: it cannot be used with primaryAttributeValueIds",
        ),
        (
            {"activity": 1, "primaryAttributeValueIds": ["1"]},
            r"\.primaryAttributeValueIds\[0\]: expected",
        ),
        ({"activity": 1, "howOften": 2}, r"\.howOften: not known here"),
    ],
)
def test_what_does_not_fit_is_refused_with_its_place(
    catalog: Catalog, rule: Any, message: str
) -> None:
    fits = {**FORM, "rules": {"any": [field("is", value="a")]}}
    other = {"id": 2, "name": "Other", "rules": {"all": [field("empty"), rule]}}
    entries = parse_catalog({"forms": [{"id": 5, "name": "F"}], "smartLists": [fits, other]})
    before = list(catalog.assets(entries.assets[0].type))
    with pytest.raises(CatalogError, match=rf"^smartLists\[1\]\.rules\.all\[1\]{message}"):
        store_entries(catalog, entries)
    # Nothing of the file is kept.
    assert list(catalog.assets(entries.assets[0].type)) == before


@pytest.mark.parametrize("rules", [None, [], {"field": "country", "operator": "empty"}])
def test_rules_are_a_group(catalog: Catalog, rules: Any) -> None:
    entries = parse_catalog({"smartLists": [{**FORM, "rules": rules}]})
    with pytest.raises(CatalogError, match=r"^smartLists\[0\]\.rules: expected"):
        store_entries(catalog, entries)


def test_groups_go_into_each_other_but_not_for_ever(catalog: Catalog) -> None:
    rule: dict[str, Any] = field("empty")
    for _ in range(DEEPEST - 1):
        rule = {"any": [rule]}
    assert read(catalog, rule)
    with pytest.raises(CatalogError, match=f"more than {DEEPEST} groups"):
        read(catalog, {"any": [rule]})


def test_a_file_may_name_lists_of_its_own(catalog: Catalog) -> None:
    rules = {"all": [{"list": "New", "operator": "member"}]}
    entries = parse_catalog(
        {
            "smartLists": [{**FORM, "rules": rules}],
            "staticLists": [{"id": 77, "name": "New"}],
        }
    )
    store_entries(catalog, entries)
    (kept,) = [entry for entry in entries.assets if entry.id == FORM["id"]]
    assert "77" in repr(rules_of(catalog, kept))


def test_rules_that_fit_no_more_are_told(catalog: Catalog) -> None:
    entries = parse_catalog(
        {"smartLists": [{**FORM, "rules": {"all": [field("contains", value="a")]}}]}
    )
    store_entries(catalog, entries)
    as_number = LeadField(id=9_002, name="country", display_name="Country", data_type="integer")
    catalog.store(Entries(lead_fields=(as_number,)))
    with pytest.raises(CatalogError, match=r"^smart list 'List': rules\.all\[0\]\.operator: 'con"):
        rules_of(catalog, entries.assets[0])


def test_a_number_is_finite() -> None:
    rule = {"field": "urgency", "operator": "less", "value": float("inf")}
    with pytest.raises(CatalogError, match=r"^rules\.all\[0\]\.value: expected a number"):
        read_rules({"all": [rule]}, "rules", PlannedNames({"urgency": "float"}))


@pytest.mark.parametrize("of", ValueType)
def test_every_type_has_operators(of: ValueType) -> None:
    assert {Operator.IS, Operator.IS_NOT, Operator.EMPTY, Operator.NOT_EMPTY} <= OPERATORS[of]


def test_a_day_is_all_of_it_and_a_moment_its_second() -> None:
    first, last = "2026-01-31T00:00:00Z", "2026-01-31T23:59:59Z"
    assert span("2026-01-31") == (parse_instant(first), parse_instant(last))
    assert span(last) == (parse_instant(last), parse_instant(last))


def test_the_page_names_every_operator() -> None:
    for operator in (*Operator, *Membership, *Unit):
        assert f"`{operator}`" in PAGE or f'"{operator}"' in PAGE


def test_the_example_of_the_page_can_be_loaded(catalog: Catalog) -> None:
    (example,) = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)
    entries = parse_catalog(json.loads(example))
    store_entries(catalog, entries)
    assert [len(rules_of(catalog, entry).rules) for entry in entries.assets] == [3, 2]
    content = json.loads(example)
    content["smartLists"][0]["rules"]["all"][1]["operator"] = "greater"
    (message,) = re.findall(r"`(smartLists\[0\].*?) …`", PAGE)
    with pytest.raises(CatalogError, match=re.escape(message)):
        store_entries(catalog, parse_catalog(content))
