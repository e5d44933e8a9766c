"""The options of `outhaul extract` for a kind. The help of each has an example."""

import os
import re
from inspect import Parameter
from typing import Annotated, Any, Literal

import typer

from outhaul.cli.console import Json
from outhaul.cli.durations import parse_duration, render_duration
from outhaul.cli.extract.periods import FIRST, TOLD, parse_size
from outhaul.cli.generated import type_parameter
from outhaul.cli.options import parameter, variable_of
from outhaul.client import Parallel
from outhaul.export.formats import FORMATS
from outhaul.kinds.filter import Filter
from outhaul.kinds.registry import AnyKind

NO_QUOTA = "none"
"""The value of `--daily-quota` for no limit."""

_EXPORT_ID = re.compile(r"[0-9A-Za-z][\w.:-]*", re.ASCII)
ACTIVITIES = "activities"
_ALWAYS_REQUIRED = ("url", "client_id", "client_secret", "output", "type_name")


def _option(name: str, text: str, **more: Any) -> Any:  # noqa: ANN401 - typer's own type
    """Return an option with an environment variable of the same name."""
    return typer.Option(name, envvar=variable_of(name), help=text, **more)


def _lines(context: typer.Context, param: typer.CallbackParam, values: list[str]) -> list[str]:
    """Split an environment variable into lines, one for each value: values may contain spaces."""
    source = context.get_parameter_source(param.name or "")
    if source is None or source.name != "ENVIRONMENT" or not isinstance(param.envvar, str):
        return values
    return [line.strip() for line in os.environ[param.envvar].splitlines() if line.strip()]


def _format(text: str) -> str:
    """Return the name of a format as in requests."""
    name = text.upper()
    if name not in FORMATS:
        raise typer.BadParameter(f"{text!r} is none of {', '.join(FORMATS)}")
    return name


def _taken_up(context: typer.Context, value: str | None) -> str | None:
    """Check the id of a job. With one, no option of the request is required any more.

    The option is eager: it is read before the others are.
    """
    if value is None:
        return None
    if not _EXPORT_ID.fullmatch(value):
        raise typer.BadParameter(f"{value!r} is no id of a job")
    for each in context.command.params:
        if each.name not in _ALWAYS_REQUIRED:
            each.required = False
    return value


def _duration(shortest: float) -> Any:  # noqa: ANN401 - typer's own type
    """Return the parser of an option that takes a duration, in seconds."""

    def parse(value: str | float) -> float:
        if isinstance(value, float):
            return value
        try:
            seconds = parse_duration(value)
        except ValueError as error:
            raise typer.BadParameter(str(error)) from None
        if seconds < shortest:
            raise typer.BadParameter(f"{value!r} is shorter than {render_duration(shortest)}")
        return seconds

    return parse


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
        "Secret of the client id. Use the variable: other users can read a command line.",
    ),
]
Output = Annotated[
    str,
    _option(
        "--output",
        "File to write, such as leads.csv. It appears only when it is whole and checked. "
        "'-' is standard output. A FIFO or a device is written as a stream. A folder, such as "
        "'leads/', or a name with {window}, {start} or {end} gets a file for each window.",
        metavar="FILE",
    ),
]
FileFormat = Annotated[
    str,
    _option(
        "--format",
        "Format of the file: CSV, TSV (tabs) or SSV (spaces) from any endpoint; from outhaul also "
        "JSON Lines, and any of them with gzip.",
        metavar="[" + "|".join(FORMATS) + "]",
        parser=_format,
    ),
]
OutputFormat = Annotated[
    Literal["parquet"] | None,
    _option(
        "--output-format",
        "Write Parquet in place of the file of the job: columns with the types that the endpoint "
        "describes, compressed with zstd. --format remains the format of the job's file.",
    ),
]
Misfits = Annotated[
    Literal["error", "text"],
    _option(
        "--misfits",
        "With --output-format parquet, what is done about a value that is not of the type of its "
        "column: end with an error, or make a text of the column.",
    ),
]
Attributes = Annotated[
    Literal["json", "spread"],
    _option(
        "--attributes",
        "With --output-format parquet: the attributes of activities as one column of JSON, or "
        "spread into typed columns. Then --output is a folder that gets a file for each type of "
        "activity.",
    ),
]
Header = Annotated[
    list[str] | None,
    _option(
        "--header",
        "Column header that replaces a field's name: 'email=Email Address'. May be repeated; in "
        "the variable, one on each line.",
        metavar="FIELD=HEADER",
        callback=_lines,
    ),
]
ExportId = Annotated[
    str | None,
    _option(
        "--export-id",
        "Id of an existing job, to take it up in place of creating one: it is enqueued if needed, "
        "and its file is fetched. A partial file of the same job is continued. The options of the "
        "request (filters, fields, format, headers) are then not needed, and are ignored.",
        metavar="ID",
        callback=_taken_up,
        is_eager=True,
    ),
]
Timeout = Annotated[
    float | None,
    _option(
        "--timeout",
        "Longest time for everything, from the first call to the last byte: 90s, 30m, 2h. After "
        "it, the job is cancelled and the exit status is 1. Default: no limit.",
        metavar="DURATION",
        parser=_duration(0.1),
    ),
]
PollInterval = Annotated[
    float,
    _option(
        "--poll-interval",
        "Longest pause between two looks at the state of the job: 2s, 1m. The first pauses are "
        "shorter.",
        metavar="DURATION",
        parser=_duration(0.05),
    ),
]
QueueWait = Annotated[
    float,
    _option(
        "--queue-wait",
        "How long to wait for room if the queue of the endpoint is full: 30m. 0 does not wait.",
        metavar="DURATION",
        parser=_duration(0.0),
    ),
]

