"""Which leads a smart list has: the evaluation of its rules over the records that a plan pinned.

It is done for the range of lead ids that a part needs, each time that the part is rendered: there
is nothing to keep or to share between the machines that render, and a crash loses nothing. Of the
activities of a condition's period only a few columns are read, and counted for these leads alone.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime

import polars as pl

from outhaul.lake.clauses import Clause, InSmartList, OneOf, Within, all_of
from outhaul.lake.conversions import convert
from outhaul.lake.snapshot import Lake, Snapshot, parse_type, type_name
from outhaul.lake.tables import (
    ACTIVITIES,
    LEADS,
    LEADS_A_RANGE,
    LIST_MEMBERS,
    Table,
    column_type,
)
from outhaul.smart_lists.pinned import PinnedRecords
from outhaul.smart_lists.rules import (
    ActivityRule,
    FieldRule,
    Group,
    ListRule,
    Membership,
    Operator,
    Past,
    Rule,
    Scalar,
    ValueType,
    conditions,
    stretch,
)

RANGES_AT_ONCE = 20
"""Ranges of lead ids that are evaluated together: a million leads, a few columns of each."""

_COUNT = "\0count"
"""Begins the name of a column of counts; no field's name has it."""


def pin(clause: Clause, snapshot: Callable[[Table], Snapshot | None]) -> Clause:
    """Return a clause with the files that its rules look at, if it has rules."""
    if not isinstance(clause, InSmartList):
        return clause
    rules = list(conditions(clause.rules))
    leads = snapshot(LEADS)
    ranges: dict[int, list[str]] = {}
    for file in () if leads is None else leads.files:
        ranges.setdefault(file.partition, []).append(file.path)
    fields = {rule.field for rule in rules if isinstance(rule, FieldRule)}
    lists = {rule.list_id for rule in rules if isinstance(rule, ListRule)}
    counted = [rule for rule in rules if isinstance(rule, ActivityRule)]
    members = snapshot(LIST_MEMBERS) if lists else None
    activities = snapshot(ACTIVITIES) if counted else None
    return replace(
        clause,
        pinned=PinnedRecords(
            leads=ranges,
            columns={
                name: type_name(of)
                for name, of in ({} if leads is None else leads.columns).items()
                if name in fields
            },
            members={
                list_id: [
                    file.path
                    for file in (() if members is None else members.files)
                    if file.partition == list_id
                ]
                for list_id in sorted(lists)
            },
            activities=[
                _activity_files(activities, _wanted(rule, clause.moment)) for rule in counted
            ],
        ),
    )


def lead_ids(clause: InSmartList, lake: Lake, ids: tuple[int, int] | None) -> pl.Series:
    """Return the ids of the smart list's leads that are between two, both included, in order.

    Raises `ValueError` where nothing is pinned.
    """
    if clause.pinned is None:
        raise ValueError("the records of the smart list are not pinned")
    found = [pl.Series("id", [], dtype=pl.Int64)]
    if ids is not None:
        ranges = [
            number
            for number in sorted(clause.pinned.leads)
            if ids[0] // LEADS_A_RANGE <= number <= ids[1] // LEADS_A_RANGE
        ]
        for first in range(0, len(ranges), RANGES_AT_ONCE):
            some = ranges[first : first + RANGES_AT_ONCE]
            within = (
                max(ids[0], some[0] * LEADS_A_RANGE),
                min(ids[1], (some[-1] + 1) * LEADS_A_RANGE - 1),
            )
            files = [path for number in some for path in clause.pinned.leads[number]]
            found.append(_evaluate(clause, clause.pinned, lake, files, within))
    return pl.concat(found).sort()


def members_of(lake: Lake, paths: Sequence[str], ids: tuple[int, int] | None) -> pl.Series:
    """Return the leads of a static list that are between two ids, both included.

    `paths` are the files of its members, under the folder of their table.
    """
    if not paths or ids is None:
        return pl.Series("leadId", [], dtype=pl.Int64)
    scan = lake.scan(LIST_MEMBERS.name, paths, LIST_MEMBERS.columns)
    return scan.filter(pl.col("leadId").is_between(*ids)).collect()["leadId"]


