"""A smart list of each operator has the leads that plain Python finds in the same records."""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st
from tests.support.examples import examples
from tests.support.loads import load_activities, load_leads, load_list_members

from outhaul.catalog.entries import Asset, AssetType, Entries, LeadField
from outhaul.catalog.store import Catalog
from outhaul.database.engine import Database
from outhaul.lake.clauses import Scope, UnpinnedError, parse_clause
from outhaul.lake.snapshot import Lake, Snapshots
from outhaul.lake.tables import LEADS
from outhaul.smart_lists import evaluation, stored
from outhaul.smart_lists.clause import InSmartList
from outhaul.smart_lists.evaluation import lead_ids
from outhaul.smart_lists.rules import OPERATORS, Group, Membership, Operator, Unit

NOW = datetime(2026, 1, 31, 12, 30, 15, tzinfo=UTC)
EVERY_ID = (1, 10**9)
EXAMPLES = examples(12, suppress_health_check=[HealthCheck.too_slow])

FIELDS = {
    "aText": "string",
    "aNumber": "integer",
    "anAmount": "currency",
    "aFlag": "boolean",
    "aDay": "date",
    "aMoment": "datetime",
}
TYPES = {1: "Visit Webpage", 13: "Change Data Value", 10: "Open Email"}
LISTS = (1, 2, 3)

# Records: few values, so that rules meet them.

IDS = st.sampled_from([1, 2, 3, 4, 5, 6, 7, 49_999, 50_000, 50_001, 2_000_000, 2_000_001])
TEXTS = st.sampled_from(["", "a", "ab", "abc", "A", "é", "null", "b\n", "😀", "."])
NUMBERS = st.integers(-3, 3) | st.sampled_from([2**63 - 1, -(2**63)])
AMOUNTS = st.sampled_from([-1.5, -0.0, 0.0, 0.1, 1.0, 2.5, 1e300])
DAYS = st.integers(-40, 3).map(lambda n: (NOW + timedelta(days=n)).date())
MOMENTS = st.builds(
    lambda days, seconds, part: NOW + timedelta(days=days, seconds=seconds, microseconds=part),
    st.integers(-9, 1),
    st.sampled_from([0, -1, 1, 41_385, -45_015, -45_014]) | st.integers(-90_000, 90_000),
    st.sampled_from([0, 0, 1, 999_999]),
)
VALUES: Mapping[str, st.SearchStrategy[Any]] = {
    "aText": TEXTS,
    "aNumber": NUMBERS,
    "anAmount": AMOUNTS,
    "aFlag": st.booleans(),
    "aDay": DAYS,
    "aMoment": MOMENTS,
}
LEAD_RECORDS = st.lists(
    st.fixed_dictionaries({"id": IDS, **{name: st.none() | of for name, of in VALUES.items()}}),
    max_size=12,
    unique_by=lambda lead: lead["id"],
)
MEMBERS = st.lists(st.tuples(st.sampled_from(LISTS), IDS), max_size=12, unique=True)
PRIMARY = {"ids": st.sampled_from([7, 8, 9]), "texts": st.sampled_from(["x", "y", "z"])}
ACTIVITY_RECORDS = st.lists(
    st.fixed_dictionaries(
        {
            "leadId": IDS,
            "activityDate": MOMENTS,
            "activityTypeId": st.sampled_from(sorted(TYPES)),
            "primaryAttributeValueId": st.none() | PRIMARY["ids"],
            "primaryAttributeValue": st.none() | PRIMARY["texts"],
        }
    ),
    max_size=25,
)

# Rules, as a catalog file has them.

_EXACT = MOMENTS.map(lambda moment: moment.strftime("%Y-%m-%dT%H:%M:%SZ"))
WRITTEN = {**VALUES, "aDay": DAYS.map(str), "aMoment": _EXACT | DAYS.map(str)}
PAST = st.fixed_dictionaries(
    {"amount": st.integers(1, 9), "unit": st.sampled_from([unit.value for unit in Unit])}
)
_TYPE_OF = {
    "aText": "string",
    "aNumber": "integer",
    "anAmount": "float",
    "aFlag": "boolean",
    "aDay": "date",
    "aMoment": "datetime",
}


