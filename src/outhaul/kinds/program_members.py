"""Program members (bulk program member extract), with fields of their leads."""

from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import polars as pl

from outhaul.catalog.built_in import standard_entries
from outhaul.catalog.entries import Entries
from outhaul.catalog.objects import INFERRED, MemberField
from outhaul.errors import Error
from outhaul.kinds.describing import DescribeQuery, Description, described_field, shown_type
from outhaul.kinds.filter import Context, Filter, Rule
from outhaul.kinds.kind import Kind
from outhaul.kinds.leads import ECIDS, lead_columns
from outhaul.kinds.loading import Inferring, Loading, Noting
from outhaul.kinds.options import Option, integers_option, text_option, texts_option
from outhaul.kinds.shared_filters import updated_at
from outhaul.lake.clauses import Clause, OneOf
from outhaul.lake.tables import CHANGED_AT, LEADS, Join, Table
from outhaul.protocol.answers.descriptions import RecordDescription
from outhaul.protocol.answers.envelope import Found
from outhaul.protocol.body import (
    read_boolean,
    read_integer,
    read_integers,
    read_text,
    read_texts,
    spelled,
)
from outhaul.protocol.shapes import (
    TEXT,
    WRITTEN_BOOLEAN,
    WRITTEN_INTEGER,
    array_of,
    described,
    one_of,
)
from outhaul.records.columns import INSTANT, Column, column_type
from outhaul.records.conversions import data_type

if TYPE_CHECKING:
    from outhaul.catalog.store import Catalog

MOST_PROGRAMS = 10

TABLE = Table(
    name="program_members",
    key=("programId", "leadId"),
    order=("leadId",),
    partition="outhaul_program",
    partition_value=pl.col("programId"),
    columns={
        "programId": pl.Int64(),
        "leadId": pl.Int64(),
        "statusName": pl.String(),
        "nurtureCadence": pl.String(),
        "isExhausted": pl.Boolean(),
        "createdAt": INSTANT,
        "updatedAt": INSTANT,
        CHANGED_AT: INSTANT,
    },
    statistics=("programId", "leadId", CHANGED_AT),
    lead="leadId",
    depends_on="leadId",
)

_DESCRIBED = "API Program Membership"

# The protocol requires dates for this object, which the catalog does not have.
_SINCE = "2021-01-01T00:00:00Z"

_SEARCHABLE = ("leadId", "statusName", "reachedSuccess")
_SEARCHABLE_TYPES = ("string", "integer")
"""The types of custom fields by which a live instance looks up members."""

# A live instance sends the first name of each pair; its schema has the second.
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
    text = read_text(value, parameter).strip()
    for same in _CADENCES:
        if text in same:
            return list(same)
    known = ", ".join(name for same in _CADENCES for name in same)
    raise Error.INVALID(parameter=parameter, problem=f"'{text}' is none of {known}")


def _read_statuses(value: object, parameter: str, context: Context) -> list[str]:
    known = context.catalog.member_statuses()
    names = sorted({spelled(name, known) for name in read_texts(value, parameter)})
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
        shape=described(WRITTEN_INTEGER, "The id of a program."),
        read=_read_program,
        clause=_program_clause,
    ),
    Filter(
        name="programIds",
        shape=array_of(WRITTEN_INTEGER, at_most=MOST_PROGRAMS),
        read=_read_programs,
        clause=_programs_clause,
        option=integers_option(
            "--program-ids",
            f"Members of these programs, {MOST_PROGRAMS} at most: {{}}.",
            "1004,1005",
            required=True,
            alone="programId",
        ),
    ),
    Filter(
        name="isExhausted",
        shape=WRITTEN_BOOLEAN,
        read=_read_exhausted,
        clause=_exhausted_clause,
        option=Option(
            flag="--exhausted/--not-exhausted",
            help="Only members who have had all content of an engagement program, or have not.",
            type=bool,
        ),
    ),
    Filter(
        name="nurtureCadence",
        shape=one_of(
            *(name for same in _CADENCES for name in same),
            description="A cadence. Each of the two has two names.",
        ),
        read=_read_cadence,
        clause=_cadence_clause,
        option=text_option("--nurture-cadence", "Only members of this cadence: {}, pause.", "norm"),
    ),
    Filter(
        name="statusNames",
        shape=described(array_of(TEXT), "The member has one of these statuses."),
        read=_read_statuses,
        clause=_statuses_clause,
        option=texts_option("--status-names", "Only members of this status: '{}'.", "Attended"),
    ),
    updated_at("Program members"),
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
    """Return the fields of members and leads. If both have a name, it is the member's field."""
    return {**lead_columns(context), **_own_columns(context)}


