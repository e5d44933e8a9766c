"""`outhaul extract`: records of any endpoint into a file. What can be asked for, kind by kind."""

import os
import re
from typing import Annotated, Any

import typer

from outhaul.cli.console import Json
from outhaul.cli.extraction import Order, extract
from outhaul.protocol.dialects import Format
from outhaul.protocol.instants import parse_instant, render_instant

app = typer.Typer(
    help="Extract records of any endpoint that speaks the bulk extract protocol, a live instance "
    "or outhaul, into a file.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

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
    Format,
    _option("--format", "Format of the file: CSV, TSV (tabs), SSV (spaces).", case_sensitive=False),
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
_API_NAME = re.compile(r"[A-Za-z0-9_]+")


@app.command()
def leads(  # noqa: PLR0913 - an argument for each option
    *,
    url: Url,
    client_id: ClientId,
    client_secret: ClientSecret,
    output: Output,
    fields: Fields = None,
    created_at: CreatedAt = None,
    updated_at: UpdatedAt = None,
    static_list_id: StaticListId = None,
    static_list_name: StaticListName = None,
    smart_list_id: SmartListId = None,
    smart_list_name: SmartListName = None,
    file_format: FileFormat = Format.CSV,
    header: Header = None,
    json: Json = False,
) -> None:
    """Extract leads, by one filter: created, updated, or on a list.

    Example: `outhaul extract leads --fields id,email,updatedAt
    --created-at 2026-01-01T00:00:00Z/2026-01-31T23:59:59Z --output leads.csv`
    """
    filters = _given(
        createdAt=_window(created_at, "--created-at"),
        updatedAt=_window(updated_at, "--updated-at"),
        staticListId=static_list_id,
        staticListName=static_list_name,
        smartListId=smart_list_id,
        smartListName=smart_list_name,
    )
    if len(filters) != 1:
        raise typer.BadParameter(
            f"a job has one of these filters, not {len(filters)}",
            param_hint="--created-at, --updated-at, --static-list-id, --static-list-name, "
            "--smart-list-id, --smart-list-name",
        )
    if fields is None:
        raise typer.BadParameter("leads have no standard set: id,email", param_hint="--fields")
    order = Order(
        url=url,
        client_id=client_id,
        client_secret=client_secret,
        output=output,
        json=json,
        fields=_names(fields, "--fields"),
        headers=_headers(header or []),
        file_format=file_format,
    )
    extract(order, "leads", filters)


@app.command()
def activities(  # noqa: PLR0913 - an argument for each option
    *,
    url: Url,
    client_id: ClientId,
    client_secret: ClientSecret,
    output: Output,
    created_at: CreatedAt = None,
    fields: Fields = None,
    activity_type_ids: ActivityTypeIds = None,
    primary_attribute_value_ids: PrimaryIds = None,
    primary_attribute_values: PrimaryValues = None,
    file_format: FileFormat = Format.CSV,
    header: Header = None,
    json: Json = False,
) -> None:
    """Extract activities of a period, all of them or of some types.

    Example: `outhaul extract activities --activity-type-ids 1,12,13
    --created-at 2026-01-01T00:00:00Z/2026-01-31T23:59:59Z --output activities.csv`
    """
    filters = _given(
        createdAt=_window(created_at, "--created-at"),
        activityTypeIds=_numbers(activity_type_ids, "--activity-type-ids"),
        primaryAttributeValueIds=_numbers(
            primary_attribute_value_ids, "--primary-attribute-value-ids"
        ),
        primaryAttributeValues=primary_attribute_values or None,
    )
    if "createdAt" not in filters:
        raise typer.BadParameter(f"activities need a period: {WINDOW}", param_hint="--created-at")
    if "primaryAttributeValueIds" in filters and "primaryAttributeValues" in filters:
        raise typer.BadParameter(
            "it excludes --primary-attribute-values", param_hint="--primary-attribute-value-ids"
        )
    order = Order(
        url=url,
        client_id=client_id,
        client_secret=client_secret,
        output=output,
        json=json,
        fields=_names(fields, "--fields"),
        headers=_headers(header or []),
        file_format=file_format,
    )
    extract(order, "activities", filters)


@app.command("program-members")
def program_members(  # noqa: PLR0913 - an argument for each option
    *,
    url: Url,
    client_id: ClientId,
    client_secret: ClientSecret,
    output: Output,
    program_ids: ProgramIds,
    fields: Fields = None,
    is_exhausted: IsExhausted = None,
    nurture_cadence: NurtureCadence = None,
    status_names: StatusNames = None,
    updated_at: UpdatedAt = None,
    file_format: FileFormat = Format.CSV,
    header: Header = None,
    json: Json = False,
) -> None:
    """Extract members of one program, or of several, with fields of their leads.

    Example: `outhaul extract program-members --program-ids 1004,1005
    --fields leadId,statusName,email --output members.csv`
    """
    programs = _numbers(program_ids, "--program-ids") or []
    one = len(programs) == 1
    filters = _given(
        programId=programs[0] if one else None,
        programIds=None if one else programs,
        isExhausted=is_exhausted,
        nurtureCadence=nurture_cadence,
        statusNames=status_names or None,
        updatedAt=_window(updated_at, "--updated-at"),
    )
    if fields is None:
        raise typer.BadParameter("members have no standard set: leadId", param_hint="--fields")
    order = Order(
        url=url,
        client_id=client_id,
        client_secret=client_secret,
        output=output,
        json=json,
        fields=_names(fields, "--fields"),
        headers=_headers(header or []),
        file_format=file_format,
    )
    extract(order, "program/members", filters)


@app.command("custom-objects")
def custom_objects(  # noqa: PLR0913 - an argument for each option
    *,
    url: Url,
    client_id: ClientId,
    client_secret: ClientSecret,
    output: Output,
    type_name: TypeName,
    fields: Fields = None,
    updated_at: UpdatedAt = None,
    static_list_id: StaticListId = None,
    static_list_name: StaticListName = None,
    smart_list_id: SmartListId = None,
    smart_list_name: SmartListName = None,
    file_format: FileFormat = Format.CSV,
    header: Header = None,
    json: Json = False,
) -> None:
    """Extract custom objects of one type, by one filter: updated, or of the leads of a list.

    Example: `outhaul extract custom-objects --type boat_c --fields marketoGUID,leadId
    --static-list-id 1001 --output boats.csv`
    """
    filters = _given(
        updatedAt=_window(updated_at, "--updated-at"),
        staticListId=static_list_id,
        staticListName=static_list_name,
        smartListId=smart_list_id,
        smartListName=smart_list_name,
    )
    if len(filters) != 1:
        raise typer.BadParameter(
            f"a job has one of these filters, not {len(filters)}",
            param_hint="--updated-at, --static-list-id, --static-list-name, "
            "--smart-list-id, --smart-list-name",
        )
    if not _API_NAME.fullmatch(type_name):
        raise typer.BadParameter(f"{type_name!r} is no API name: boat_c", param_hint="--type")
    if fields is None:
        raise typer.BadParameter(
            "custom objects have no standard set: marketoGUID", param_hint="--fields"
        )
    order = Order(
        url=url,
        client_id=client_id,
        client_secret=client_secret,
        output=output,
        json=json,
        fields=_names(fields, "--fields"),
        headers=_headers(header or []),
        file_format=file_format,
    )
    extract(order, f"customobjects/{type_name}", filters)


def _given(**filters: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    return {name: value for name, value in filters.items() if value is not None}


def _window(text: str | None, option: str) -> dict[str, str] | None:
    if text is None:
        return None
    start, _, end = text.partition("/")
    try:
        first, last = parse_instant(start.strip()), parse_instant(end.strip())
    except ValueError:
        raise typer.BadParameter(
            f"{text!r} is not START/END, such as {WINDOW}", param_hint=option
        ) from None
    if last < first:
        raise typer.BadParameter(f"{text!r} ends before it starts", param_hint=option)
    return {"startAt": render_instant(first), "endAt": render_instant(last)}


def _names(text: str | None, option: str) -> list[str] | None:
    if text is None:
        return None
    names = [name.strip() for name in text.split(",")]
    if "" in names:
        raise typer.BadParameter(f"a name is empty in {text!r}", param_hint=option)
    return names


def _numbers(text: str | None, option: str) -> list[int] | None:
    names = _names(text, option)
    try:
        return None if names is None else [int(name) for name in names]
    except ValueError:
        raise typer.BadParameter(
            f"{text!r} is not a list of ids, such as 1,12,13", param_hint=option
        ) from None


def _headers(texts: list[str]) -> dict[str, str]:
    headers = {}
    for text in texts:
        field, _, header = text.partition("=")
        if not field or not header:
            raise typer.BadParameter(
                f"{text!r} is not FIELD=HEADER, such as 'email=Email Address'",
                param_hint="--header",
            )
        headers[field] = header
    return headers