def field_rules(operator: Operator) -> st.SearchStrategy[dict[str, Any]]:
    """Give conditions with an operator, on each field that it fits."""
    fitting = {of.value for of, operators in OPERATORS.items() if operator in operators}
    return st.one_of([_on(name, operator) for name in FIELDS if _TYPE_OF[name] in fitting])


def _on(name: str, operator: Operator) -> st.SearchStrategy[dict[str, Any]]:
    rule = {"field": name, "operator": operator.value}
    values = WRITTEN[name]
    match operator:
        case Operator.EMPTY | Operator.NOT_EMPTY:
            return st.just(rule)
        case Operator.IN_PAST:
            return PAST.map(lambda past: rule | past)
        case Operator.BETWEEN:
            return st.lists(values, min_size=2, max_size=2).map(
                lambda some: rule | {"values": some}
            )
        case Operator.GREATER | Operator.LESS | Operator.BEFORE | Operator.AFTER:
            return values.map(lambda value: rule | {"value": value})
        case Operator.CONTAINS | Operator.STARTS_WITH:
            values = values.filter(bool)
    return st.lists(values, min_size=1, max_size=3).map(lambda some: rule | {"values": some})


LIST_RULES = st.fixed_dictionaries(
    {
        "list": st.sampled_from([*LISTS, *(f"List {n}" for n in LISTS)]),
        "operator": st.sampled_from([entry.value for entry in Membership]),
    }
)
_WRITTEN_DAYS = st.lists(WRITTEN["aMoment"], min_size=2, max_size=2)
ACTIVITY_RULES = st.builds(
    lambda *pieces: {name: value for piece in pieces for name, value in piece.items()},
    st.fixed_dictionaries({"activity": st.sampled_from([*TYPES, *TYPES.values()])}),
    st.just({})
    | st.fixed_dictionaries({"atLeast": st.integers(0, 3)})
    | st.fixed_dictionaries({"atMost": st.integers(0, 3)})
    | st.integers(0, 2).flatmap(
        lambda n: st.fixed_dictionaries({"atLeast": st.just(n), "atMost": st.integers(n, 3)})
    ),
    st.just({})
    | st.fixed_dictionaries({"primaryAttributeValueIds": st.lists(PRIMARY["ids"], min_size=1)})
    | st.fixed_dictionaries({"primaryAttributeValues": st.lists(PRIMARY["texts"], min_size=1)}),
    st.just({})
    | st.fixed_dictionaries({"inPast": PAST})
    | st.fixed_dictionaries({"between": _WRITTEN_DAYS}),
)
ANY_CONDITION = st.one_of(*map(field_rules, Operator), LIST_RULES, ACTIVITY_RULES)
NESTED = st.recursive(
    ANY_CONDITION,
    lambda rules: st.builds(
        lambda match, some: {match: some},
        st.sampled_from(["all", "any"]),
        st.lists(rules, min_size=1, max_size=3),
    ),
    max_leaves=8,
)

Records = tuple[list[dict[str, Any]], list[tuple[int, int]], list[dict[str, Any]]]


# What plain Python has to say.


def fits(rule: Mapping[str, Any], lead: Mapping[str, Any], records: Records) -> bool:
    _, members, activities = records
    if "all" in rule:
        return all(fits(entry, lead, records) for entry in rule["all"])
    if "any" in rule:
        return any(fits(entry, lead, records) for entry in rule["any"])
    if "list" in rule:
        number = int(str(rule["list"]).removeprefix("List "))
        return bool(((number, lead["id"]) in members) == (rule["operator"] == "member"))
    if "activity" in rule:
        done = [one for one in activities if one["leadId"] == lead["id"] and counts(rule, one)]
        least = rule.get("atLeast", 0 if "atMost" in rule else 1)
        return bool(least <= len(done) <= rule.get("atMost", len(done)))
    return value_fits(rule, lead[rule["field"]])


