"""Evaluating the rules of a smart list over the records that a reading pinned.

Rules are evaluated each time that a part is rendered, for the range of lead ids of the part. No
result is stored, or shared between the machines that render, so a crash loses nothing. From the
activities in the period of a condition, only a few columns are read, and counted for these leads
alone.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime

import polars as pl

from outhaul.lake.clauses import Clause, Scope, all_of, members_of
from outhaul.lake.tables import ACTIVITIES, LEADS, LEADS_A_RANGE, parse_type
from outhaul.records.columns import column_type
from outhaul.records.conversions import convert
from outhaul.smart_lists.pinned import PinnedRecords, wanted_activities
from outhaul.smart_lists.rules import (
    ActivityRule,
    FieldRule,
    Group,
    ListRule,
    Membership,
    Operator,
    Rule,
    Scalar,
    ValueType,
    conditions,
    span,
)

RANGES_AT_ONCE = 20
"""Number of partitions of leads that are evaluated together: a million leads, a few columns
each."""

_COUNT = "\0count"
"""Prefix of the columns of counts. The NUL byte keeps it apart from names of fields."""


def lead_ids(rules: Group, moment: datetime, pinned: PinnedRecords, scope: Scope) -> pl.Series:
    """Return the ids of the leads in the scope that the rules choose, in order."""
    found = [pl.Series("id", [], dtype=pl.Int64)]
    if scope.ids is not None:
        first, last = scope.ids
        ranges = [
            number
            for number in sorted(pinned.leads)
            if first // LEADS_A_RANGE <= number <= last // LEADS_A_RANGE
        ]
        for begin in range(0, len(ranges), RANGES_AT_ONCE):
            some = ranges[begin : begin + RANGES_AT_ONCE]
            ids = (
                max(first, some[0] * LEADS_A_RANGE),
                min(last, (some[-1] + 1) * LEADS_A_RANGE - 1),
            )
            files = [path for number in some for path in pinned.leads[number]]
            found.append(_evaluate(rules, moment, pinned, files, replace(scope, ids=ids)))
    return pl.concat(found).sort()


def _evaluate(
    rules: Group, moment: datetime, pinned: PinnedRecords, files: Sequence[str], scope: Scope
) -> pl.Series:
    columns = {name: parse_type(of) for name, of in pinned.columns.items()}
    leads = scope.lake.scan(LEADS.name, files, {"id": pl.Int64(), **columns})
    leads = leads.filter(_within("id", scope))
    counted = [rule for rule in conditions(rules) if isinstance(rule, ActivityRule)]
    for number, (rule, paths) in enumerate(zip(counted, pinned.activities, strict=True)):
        counts = _counts(wanted_activities(rule, moment), paths, scope, f"{_COUNT}{number}")
        leads = leads.join(counts, left_on="id", right_on="leadId", how="left")

    def members(list_id: int) -> pl.Series:
        return members_of(scope, pinned.members[list_id])

    wanted = _Expressions(moment, columns, members).of(rules)
    return leads.filter(wanted).select("id").collect(engine="streaming")["id"]


def _counts(
    wanted: Sequence[Clause], paths: Sequence[str], scope: Scope, name: str
) -> pl.LazyFrame:
    """Return the number of wanted activities of each lead, by `leadId`."""
    if not paths:
        return pl.LazyFrame(schema={"leadId": pl.Int64(), name: pl.Int64()})
    columns = {"leadId", *(column for clause in wanted for column in clause.columns)}
    scan = scope.lake.scan(
        ACTIVITIES.name,
        paths,
        {column: of for column, of in ACTIVITIES.columns.items() if column in columns},
    )
    counted = scan.filter(all_of(wanted, scope), _within("leadId", scope))
    return counted.group_by("leadId").agg(pl.len().cast(pl.Int64).alias(name))


def _within(column: str, scope: Scope) -> pl.Expr:
    if scope.ids is None:
        return pl.lit(value=False)
    return pl.col(column).is_between(*scope.ids)


class _Expressions:
    """Turns rules into expressions over leads, which are joined with their counts of activities.

    Every expression is true or false, never null. A condition on a field that is null in a lead is
    false, except for `is not` and `empty`.
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
        """Return the expression of a rule. Call it once: it numbers conditions on activities."""
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
        # A column never changes its type in the table, though the catalog may have changed it.
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
        raise AssertionError("'in past' needs an amount and a unit")
    first = moment - rule.past.length
    if rule.type is ValueType.DATE:
        return _holds(column.is_between(pl.lit(first.date()), pl.lit(moment.date())))
    return _holds(column.is_between(pl.lit(first), pl.lit(_whole(moment))))


def _ends(rule: FieldRule, value: Scalar) -> tuple[pl.Expr, pl.Expr]:
    """Return the least and the greatest value that a value in a rule stands for."""
    if rule.type is ValueType.DATE:
        day = pl.lit(date.fromisoformat(str(value)))
        return day, day
    if rule.type is ValueType.DATETIME:
        first, last = span(str(value))
        return pl.lit(first), pl.lit(_whole(last))
    literal = pl.lit(value, dtype=column_type(rule.type.value))
    return literal, literal


def _whole(moment: datetime) -> datetime:
    return moment.replace(microsecond=999_999)


def _any(parts: Iterator[pl.Expr]) -> pl.Expr:
    return _holds(pl.any_horizontal(list(parts)))


def _holds(condition: pl.Expr) -> pl.Expr:
    return condition.fill_null(value=False)
