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

from outhaul.settings import Settings, inner_settings, limit_overrides

errors = Console(stderr=True, highlight=False, soft_wrap=True, emoji=False)
"""Standard error: progress and messages. Standard output is for what was asked for."""

Data = Annotated[
    Path,
    typer.Option(
        "--data",
        envvar="OUTHAUL_DATA",
        help="Folder that holds everything; made on first use.",
        file_okay=False,
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
            *([] if terminal else [structlog.processors.dict_tracebacks]),
            structlog.dev.ConsoleRenderer() if terminal else structlog.processors.JSONRenderer(),
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
    """Return the settings of a command, with what the environment alone sets."""
    try:
        given = {**inner_settings(environ), **values}
        settings = Settings(limit_overrides=limit_overrides(environ), **given)
        settings.limits_of({})
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}" for problem in error.errors()
        )
        fail(f"a setting does not fit: {problems}")
    return settings