def counts(rule: Mapping[str, Any], activity: Mapping[str, Any]) -> bool:
    if rule["activity"] not in (activity["activityTypeId"], TYPES[activity["activityTypeId"]]):
        return False
    for key in ("primaryAttributeValueId", "primaryAttributeValue"):
        if f"{key}s" in rule and activity[key] not in rule[f"{key}s"]:
            return False
    second = activity["activityDate"].replace(microsecond=0)
    if "inPast" in rule:
        return bool(NOW - length(rule["inPast"]) <= second <= NOW)
    if "between" in rule:
        first, last = rule["between"]
        return bool(ends(first)[0] <= second <= ends(last)[1])
    return True


def length(past: Mapping[str, Any]) -> timedelta:
    seconds = {"minutes": 60, "hours": 3_600, "days": 86_400, "weeks": 7 * 86_400}
    return timedelta(seconds=past["amount"] * seconds[past["unit"]])


def ends(written: str) -> tuple[datetime, datetime]:
    if "T" in written:
        moment = datetime.fromisoformat(written)
        return moment, moment
    day = date.fromisoformat(written)
    midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)
    return midnight, midnight + timedelta(seconds=86_399)


def value_fits(  # noqa: C901, PLR0911, PLR0912 - one row for each operator
    rule: Mapping[str, Any], value: Any
) -> bool:
    operator = rule["operator"]
    given = rule.get("values", [rule["value"]] if "value" in rule else [])
    if operator == "empty":
        return value is None or value == ""
    if operator == "not empty":
        return value is not None and value != ""
    if value is None:
        return bool(operator == "is not")
    if operator == "contains":
        return any(text in value for text in given)
    if operator == "starts with":
        return any(value.startswith(text) for text in given)
    if isinstance(value, datetime):
        value = value.replace(microsecond=0)
        spans = [ends(text) for text in given]
    elif isinstance(value, date):
        spans = [(date.fromisoformat(text),) * 2 for text in given]  # type: ignore[misc]
    else:
        spans = [(one, one) for one in given]
    if operator in ("is", "is not"):
        return bool(any(first <= value <= last for first, last in spans) == (operator == "is"))
    if operator == "between":
        return bool(spans[0][0] <= value <= spans[1][1])
    if operator in ("greater", "after"):
        return bool(value > spans[0][1])
    if operator in ("less", "before"):
        return bool(value < spans[0][0])
    assert operator == "in past"
    first, last = NOW - length(rule), NOW
    if isinstance(value, datetime):
        return first <= value <= last
    return bool(first.date() <= value <= last.date())


# The same, by the service.


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Catalog]:
    database = Database(f"sqlite:///{tmp_path_factory.mktemp('state') / 'outhaul.db'}")
    database.migrate()
    found = Catalog(database, "default")
    found.store(
        Entries(
            lead_fields=tuple(
                LeadField(id=9_000 + n, name=name, display_name=name, data_type=of)
                for n, (name, of) in enumerate(FIELDS.items())
            ),
            assets=tuple(Asset(type=AssetType.STATIC_LIST, id=n, name=f"List {n}") for n in LISTS),
        )
    )
    yield found
    database.close()


def loaded(catalog: Catalog, folder: Path, records: Records) -> Lake:
    leads, members, activities = records
    lake = Lake(folder / "lake")
    numbered = [
        {"marketoGUID": str(n), "attributes": {}, **one} for n, one in enumerate(activities)
    ]
    pairs = [{"listId": number, "leadId": lead} for number, lead in members]
    for load, some in (
        (load_leads, leads),
        (load_list_members, pairs),
        (load_activities, numbered),
    ):
        if some:
            path = folder / "records.jsonl"
            path.write_text("".join(json.dumps(one, default=written) + "\n" for one in some))
            load(lake, catalog, path, NOW, lambda _: None)
    return lake


