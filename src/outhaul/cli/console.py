"""What commands share: where they write, and how they end."""

import json
import logging
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, NoReturn

import structlog
import typer
from pydantic import ValidationError
from rich.console import Console
from rich.markup import escape
from structlog.dev import ConsoleRenderer, plain_traceback
from structlog.processors import ExceptionRenderer, JSONRenderer
from structlog.tracebacks import ExceptionDictTransformer

from outhaul.settings import (
    ACCESS,
    INNER,
    LIMIT_PREFIX,
    Limits,
    PlaceMissingError,
    Settings,
    access_settings,
    inner_settings,
    limit_overrides,
)

# Without the values of variables, some of which are secrets.
_TRACEBACK = ExceptionDictTransformer(show_locals=False)

errors = Console(stderr=True, highlight=False, soft_wrap=True, emoji=False)
"""Standard error: progress and messages. Standard output is for what was asked for."""

Data = Annotated[
    Path | None,
    typer.Option(
        "--data",
        envvar="OUTHAUL_DATA",
        help="Folder that holds everything that no URL puts elsewhere; made on first use.",
        file_okay=False,
    ),
]
DatabaseUrl = Annotated[
    str | None,
    typer.Option(
        "--database-url",
        envvar="OUTHAUL_DATABASE_URL",
        metavar="URL",
        help="PostgreSQL database that keeps the state: postgresql://user@host/name; "
        "without it that is a file in the data folder. A password is better in the variable.",
    ),
]
LakeUrl = Annotated[
    str | None,
    typer.Option(
        "--lake-url",
        envvar="OUTHAUL_LAKE_URL",
        metavar="s3://BUCKET/PREFIX",
        help="Bucket for the lake, in place of the folder `lake` of the data folder; "
        "OUTHAUL_S3_ENDPOINT, _REGION, _ACCESS_KEY_ID and _SECRET_ACCESS_KEY say how to reach it.",
    ),
]
Json = Annotated[
    bool,
    typer.Option("--json", envvar="OUTHAUL_JSON", help="Print one JSON object on standard output."),
]


def set_up_logging() -> None:
    """Write events to standard error: for people in a terminal, as JSON elsewhere."""
    terminal = sys.stderr.isatty()
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *([] if terminal else [ExceptionRenderer(_TRACEBACK)]),
            ConsoleRenderer(exception_formatter=plain_traceback) if terminal else JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        # Looked up at each event: a test puts another stream in its place.
        logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),
    )


def fail(message: str) -> NoReturn:
    """Say why on standard error, and exit with 1."""
    errors.print(f"[bold red]error:[/] {escape(message)}")
    raise typer.Exit(1)


def print_json(content: Mapping[str, Any]) -> None:
    """Print one object on standard output."""
    typer.echo(json.dumps(content, ensure_ascii=False))


@contextmanager
def named_errors(*kinds: type[Exception]) -> Iterator[None]:
    """End the command with the message of an error of these kinds."""
    try:
        yield
    except kinds as error:
        fail(str(error))


def make_settings(environ: Mapping[str, str], **values: Any) -> Settings:  # noqa: ANN401
    """Return the settings of a command, with what the environment alone sets.

    Values that are `None` were not given: their settings have what they have without them.
    """
    try:
        given = {name: value for name, value in values.items() if value is not None}
        given = {**inner_settings(environ), **access_settings(environ), **given}
        settings = Settings(limit_overrides=limit_overrides(environ), **given)
        settings.limits_of({})
    except PlaceMissingError as error:
        fail(str(error))
    except ValidationError as error:
        problems = "; ".join(
            f"{_named(*problem['loc'])}{problem['msg'].removeprefix('Value error, ')}"
            for problem in error.errors()
        )
        fail(f"a setting does not fit: {problems}")
    return settings


def _named(*place: int | str) -> str:
    """Return what a setting is set by, an option or a variable, as the head of a message."""
    if not place:
        return ""
    first, *rest = map(str, place)
    if first in ACCESS:
        # What is wrong with several says itself which.
        return f"{ACCESS[first].PREFIX}{rest[0].upper()}: " if rest else ""
    if first in INNER:
        return f"OUTHAUL_{first.upper()}: "
    if first in Limits.model_fields or first == "limit_overrides":
        return f"{LIMIT_PREFIX}{(rest[0] if rest else first).upper()}: "
    return f"--{first.replace('_', '-')}: "
