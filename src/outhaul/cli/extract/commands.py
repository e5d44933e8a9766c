"""`outhaul extract`: records of any endpoint into a file. What can be asked for, kind by kind."""

from typing import Any

import typer

from outhaul.cli.console import Json
from outhaul.cli.extract.extraction import Order, extract
from outhaul.cli.extract.options import (
    API_NAME,
    WINDOW,
    ActivityTypeIds,
    ClientId,
    ClientSecret,
    CreatedAt,
    Fields,
    FileFormat,
    Header,
    IsExhausted,
    NurtureCadence,
    Output,
    PrimaryIds,
    PrimaryValues,
    ProgramIds,
    SmartListId,
    SmartListName,
    StaticListId,
    StaticListName,
    StatusNames,
    TypeName,
    UpdatedAt,
    Url,
)
from outhaul.protocol.instants import parse_instant, render_instant

app = typer.Typer(
    help="Extract records of any endpoint that speaks the bulk extract protocol, a live instance "
    "or outhaul, into a file.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


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
    file_format: FileFormat = "CSV",
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
    file_format: FileFormat = "CSV",
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
    file_format: FileFormat = "CSV",
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
    file_format: FileFormat = "CSV",
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
    if not API_NAME.fullmatch(type_name):
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