def written(value: Any) -> str:
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return str(value)


def rules_of(catalog: Catalog, rule: Mapping[str, Any]) -> Group:
    """Return rules as the catalog reads them; they come from a file."""
    content = json.loads(json.dumps({"rules": {"all": [rule]}}))
    smart_list = Asset(type=AssetType.SMART_LIST, id=1, name="Smart", description=content)
    return stored.rules_of(catalog, smart_list)


def found(lake: Lake, rules: Group, ids: tuple[int, int] = EVERY_ID) -> list[int]:
    """Return the leads of a list, by a plan that was kept meanwhile."""
    clause = pinned(rules, lake)
    kept = parse_clause(json.loads(json.dumps(clause.to_json())))
    assert kept == clause
    assert isinstance(kept, InSmartList)
    return evaluated(kept, lake, ids)


def pinned(rules: Group, lake: Lake) -> InSmartList:
    clause = InSmartList(rules, NOW).pin(Snapshots(lake))
    assert isinstance(clause, InSmartList)
    return clause


def evaluated(clause: InSmartList, lake: Lake, ids: tuple[int, int] = EVERY_ID) -> list[int]:
    assert clause.pinned is not None
    scope = Scope(lake=lake, ids=ids)
    return lead_ids(clause.rules, clause.moment, clause.pinned, scope).to_list()


def hold(catalog: Catalog, records: Records, rules: Sequence[Mapping[str, Any]]) -> None:
    with TemporaryDirectory() as folder:
        lake = loaded(catalog, Path(folder), records)
        for rule in rules:
            expected = sorted(lead["id"] for lead in records[0] if fits(rule, lead, records))
            assert sorted(found(lake, rules_of(catalog, rule))) == expected, rule


RECORDS = st.tuples(LEAD_RECORDS, MEMBERS, ACTIVITY_RECORDS)


@pytest.mark.parametrize("operator", Operator)
def test_operator_on_fields_is_as_plain_python_has_it(catalog: Catalog, operator: Operator) -> None:
    @EXAMPLES
    @given(LEAD_RECORDS, st.lists(field_rules(operator), min_size=8, max_size=16))
    def check(leads: list[dict[str, Any]], rules: list[dict[str, Any]]) -> None:
        hold(catalog, (leads, [], []), rules)

    check()


@EXAMPLES
@given(records=RECORDS, rules=st.lists(LIST_RULES, min_size=4, max_size=8))
def test_membership_is_as_plain_python_has_it(
    catalog: Catalog, records: Records, rules: list[dict[str, Any]]
) -> None:
    hold(catalog, records, rules)


@examples(25, suppress_health_check=[HealthCheck.too_slow])
@given(records=RECORDS, rules=st.lists(ACTIVITY_RULES, min_size=6, max_size=12))
def test_activities_are_counted_as_plain_python_does(
    catalog: Catalog, records: Records, rules: list[dict[str, Any]]
) -> None:
    hold(catalog, records, rules)


@examples(40, suppress_health_check=[HealthCheck.too_slow])
@given(records=RECORDS, rules=st.lists(NESTED, min_size=4, max_size=8))
def test_nested_rules_are_as_plain_python_has_them(
    catalog: Catalog, records: Records, rules: list[dict[str, Any]]
) -> None:
    hold(catalog, records, rules)


LEADS_OF_THREE_RANGES = [
    {"id": number, "aNumber": number % 3} for number in (1, 2, 50_000, 50_001, 100_000, 2_000_000)
]


