"""The commands of `outhaul extract`, one for each kind."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, TypeVar

import typer

from outhaul.cli.extract.extraction import Order, extract
from outhaul.cli.extract.long import extract_windows, is_pattern, needs_windows
from outhaul.cli.extract.options import NO_QUOTA, parameters
from outhaul.cli.extract.parquet import NEEDED, ParquetOrder
from outhaul.cli.extract.periods import ShorterWindowsError
from outhaul.cli.generated import Makers, group_of
from outhaul.cli.options import Command, with_parameters
from outhaul.client import is_standard_output
from outhaul.kinds import KINDS
from outhaul.kinds.filter import Filter, FiltersError
from outhaul.kinds.options import TypeOption, read_names
from outhaul.kinds.registry import AnyKind

Value = TypeVar("Value")


def _commands() -> Makers:
    return {name: partial(_command, kind) for name, kind in KINDS.items()}


app = typer.Typer(
    help="Extract records into a file, from any endpoint that speaks the bulk extract protocol: a "
    "live instance or outhaul.",
    cls=group_of(_commands, lambda name: KINDS[name].extract_help),
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.callback()
def _group() -> None:
    """Make Typer treat this as a group, though it declares no commands."""


def _command(kind: AnyKind) -> Command:
    """Return the command that extracts the records of a kind."""

    def run(**values: Any) -> None:  # noqa: ANN401 - what the options hold
        export_id: str | None = values["export_id"]
        # The request of an existing job is made: what is given of it is neither read nor checked.
        is_new = export_id is None
        filters = _filters(kind, values) if is_new else {}
        type_name: str | None = values.get("type_name")
        if kind.type_option is not None:
            _check_type(type_name, kind.type_option)
        order = Order(
            url=values["url"],
            client_id=values["client_id"],
            client_secret=values["client_secret"],
            output=_output(values),
            json=values["json"],
            fields=_fields(kind, values["fields"]) if is_new else None,
            headers=_headers(values["header"] or []) if is_new else {},
            file_format=values["file_format"],
            parquet=_parquet(kind, values),
            columns=_columns(kind, values),
            export_id=export_id,
            timeout=values["timeout"],
            poll_seconds=values["poll_seconds"],
            queue_wait=values["queue_wait"],
            window_days=values["window_days"],
            newest_first=values["first"] == "newest",
            at_once=values["jobs"],
            daily_quota=None if values["daily_quota"] == NO_QUOTA else values["daily_quota"],
            wait=values["wait"],
            connections=values["connections"],
        )
        path = kind.path_of(type_name)
        if is_new and needs_windows(order, filters):
            extract_windows(order, path, filters)
            return
        try:
            extract(order, path, filters)
        except ShorterWindowsError:
            extract_windows(order, path, filters)

    return with_parameters(run, parameters(kind))


def _parquet(kind: AnyKind, values: Mapping[str, Any]) -> ParquetOrder | None:
    """Return how Parquet is written, or `None` if the file of the job is the output."""
    attributes = values.get("attributes", "json")
    if values["output_format"] is None:
        if attributes != "json":
            raise typer.BadParameter(
                "only --output-format parquet has columns for them", param_hint="--attributes"
            )
        if values["misfits"] != "error":
            raise typer.BadParameter(
                "only --output-format parquet has types", param_hint="--misfits"
            )
        return None
    if is_standard_output(values["output"]):
        raise typer.BadParameter("Parquet is written to a file", param_hint="--output")
    if is_pattern(_output(values)):
        raise typer.BadParameter(
            "Parquet is written to one file, or with --attributes spread to one folder",
            param_hint="--output",
        )
    if attributes == "spread":
        columns = _columns(kind, values)
        missing = [name for name in NEEDED if columns and name not in columns]
        if missing:
            raise typer.BadParameter(
                f"it needs {' and '.join(missing)} among the fields, by this name",
                param_hint="--attributes",
            )
    return ParquetOrder(attributes=attributes, misfits=values["misfits"])


def _output(values: Mapping[str, Any]) -> str:
    """Return the output. A slash at its end says no more than that spread attributes need it."""
    output: str = values["output"]
    return output.rstrip("/") or output if values.get("attributes") == "spread" else output


def _columns(kind: AnyKind, values: Mapping[str, Any]) -> list[str]:
    """Return the columns that the file will have; an empty list if that is not known."""
    if values["export_id"] is not None:
        return []
    headers = _headers(values["header"] or [])
    fields = _fields(kind, values["fields"]) or kind.default_fields
    return [headers.get(name, name) for name in fields]


def _filters(kind: AnyKind, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the filters of the request, from the options that were given."""
    filters: dict[str, Any] = {}
    for entry in kind.filters:
        option, given = entry.option, values.get(entry.name)
        if option is None or given is None or given == []:
            continue
        value = _read(option.read, given, option.name)
        if option.alone is not None and len(value) == 1:
            filters[option.alone] = value[0]
        else:
            filters[entry.name] = value
    try:
        kind.rule.check_options(filters)
    except FiltersError as error:
        flags = ", ".join(_flag(entry) for entry in kind.filters if entry.name in error.filters)
        raise typer.BadParameter(str(error), param_hint=flags) from None
    return filters


def _flag(entry: Filter) -> str:
    return entry.name if entry.option is None else entry.option.name


def _check_type(name: str | None, option: TypeOption) -> None:
    if name is None or not option.pattern.fullmatch(name):
        raise typer.BadParameter(
            f"{name!r} is no {option.noun}: {option.example}", param_hint=option.flag
        )


def _fields(kind: AnyKind, text: str | None) -> list[str] | None:
    if text is not None:
        return _read(read_names, text, "--fields")
    if kind.default_fields:
        return None
    raise typer.BadParameter(
        f"{kind.plural} have no standard set: {kind.fields_example}", param_hint="--fields"
    )


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


def _read(read: Callable[[Any], Value], given: Any, flag: str) -> Value:  # noqa: ANN401
    try:
        return read(given)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint=flag) from None