def _digits(context: Context) -> Collection[str]:
    """Return the boolean fields of members. Those of leads are exported as true and false."""
    return [name for name, of in _own_columns(context).items() if of == pl.Boolean]


def _first_fields(filters: Mapping[str, Any]) -> Collection[str]:
    return ("programId",) if "programIds" in filters else ()


def _loadable(catalog: "Catalog") -> Iterable[Column]:
    for name, entry in catalog.member_fields().items():
        yield Column(
            name=name,
            type=TABLE.columns.get(name, column_type(entry.data_type)),
            required=name in TABLE.key,
            positive=name in TABLE.key,
            inferred=entry.inferred,
        )


def _fields_of_leads(catalog: "Catalog") -> Collection[str]:
    return {*catalog.lead_fields(), ECIDS} - {*catalog.member_fields()}


def _inferred(catalog: "Catalog", found: Mapping[str, pl.DataType]) -> Entries:
    """Return catalog entries of inferred fields, in the form of a live instance's answer."""
    known = catalog.member_fields()
    return Entries(
        member_fields=tuple(
            MemberField(
                name=name,
                data_type=data_type(of),
                description={
                    "name": name,
                    "displayName": name,
                    "dataType": data_type(of),
                    "updateable": True,
                    "crmManaged": False,
                    INFERRED: True,
                },
            )
            for name, of in found.items()
            if name not in known or known[name].inferred
        )
    )


def _note_statuses(catalog: "Catalog", found: Collection[tuple[Any, ...]]) -> None:
    catalog.note_member_statuses({(program, status) for program, status in found})


def describe(query: DescribeQuery) -> Found:
    """List the fields of program members."""
    return Found([{"name": _DESCRIBED, "fields": _described_fields(query)}])


def describe_again(query: DescribeQuery) -> Found:
    """List the fields of program members, and those by which members can be looked up."""
    fields = _described_fields(query)
    described = {
        "name": _DESCRIBED,
        "description": "API Program Membership Map",
        "createdAt": _SINCE,
        "updatedAt": _SINCE,
        "dedupeFields": ["leadId", "programId"],
        "searchableFields": [[name] for name in searchable(query.catalog.member_fields())],
        "fields": fields,
    }
    return Found([described])


def searchable(fields: Mapping[str, MemberField]) -> list[str]:
    """Return the names of the fields by which members of a program can be looked up.

    They are some standard fields, and the custom fields of some types. `fields` has all fields of
    members, by name.
    """
    standard = {entry.name for entry in standard_entries().member_fields}
    own = [
        name
        for name, entry in fields.items()
        if name not in standard and entry.data_type in _SEARCHABLE_TYPES
    ]
    return [*(name for name in _SEARCHABLE if name in fields), *own]


def _described_fields(query: DescribeQuery) -> list[dict[str, Any]]:
    columns = query.columns(TABLE)
    return [
        described_field(
            entry.name, shown_type(entry.data_type, columns.get(entry.name)), entry.description
        )
        for entry in query.catalog.member_fields().values()
    ]


PROGRAM_MEMBERS = Kind(
    name="program-members",
    plural="program members",
    path="program/members",
    permissions=frozenset({"Read-Only Lead", "Read-Write Lead"}),
    filters=_FILTERS,
    rule=Rule(
        check=_check,
        shape={"oneOf": [{"required": ["programId"]}, {"required": ["programIds"]}]},
    ),
    fields=_fields,
    fields_example="leadId,statusName,email",
    digits=_digits,
    first_fields=_first_fields,
    own_fields=_own_columns,
    join=Join(table=LEADS, left="leadId", right="id"),
    extract_help="""Extract members of one program, or of several, with fields of their leads.

    Example: `outhaul extract program-members --program-ids 1004,1005
    --fields leadId,statusName,email --output members.csv`
    """,
    load_help="""Load program members; they merge by programId and leadId.

    Example: `outhaul load program-members members.csv --data ./data`
    """,
    loading=Loading(
        table=TABLE,
        columns=_loadable,
        of_leads=_fields_of_leads,
        inferring=Inferring(
            help="Add columns that the catalog does not know, as new fields of members.",
            entries=_inferred,
        ),
        noting=Noting(columns=("programId", "statusName"), store=_note_statuses),
    ),
    descriptions=(
        Description(
            path="/rest/v1/program/members/describe.json", find=describe, result=RecordDescription
        ),
        Description(
            path="/rest/v1/programs/members/describe.json",
            find=describe_again,
            result=RecordDescription,
        ),
    ),
)
