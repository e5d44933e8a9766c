"""Program members (bulk program member extract): of some programs, with fields of their leads."""

from collections.abc import Collection, Mapping
from typing import Any

import polars as pl

from outhaul.errors import Error
from outhaul.kinds.filters import window
from outhaul.kinds.kind import Context, Filter, Kind
from outhaul.kinds.leads import lead_columns
from outhaul.lake.clauses import Clause, OneOf
from outhaul.lake.tables import CHANGED_AT, LEADS, Join, column_type
from outhaul.lake.tables import PROGRAM_MEMBERS as TABLE
from outhaul.protocol.body import (
    read_boolean,
    read_integer,
    read_integers,
    read_text,
    read_texts,
)
from outhaul.protocol.shapes import BOOLEAN, INTEGER, TEXT, array_of, described, one_of

MOST_PROGRAMS = 10

# A live instance writes the first of each pair, and its schema names the second.
_CADENCES = (("pause", "paused"), ("norm", "normal"))


def _known_program(program: int, parameter: str, context: Context) -> int:
    if not context.catalog.has_program(program):
        raise Error.INVALID(parameter=parameter, problem=f"there is no program {program}")
    return program


def _read_program(value: object, parameter: str, context: Context) -> int:
    return _known_program(read_integer(value, parameter), parameter, context)


def _read_programs(value: object, parameter: str, context: Context) -> list[int]:
    programs = sorted(set(read_integers(value, parameter)))
    if len(programs) > MOST_PROGRAMS:
        raise Error.INVALID(
            parameter=parameter,
            problem=f"{len(programs)} programs, where {MOST_PROGRAMS} are allowed",
        )
    return [_known_program(program, parameter, context) for program in programs]


def _read_exhausted(value: object, parameter: str, _: Context) -> bool:
    return read_boolean(value, parameter)


def _read_cadence(value: object, parameter: str, _: Context) -> list[str]:
    text = read_text(value, parameter)
    for same in _CADENCES:
        if text in same:
            return list(same)
    known = ", ".join(name for same in _CADENCES for name in same)
    raise Error.INVALID(parameter=parameter, problem=f"'{text}' is none of {known}")


def _read_statuses(value: object, parameter: str, context: Context) -> list[str]:
    names = sorted(set(read_texts(value, parameter)))
    known = context.catalog.member_statuses()
    for name in names:
        if name not in known:
            raise Error.INVALID(
                parameter=parameter, problem=f"no program has a status named '{name}'"
            )
    return names


def _program_clause(filters: Mapping[str, Any], _: Context) -> Clause:
    return OneOf("programId", (filters["programId"],))


def _programs_clause(filters: Mapping[str, Any], _: Context) -> Clause:
    return OneOf("programId", tuple(filters["programIds"]))


def _exhausted_clause(filters: Mapping[str, Any], _: Context) -> Clause:
    return OneOf("isExhausted", (filters["isExhausted"],))


def _cadence_clause(filters: Mapping[str, Any], _: Context) -> Clause:
    return OneOf("nurtureCadence", tuple(filters["nurtureCadence"]))


def _statuses_clause(filters: Mapping[str, Any], _: Context) -> Clause:
    return OneOf("statusName", tuple(filters["statusNames"]))


_FILTERS = (
    Filter(
        name="programId",
        shape=described(INTEGER, "The id of a program."),
        read=_read_program,
        clause=_program_clause,
    ),
    Filter(
        name="programIds",
        shape=array_of(INTEGER, at_most=MOST_PROGRAMS),
        read=_read_programs,
        clause=_programs_clause,
    ),
    Filter(name="isExhausted", shape=BOOLEAN, read=_read_exhausted, clause=_exhausted_clause),
    Filter(
        name="nurtureCadence",
        shape=one_of(
            *(name for same in _CADENCES for name in same),
            description="Two spellings each of two cadences.",
        ),
        read=_read_cadence,
        clause=_cadence_clause,
    ),
    Filter(
        name="statusNames",
        shape=described(array_of(TEXT), "The member has one of these statuses."),
        read=_read_statuses,
        clause=_statuses_clause,
    ),
    window("updatedAt", CHANGED_AT, needs_setting="updated_at_filter"),
)


def _check(filters: Mapping[str, Any], _: Context) -> None:
    if ("programId" in filters) == ("programIds" in filters):
        got = "both" if "programId" in filters else "neither"
        raise Error.INVALID(
            parameter="filter",
            problem=f"expected exactly one of programId, programIds; got {got}",
        )


def _own_columns(context: Context) -> Mapping[str, pl.DataType]:
    own = context.catalog.member_fields()
    return {
        name: TABLE.columns.get(name, column_type(entry.data_type)) for name, entry in own.items()
    }


def _fields(context: Context) -> Mapping[str, pl.DataType]:
    """Return the fields of members and those of leads; of a name that both have, the member's."""
    return {**lead_columns(context), **_own_columns(context)}


def _digits(context: Context) -> Collection[str]:
    """Return the members' own booleans: a live instance exports them so, but not those of leads."""
    return [name for name, of in _own_columns(context).items() if of == pl.Boolean]


def _first_fields(filters: Mapping[str, Any]) -> Collection[str]:
    return ("programId",) if "programIds" in filters else ()


PROGRAM_MEMBERS = Kind(
    name="program-members",
    path="program/members",
    permissions=frozenset({"Read-Only Lead", "Read-Write Lead"}),
    table=TABLE,
    filters=_FILTERS,
    check=_check,
    rule_shape={"oneOf": [{"required": ["programId"]}, {"required": ["programIds"]}]},
    fields=_fields,
    digits=_digits,
    first_fields=_first_fields,
    own_fields=_own_columns,
    join=Join(table=LEADS, left="leadId", right="id"),
)