def _evaluate(
    clause: InSmartList,
    pinned: PinnedRecords,
    lake: Lake,
    files: Sequence[str],
    ids: tuple[int, int],
) -> pl.Series:
    columns = {name: parse_type(of) for name, of in pinned.columns.items()}
    leads = lake.scan(LEADS.name, files, {"id": pl.Int64(), **columns})
    leads = leads.filter(pl.col("id").is_between(*ids))
    rules = [rule for rule in conditions(clause.rules) if isinstance(rule, ActivityRule)]
    for number, (rule, paths) in enumerate(zip(rules, pinned.activities, strict=True)):
        counts = _counts(_wanted(rule, clause.moment), lake, paths, ids, f"{_COUNT}{number}")
        leads = leads.join(counts, left_on="id", right_on="leadId", how="left")

    def members(list_id: int) -> pl.Series:
        return members_of(lake, pinned.members[list_id], ids)

    wanted = _Expressions(clause.moment, columns, members).of(clause.rules)
    return leads.filter(wanted).select("id").collect(engine="streaming")["id"]


def _wanted(rule: ActivityRule, moment: datetime) -> list[Clause]:
    """Return what a condition on activities asks of one of them."""
    clauses: list[Clause] = [OneOf("activityTypeId", (rule.activity_type,))]
    if rule.value_ids:
        clauses.append(OneOf("primaryAttributeValueId", rule.value_ids))
    if rule.values:
        clauses.append(OneOf("primaryAttributeValue", rule.values))
    if isinstance(rule.period, Past):
        clauses.append(Within("activityDate", moment - rule.period.length, moment))
    elif rule.period is not None:
        start, end = stretch(rule.period.start)[0], stretch(rule.period.end)[1]
        clauses.append(Within("activityDate", start, end))
    return clauses


def _activity_files(snapshot: Snapshot | None, wanted: Sequence[Clause]) -> list[str]:
    return [
        file.path
        for file in (() if snapshot is None else snapshot.files)
        if all(clause.may_match(file.bounds) for clause in wanted)
    ]


def _counts(
    wanted: Sequence[Clause], lake: Lake, paths: Sequence[str], ids: tuple[int, int], name: str
) -> pl.LazyFrame:
    """Return how many of the activities that are wanted each lead has, by `leadId`."""
    if not paths:
        return pl.LazyFrame(schema={"leadId": pl.Int64(), name: pl.Int64()})
    columns = {"leadId", *(column for clause in wanted for column in clause.columns)}
    scan = lake.scan(
        ACTIVITIES.name,
        paths,
        {column: of for column, of in ACTIVITIES.columns.items() if column in columns},
    )
    fitting = scan.filter(all_of(wanted, _no_members), pl.col("leadId").is_between(*ids))
    return fitting.group_by("leadId").agg(pl.len().cast(pl.Int64).alias(name))


def _no_members(_: object) -> pl.Series:
    raise AssertionError("no condition on an activity asks for members")