Connections = Annotated[
    int,
    _option(
        "--connections",
        "Connections over which the rest of a large file is fetched at once if one is slow: 1 to "
        "16. Each call counts for the limits of the endpoint; if it refuses some, fewer are used. "
        "1 fetches every file in one piece.",
        min=1,
        max=16,
    ),
]


def _size(value: str | int) -> int | str:
    """Return bytes, or a word."""
    if isinstance(value, int) or value == TOLD:
        return value
    try:
        size = parse_size(value)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    return NO_QUOTA if size is None else size


def _one_of(*words: str) -> Any:  # noqa: ANN401 - typer's own type
    def parse(value: str) -> str:
        if value.lower() not in words:
            raise typer.BadParameter(f"{value!r} is none of {', '.join(words)}")
        return value.lower()

    return parse


WindowDays = Annotated[
    int | None,
    _option(
        "--window-days",
        "Longest window of a period, in days: 7. A longer period becomes several jobs. Default: as "
        "long as the endpoint takes, 31 days.",
        metavar="N",
        min=1,
    ),
]
First = Annotated[
    str,
    _option(
        "--order",
        "Which windows are asked for first: oldest or newest. The records in the output have the "
        "same order either way.",
        metavar="[oldest|newest]",
        parser=_one_of(*FIRST),
    ),
]
Jobs = Annotated[
    int,
    _option(
        "--jobs",
        "Most jobs in the endpoint's queue at a time, those of others included.",
        metavar="N",
        min=1,
    ),
]
DailyQuota = Annotated[
    str,
    _option(
        "--daily-quota",
        "What the endpoint exports in a day: 500MB, 1.5GB, or none. No job is begun that would not "
        "fit. Default: what the endpoint tells, or 500MB.",
        metavar="SIZE",
        parser=_size,
        show_default=False,
    ),
]
Wait = Annotated[
    bool,
    _option(
        "--wait",
        "When the day's quota is spent, go on when the next day begins (midnight in "
        "America/Chicago). Without it, the exit status is 1, and the same command goes on later.",
    ),
]


def parameters(kind: AnyKind) -> list[Parameter]:
    """Return the parameters of the command that extracts a kind, in the order of its help."""
    first = [entry for entry in kind.filters if entry.option and entry.option.first]
    others = [entry for entry in kind.filters if entry.option and not entry.option.first]
    return [
        parameter("url", Url),
        parameter("client_id", ClientId),
        parameter("client_secret", ClientSecret),
        parameter("output", Output),
        *([] if kind.type_option is None else [type_parameter(kind.type_option)]),
        *map(_filter_parameter, first),
        parameter("fields", Annotated[str | None, _fields_option(kind)], None),
        *map(_filter_parameter, others),
        parameter("window_days", WindowDays, None),
        parameter("first", First, "oldest"),
        parameter("jobs", Jobs, 10),
        parameter("daily_quota", DailyQuota, TOLD),
        parameter("wait", Wait, default=False),
        parameter("output_format", OutputFormat, None),
        parameter("misfits", Misfits, "error"),
        *([parameter("attributes", Attributes, "json")] if kind.path == ACTIVITIES else []),
        parameter("file_format", FileFormat, "CSV"),
        parameter("header", Header, None),
        parameter("export_id", ExportId, None),
        parameter("timeout", Timeout, None),
        parameter("poll_seconds", PollInterval, "5s"),
        parameter("queue_wait", QueueWait, "1h"),
        parameter("connections", Connections, Parallel().connections),
        parameter("json", Json, default=False),
    ]


def _filter_parameter(entry: Filter) -> Parameter:
    """Return the parameter of a filter, which has the name of the filter."""
    option = entry.option
    assert option is not None  # noqa: S101 - filters without an option have no parameter
    kind: Any = list[option.type] if option.repeated else option.type  # type: ignore[name-defined]
    made = typer.Option(
        option.flag,
        envvar=variable_of(option.name),
        help=option.help,
        metavar=option.metavar,
        callback=_lines if option.repeated else None,
        show_default=option.type is not bool,
    )
    if option.required:
        return parameter(entry.name, Annotated[kind, made])
    return parameter(entry.name, Annotated[kind | None, made], None)


def _fields_option(kind: AnyKind) -> Any:  # noqa: ANN401 - typer's own type
    text = f"Fields to export, in this order: {kind.fields_example}."
    if kind.default_fields:
        text += " Default: the standard fields."
    return _option("--fields", text, metavar="A,B")