def test_only_the_ids_that_are_asked_for_are_evaluated(
    catalog: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = loaded(catalog, tmp_path, (LEADS_OF_THREE_RANGES, [], []))
    rules = rules_of(catalog, {"field": "id", "operator": "not empty"})
    assert found(lake, rules, (2, 50_000)) == [2, 50_000]
    assert found(lake, rules, (3, 49_999)) == []
    whole = found(lake, rules)
    monkeypatch.setattr(evaluation, "RANGES_AT_ONCE", 1)
    assert found(lake, rules) == whole == [lead["id"] for lead in LEADS_OF_THREE_RANGES]


def test_records_that_were_never_loaded_are_none(catalog: Catalog, tmp_path: Path) -> None:
    lake = Lake(tmp_path / "nowhere")
    assert found(lake, rules_of(catalog, {"field": "aText", "operator": "empty"})) == []
    lake = loaded(catalog, tmp_path, ([{"id": 7}], [], []))
    assert found(lake, rules_of(catalog, {"activity": 1})) == []
    assert found(lake, rules_of(catalog, {"activity": 1, "atMost": 0})) == [7]
    assert found(lake, rules_of(catalog, {"list": 1, "operator": "not member"})) == [7]
    # The table has not got the column, as no file had it.
    assert found(lake, rules_of(catalog, {"field": "aDay", "operator": "empty"})) == [7]
    assert found(lake, rules_of(catalog, {"field": "aDay", "operator": "in past"} | WEEK)) == []


WEEK = {"amount": 1, "unit": "weeks"}


def test_what_is_loaded_later_is_not_seen(catalog: Catalog, tmp_path: Path) -> None:
    lake = loaded(catalog, tmp_path, ([{"id": 1, "aText": "a"}], [(1, 1)], []))
    rules = rules_of(
        catalog,
        {
            "any": [
                {"field": "aText", "operator": "is", "value": "a"},
                {"list": 1, "operator": "member"},
                {"activity": 1},
            ]
        },
    )
    clause = pinned(rules, lake)
    done = [{"leadId": 1, "activityDate": NOW, "activityTypeId": 1}]
    loaded(catalog, tmp_path, ([{"id": 1, "aText": "b"}, {"id": 2, "aText": "a"}], [(1, 2)], done))
    assert evaluated(clause, lake) == [1]
    assert found(lake, rules) == [1, 2]


def test_files_of_other_days_and_types_are_not_read(catalog: Catalog, tmp_path: Path) -> None:
    days = [
        {"leadId": 1, "activityDate": NOW - timedelta(days=n), "activityTypeId": 1}
        for n in range(10)
    ]
    lake = loaded(catalog, tmp_path, ([{"id": 1}], [], days))

    def files(rule: dict[str, Any]) -> int:
        clause = pinned(rules_of(catalog, rule), lake)
        assert clause.pinned is not None
        return len(clause.pinned.activities[0])

    assert files({"activity": 1}) == 10
    assert files({"activity": 13}) == 0
    assert files({"activity": 1, "between": ["2026-01-30", "2026-01-31"]}) == 2
    assert files({"activity": 1, "inPast": {"amount": 24, "unit": "hours"}}) == 2


def test_column_that_began_in_another_type_is_read_in_the_catalogs(
    catalog: Catalog, tmp_path: Path
) -> None:
    lake = loaded(catalog, tmp_path, ([{"id": n, "aText": str(n)} for n in (1, 2, 30)], [], []))
    snapshot = lake.snapshot(LEADS)
    assert snapshot is not None
    assert snapshot.columns["aText"] == pl.String()
    as_number = LeadField(id=9_000, name="aText", display_name="aText", data_type="integer")
    other = Asset(
        type=AssetType.SMART_LIST,
        id=1,
        name="Smart",
        description={"rules": {"all": [{"field": "aText", "operator": "greater", "value": 1}]}},
    )
    before = catalog.lead_fields()["aText"]
    catalog.store(Entries(lead_fields=(as_number,)))
    try:
        assert found(lake, stored.rules_of(catalog, other)) == [2, 30]
    finally:
        catalog.store(Entries(lead_fields=(before,)))


def test_rules_without_pinned_records_are_not_evaluated(catalog: Catalog, tmp_path: Path) -> None:
    clause = InSmartList(rules_of(catalog, {"activity": 1}), NOW)
    with pytest.raises(UnpinnedError):
        clause.expression(Scope(lake=Lake(tmp_path), ids=EVERY_ID))
