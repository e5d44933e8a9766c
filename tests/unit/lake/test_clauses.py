import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.examples import examples

from outhaul.lake.clauses import (
    AllOf,
    AnyOf,
    AtLeast,
    Between,
    Clause,
    MemberOf,
    NoneOf,
    OneOf,
    Scope,
    UnpinnedError,
    Within,
    all_of,
    parse_clause,
)
from outhaul.lake.files import TableFile
from outhaul.lake.snapshot import Lake, Snapshots
from outhaul.lake.tables import LIST_MEMBERS
from outhaul.records.columns import INSTANT

EXAMPLES = examples(150)
LAST = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)

SECONDS = st.sampled_from([NOON + timedelta(seconds=n) for n in range(-2, 3)]) | st.sampled_from(
    [LAST - timedelta(seconds=1), LAST, datetime(1, 1, 1, tzinfo=UTC)]
)
FRACTIONS = st.sampled_from([0, 1, 500_000, 999_999]) | st.integers(0, 999_999)
MOMENTS = st.builds(lambda moment, part: moment.replace(microsecond=part), SECONDS, FRACTIONS)
SCHEMA = {"moment": INSTANT, "number": pl.Int64(), "text": pl.String(), "id": pl.Int64()}
RECORDS = st.fixed_dictionaries(
    {
        "moment": st.none() | MOMENTS,
        "number": st.none() | st.integers(-2, 2) | st.sampled_from([2**63 - 1, -(2**63)]),
        "text": st.none() | st.sampled_from(["", "a", "b", "é", "\0", "😀"]),
        "id": st.integers(1, 5),
    }
)
WINDOWS = st.builds(lambda ends: Within("moment", *sorted(ends)), st.tuples(SECONDS, SECONDS))
NUMBERS = st.lists(st.integers(-3, 3) | st.just(2**63 - 1), min_size=1, max_size=3)
TEXTS = st.lists(st.sampled_from(["", "a", "c", "é", "😀"]), min_size=1, max_size=3)
SIMPLE = st.one_of(
    WINDOWS,
    NUMBERS.map(lambda values: OneOf("number", tuple(values))),
    NUMBERS.map(lambda values: NoneOf("number", tuple(values))),
    TEXTS.map(lambda values: OneOf("text", tuple(values))),
    st.integers(1, 2).map(MemberOf),
    st.builds(Between, st.just("number"), st.integers(-3, 3), st.integers(-3, 3)),
    st.builds(AtLeast, st.just("text"), st.sampled_from(["", "a", "b", "é", "\0", "😀"])),
)
SEVERAL = st.lists(SIMPLE, min_size=1, max_size=3).map(tuple)
ALL = SEVERAL.map(AllOf)
CLAUSES: st.SearchStrategy[Clause] = st.one_of(
    SIMPLE,
    ALL,
    SEVERAL.map(AnyOf),
    st.lists(SIMPLE | ALL, min_size=1, max_size=3).map(tuple).map(AnyOf),
)
LISTS = {1: [1, 2], 2: []}


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """A lake with the members of the lists, whose files `pinned` names."""
    folder = tmp_path_factory.mktemp("lake")
    (folder / LIST_MEMBERS.name).mkdir()
    for list_id, leads in LISTS.items():
        members = pl.DataFrame({"leadId": leads}, schema={"leadId": pl.Int64})
        members.write_parquet(folder / LIST_MEMBERS.name / f"{list_id}.parquet")
    return Lake(folder)


def pinned(clause: Clause) -> Clause:
    if isinstance(clause, AnyOf | AllOf):
        return type(clause)(tuple(map(pinned, clause.clauses)))
    if isinstance(clause, MemberOf):
        return replace(clause, pinned=(f"{clause.list_id}.parquet",))
    return clause


def fits(clause: Clause, record: dict[str, Any]) -> bool:  # noqa: PLR0911 - one for each type
    """Tell whether a record fits, as plain Python has it."""
    match clause:
        case Within(column, start, end):
            moment = record[column]
            return moment is not None and start <= moment.replace(microsecond=0) <= end
        case OneOf(column, values):
            return record[column] in values
        case NoneOf(column, values):
            return record[column] is not None and record[column] not in values
        case AllOf(clauses):
            return all(fits(entry, record) for entry in clauses)
        case AnyOf(clauses):
            return any(fits(entry, record) for entry in clauses)
        case Between(column, least, greatest):
            return record[column] is not None and least <= record[column] <= greatest
        case AtLeast(column, text):
            return record[column] is not None and record[column] >= text
        case MemberOf(list_id):
            return record["id"] in LISTS[list_id]
    raise AssertionError(clause)


def bounds_of(records: list[dict[str, Any]]) -> dict[str, tuple[Any, Any]]:
    """Return the bounds that a file of these records has: none where it has no value."""
    found = {}
    for name in SCHEMA:
        values = [record[name] for record in records if record[name] is not None]
        found[name] = (min(values), max(values)) if values else (None, None)
    return found