class _Expressions:
    """Turns rules into expressions over leads that have the counts of activities beside them.

    Every expression is true or false, never null: a condition on a value that a lead has not got
    does not hold, but for `is not` and `empty`.
    """

    def __init__(
        self,
        moment: datetime,
        columns: Mapping[str, pl.DataType],
        members: Callable[[int], pl.Series],
    ) -> None:
        self._moment = moment
        self._columns = columns
        self._members = members
        self._counted: Iterator[int] = iter(range(1 << 30))

    def of(self, rule: Rule) -> pl.Expr:
        """Return the expression of a rule; it may be asked for the rules of a list once."""
        match rule:
            case Group():
                parts = [self.of(entry) for entry in rule.rules]
                return pl.all_horizontal(parts) if rule.match == "all" else pl.any_horizontal(parts)
            case ListRule():
                inside = pl.col("id").is_in(self._members(rule.list_id).implode())
                return inside if rule.operator is Membership.MEMBER else ~inside
            case ActivityRule():
                count = pl.col(f"{_COUNT}{next(self._counted)}").fill_null(0)
                most = rule.at_most
                enough = count >= rule.at_least
                return enough if most is None else enough & (count <= most)
            case FieldRule():
                return _field(rule, self._column(rule), self._moment)

    def _column(self, rule: FieldRule) -> pl.Expr:
        wanted = column_type(rule.type.value)
        found = self._columns.get(rule.field)
        if found is None:
            return pl.lit(None, dtype=wanted)
        column = pl.col(rule.field)
        if found == wanted:
            return column
        # A table keeps the type that a column began with, whatever the catalog says by now.
        return column.map_batches(lambda given: convert(given, wanted), return_dtype=wanted)


def _field(  # noqa: C901, PLR0911 - one row for each operator
    rule: FieldRule, column: pl.Expr, moment: datetime
) -> pl.Expr:
    match rule.operator:
        case Operator.EMPTY:
            return _empty(rule, column)
        case Operator.NOT_EMPTY:
            return ~_empty(rule, column)
        case Operator.IS:
            return _is(rule, column)
        case Operator.IS_NOT:
            return ~_is(rule, column)
        case Operator.CONTAINS:
            return _any(column.str.contains(str(text), literal=True) for text in rule.values)
        case Operator.STARTS_WITH:
            return _any(column.str.starts_with(str(text)) for text in rule.values)
        case Operator.GREATER | Operator.AFTER:
            return _holds(column > _ends(rule, rule.values[0])[1])
        case Operator.LESS | Operator.BEFORE:
            return _holds(column < _ends(rule, rule.values[0])[0])
        case Operator.BETWEEN:
            least, greatest = (_ends(rule, value) for value in rule.values)
            return _holds(column.is_between(least[0], greatest[1]))
        case Operator.IN_PAST:
            return _in_past(rule, column, moment)


def _empty(rule: FieldRule, column: pl.Expr) -> pl.Expr:
    empty = column.is_null()
    return empty | _holds(column == "") if rule.type is ValueType.TEXT else empty


def _is(rule: FieldRule, column: pl.Expr) -> pl.Expr:
    if rule.type in (ValueType.TEXT, ValueType.INTEGER):
        values = pl.Series(rule.values, dtype=column_type(rule.type.value))
        return _holds(column.is_in(values.implode()))
    return _any(column.is_between(*_ends(rule, value)) for value in rule.values)


def _in_past(rule: FieldRule, column: pl.Expr, moment: datetime) -> pl.Expr:
    if rule.past is None:
        raise AssertionError("'in past' has an amount and a unit")
    first = moment - rule.past.length
    if rule.type is ValueType.DATE:
        return _holds(column.is_between(pl.lit(first.date()), pl.lit(moment.date())))
    return _holds(column.is_between(pl.lit(first), pl.lit(_whole(moment))))


def _ends(rule: FieldRule, value: Scalar) -> tuple[pl.Expr, pl.Expr]:
    """Return the least and the greatest that a value stands for."""
    if rule.type is ValueType.DATE:
        day = pl.lit(date.fromisoformat(str(value)))
        return day, day
    if rule.type is ValueType.DATETIME:
        first, last = stretch(str(value))
        return pl.lit(first), pl.lit(_whole(last))
    literal = pl.lit(value, dtype=column_type(rule.type.value))
    return literal, literal


def _whole(moment: datetime) -> datetime:
    return moment.replace(microsecond=999_999)


def _any(parts: Iterator[pl.Expr]) -> pl.Expr:
    return _holds(pl.any_horizontal(list(parts)))


def _holds(condition: pl.Expr) -> pl.Expr:
    return condition.fill_null(value=False)
