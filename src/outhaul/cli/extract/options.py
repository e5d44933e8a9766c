"""The options of `outhaul extract`: each teaches by an example."""

import os
import re
from typing import Annotated, Any

import typer

from outhaul.export.formats import FORMATS

WINDOW = "2026-01-01T00:00:00Z/2026-01-31T23:59:59Z"


def _option(name: str, text: str, **more: Any) -> Any:  # noqa: ANN401 - typer's own type
    """Return an option whose environment variable is named after it."""
    variable = "OUTHAUL_" + name.removeprefix("--").replace("-", "_").upper()
    return typer.Option(name, envvar=variable, help=text, **more)


def _lines(context: typer.Context, param: typer.CallbackParam, values: list[str]) -> list[str]:
    """Take several values from the environment one a line: they may hold spaces."""
    source = context.get_parameter_source(param.name or "")
    if source is None or source.name != "ENVIRONMENT" or not isinstance(param.envvar, str):
        return values
    return [line.strip() for line in os.environ[param.envvar].splitlines() if line.strip()]


def _format(text: str) -> str:
    """Return the name of a format, as requests write it."""
    name = text.upper()
    if name not in FORMATS:
        raise typer.BadParameter(f"{text!r} is none of {', '.join(FORMATS)}")
    return name


Url = Annotated[
    str,
    _option(
        "--url",
        "Address of the endpoint, with or without /rest: https://123-ABC-456.mktorest.com, "
        "http://127.0.0.1:8750.",
    ),
]
ClientId = Annotated[
    str,
    _option("--client-id", "Client id of a custom service: 4cdca7a5-94ef-4c4f-b4ec-7d8ac3a3cc5e."),
]
ClientSecret = Annotated[
    str,
    _option(
        "--client-secret",
        "Its client secret. Others can see a command line: prefer the environment.",
    ),
]
Output = Annotated[
    str,
    _option(
        "--output",
        "File to write, such as leads.csv; it is there only when it is whole and checked. "
        "'-' is standard output.",
        metavar="FILE",
    ),
]
Fields = Annotated[
    str | None,
    _option(
        "--fields",
        "Fields to export, in this order: id,email,createdAt for leads, "
        "leadId,activityDate,attributes for activities, which have a standard set.",
        metavar="A,B",
    ),
]
FileFormat = Annotated[
    str,
    _option(
        "--format",
        "Format of the file: CSV, TSV (tabs) and SSV (spaces) at any endpoint; outhaul has JSON "
        "Lines, and gzip of all of them, too.",
        metavar="[" + "|".join(FORMATS) + "]",
        parser=_format,
    ),
]
Header = Annotated[
    list[str] | None,
    _option(
        "--header",
        "Column header in place of a field's name: 'email=Email Address'. May be repeated; in the "
        "environment one a line.",
        metavar="FIELD=HEADER",
        callback=_lines,
    ),
]
CreatedAt = Annotated[
    str | None,
    _option(
        "--created-at",
        f"Records created from START to END, both included, 31 days apart at most: {WINDOW}. "
        "A date alone is its midnight, UTC.",
        metavar="START/END",
    ),
]
UpdatedAt = Annotated[
    str | None,
    _option(
        "--updated-at",
        f"Leads last changed from START to END: {WINDOW}. Some subscriptions have no such filter.",
        metavar="START/END",
    ),
]
StaticListId = Annotated[
    int | None, _option("--static-list-id", "Members of the static list with this id: 1001.")
]
StaticListName = Annotated[
    str | None, _option("--static-list-name", "Members of the static list 'Newsletter'.")
]
SmartListId = Annotated[
    int | None, _option("--smart-list-id", "Members of the smart list with this id: 2001.")
]
SmartListName = Annotated[
    str | None, _option("--smart-list-name", "Members of the smart list 'Active customers'.")
]
ActivityTypeIds = Annotated[
    str | None, _option("--activity-type-ids", "Only these types: 1,12,13.", metavar="N,N")
]
PrimaryIds = Annotated[
    str | None,
    _option(
        "--primary-attribute-value-ids",
        "Only activities about these assets or lead fields, 50 ids at most: 16,102,95. Needs "
        "--activity-type-ids of one group, such as forms.",
        metavar="N,N",
    ),
]
PrimaryValues = Annotated[
    list[str] | None,
    _option(
        "--primary-attribute-values",
        "The same by name: 'GL_OP_ALL_2021.MPS Outbound'. May be repeated; in the environment one "
        "a line.",
        metavar="NAME",
        callback=_lines,
    ),
]


ProgramIds = Annotated[
    str,
    _option("--program-ids", "Members of these programs, 10 at most: 1004,1005.", metavar="N,N"),
]
IsExhausted = Annotated[
    bool | None,
    typer.Option(
        "--exhausted/--not-exhausted",
        envvar="OUTHAUL_EXHAUSTED",
        help="Only members who have had all content of an engagement program, or have not.",
        show_default=False,
    ),
]
NurtureCadence = Annotated[
    str | None,
    _option("--nurture-cadence", "Only members of this cadence: norm, pause."),
]
StatusNames = Annotated[
    list[str] | None,
    _option(
        "--status-names",
        "Only members of this status: 'Attended'. May be repeated; in the environment one a line.",
        metavar="NAME",
        callback=_lines,
    ),
]
TypeName = Annotated[
    str, _option("--type", "API name of the custom object type: boat_c.", metavar="API_NAME")
]

# Part of a path: nothing in it may lead elsewhere.
API_NAME = re.compile(r"[A-Za-z0-9_]+")