def chosen(
    clauses: list[Clause], records: list[dict[str, Any]], lake: Lake
) -> list[dict[str, Any]]:
    frame = pl.DataFrame(records, schema=SCHEMA)
    wanted = all_of([pinned(clause) for clause in clauses], Scope(lake=lake, ids=(1, 5)))
    return frame.filter(wanted).to_dicts()


@EXAMPLES
@given(st.lists(CLAUSES, max_size=3), st.lists(RECORDS, max_size=6))
def test_just_the_records_that_fit_all_clauses_are_chosen(
    lake: Lake, clauses: list[Clause], records: list[dict[str, Any]]
) -> None:
    wanted = [record for record in records if all(fits(clause, record) for clause in clauses)]
    assert chosen(clauses, records, lake) == wanted


@EXAMPLES
@given(CLAUSES, st.lists(RECORDS, min_size=1, max_size=6))
def test_a_file_that_holds_a_record_that_fits_is_never_refuted(
    clause: Clause, records: list[dict[str, Any]]
) -> None:
    if any(fits(clause, record) for record in records):
        assert clause.may_match(bounds_of(records))
        assert clause.may_match({})


@EXAMPLES
@given(CLAUSES)
def test_a_clause_outlives_its_process_as_json(clause: Clause) -> None:
    for each in (clause, pinned(clause)):
        assert parse_clause(json.loads(json.dumps(each.to_json()))) == each


@EXAMPLES
@given(CLAUSES)
def test_a_clause_names_the_columns_that_it_looks_at(lake: Lake, clause: Clause) -> None:
    expression = pinned(clause).expression(Scope(lake=lake, ids=(1, 5)))
    assert set(expression.meta.root_names()) == clause.columns


@pytest.mark.parametrize("end", [NOON, LAST])
def test_both_ends_of_a_window_belong_to_it_to_the_second(lake: Lake, end: datetime) -> None:
    start = end - timedelta(seconds=1)
    moments = [
        start - timedelta(microseconds=1),
        start,
        end,
        end.replace(microsecond=999_999),
    ]
    records = [{"moment": moment, "number": None, "text": None, "id": 1} for moment in moments]
    found = chosen([Within("moment", start, end)], records, lake)
    assert [record["moment"] for record in found] == moments[1:]


def test_files_outside_of_a_window_are_refuted() -> None:
    second = timedelta(seconds=1)
    clause = Within("moment", NOON, NOON + second)
    before = (NOON - second, NOON - timedelta(microseconds=1))
    after = (NOON + 2 * second, NOON + 3 * second)
    at_its_end = (NOON + second + timedelta(microseconds=999_999), NOON + 3 * second)
    assert not clause.may_match({"moment": before})
    assert not clause.may_match({"moment": after})
    assert clause.may_match({"moment": at_its_end})


def test_files_that_none_of_the_values_can_be_in_are_refuted() -> None:
    clause = OneOf("number", (1, 9))
    assert not clause.may_match({"number": (2, 8)})
    assert clause.may_match({"number": (2, 9)})
    assert not AnyOf((clause, OneOf("text", ("a",)))).may_match(
        {"number": (2, 8), "text": ("b", "c")}
    )


def test_files_that_have_only_excluded_values_are_refuted() -> None:
    clause = NoneOf("number", (1, 9))
    assert not clause.may_match({"number": (9, 9)})
    assert clause.may_match({"number": (1, 9)})
    both = AllOf((clause, OneOf("text", ("a",))))
    assert not both.may_match({"number": (2, 8), "text": ("b", "c")})
    assert both.may_match({"number": (2, 8), "text": ("a", "c")})


@pytest.mark.parametrize("content", [{}, {"no": 1}, {"within": {}, "oneOf": {}}])
def test_what_is_no_clause_is_refused(content: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="not a clause"):
        parse_clause(content)


def test_a_clause_within_another_is_pinned_too(lake: Lake) -> None:
    clause = AnyOf((OneOf("number", (1,)), AllOf((MemberOf(1), MemberOf(2)))))
    made = clause.pin(Snapshots(lake, {LIST_MEMBERS.name: None}))
    assert made == AnyOf(
        (OneOf("number", (1,)), AllOf((MemberOf(1, "id", ()), MemberOf(2, "id", ()))))
    )
    named = [TableFile(LIST_MEMBERS.name, f"{n}.parquet") for n in (1, 2)]
    assert list(pinned(clause).files) == named


def test_a_list_whose_members_are_not_pinned_is_not_evaluated(lake: Lake) -> None:
    with pytest.raises(UnpinnedError, match="list 1 "):
        AnyOf((MemberOf(1),)).expression(Scope(lake=lake, ids=(1, 5)))
