"""Matching of records by values of a field (`filterType`, `filterValues`), or by compound keys.

Texts match in upper and lower case, so that an e-mail address is found however it is written.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from outhaul.api.lookups.posted import INPUT
from outhaul.api.lookups.query import Query
from outhaul.errors import Error
from outhaul.lake.clauses import Clause, OneOf
from outhaul.protocol.body import read_object, wrong_type
from outhaul.records.conversions import convert, render

MOST_VALUES = 300
"""The most values that a filter may have, and the most compound keys."""

# No parameter contains this character, so that two keys never have the same text.
_BETWEEN_VALUES = "\0"


@dataclass(frozen=True, kw_only=True)
class Match:
    """What must hold for a record: clauses, which can exclude files, and a condition."""

    clauses: tuple[Clause, ...] = ()
    condition: pl.Expr | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that the condition reads."""
        return () if self.condition is None else tuple(self.condition.meta.root_names())


def filter_values(query: Query) -> list[str]:
    """Return the values of the filter. Raises 1002 if there are none, 1003 if there are many."""
    values = query.some_texts("filterValues")
    check_count(values, "filterValues")
    return values


def check_count(values: Sequence[object], parameter: str) -> None:
    """Raise 1003 for more values than a filter may have."""
    if len(values) > MOST_VALUES:
        raise Error.INVALID(
            parameter=parameter, problem=f"{len(values)} values, where {MOST_VALUES} are allowed"
        )


def by_values(name: str, of: pl.DataType, values: Sequence[str]) -> Match:
    """Return the match for one of some values in a field of the type `of`."""
    if of == pl.Int64:
        return Match(clauses=(OneOf(name, tuple(_integers(values, "filterValues"))),))
    lowered = pl.Series(values).str.to_lowercase().implode()
    return Match(condition=render(pl.col(name), of).str.to_lowercase().is_in(lowered))


def by_lead(query: Query, name: str, values: Sequence[str]) -> Match:
    """Return the match for one of some leads in a field. A lead that lost stands for its winner."""
    leads = _integers(values, "filterValues")
    winners = query.winners(leads)
    return Match(clauses=(OneOf(name, tuple(winners.get(lead, lead) for lead in leads)),))


def by_keys(fields: Mapping[str, pl.DataType], keys: Sequence[Mapping[str, str]]) -> Match:
    """Return the match for one of some compound keys: a value for each of the fields."""
    clauses: list[Clause] = []
    texts: list[pl.Series] = []
    columns: list[pl.Expr] = []
    for name, of in fields.items():
        given = [key[name] for key in keys]
        if of == pl.Int64:
            integers = _integers(given, INPUT)
            clauses.append(OneOf(name, tuple(integers)))
            texts.append(pl.Series(name, [str(value) for value in integers], dtype=pl.String))
        else:
            texts.append(pl.Series(name, given).str.to_lowercase())
        columns.append(render(pl.col(name), of).str.to_lowercase())
    wanted = pl.DataFrame(texts).select(pl.concat_str(pl.all(), separator=_BETWEEN_VALUES))
    condition = pl.concat_str(columns, separator=_BETWEEN_VALUES).is_in(
        wanted.to_series().implode()
    )
    return Match(clauses=tuple(clauses), condition=condition)


def input_keys(query: Query, fields: Sequence[str]) -> list[dict[str, str]]:
    """Return the compound keys of a call, each with a text for each field.

    Raises 1001, 1002 or 1003 if `input` has no such keys.
    """
    given = query.input
    if given is None or given == []:
        raise Error.PARAMETER_MISSING(parameter=INPUT)
    if not isinstance(given, list):
        raise wrong_type(given, INPUT, "array of objects")
    check_count(given, INPUT)
    return [
        {
            name: _key_text(read_object(entry, f"{INPUT}[{n}]").get(name), f"{INPUT}[{n}].{name}")
            for name in fields
        }
        for n, entry in enumerate(given)
    ]


def _key_text(value: object, parameter: str) -> str:
    if value is None or value == "":
        raise Error.PARAMETER_MISSING(parameter=parameter)
    if isinstance(value, bool):
        return str(value).lower()
    if not isinstance(value, (str, int, float)) or "\0" in str(value):
        raise wrong_type(value, parameter, "string, number or boolean")
    return str(value)


def _integers(values: Sequence[str], parameter: str) -> list[int]:
    """Return values as integers. Raises 1003 for a value that is not an integer."""
    typed = convert(pl.Series(values, dtype=pl.String), pl.Int64())
    for given, value in zip(values, typed, strict=True):
        if value is None:
            raise Error.INVALID(parameter=parameter, problem=f"'{given}' is no value of the field")
    return list(typed)
