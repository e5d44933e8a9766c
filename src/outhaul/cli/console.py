"""Output, logging and failing of commands."""

import json
import logging
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Annotated, Any, NoReturn

import structlog
import typer
from rich.console import Console
from rich.text import Text
from structlog.dev import ConsoleRenderer, plain_traceback
from structlog.processors import ExceptionRenderer, JSONRenderer
from structlog.tracebacks import ExceptionDictTransformer

# Without the values of variables, some of which are secrets.
_TRACEBACK = ExceptionDictTransformer(show_locals=False)


class _Errors(Console):
    def on_broken_pipe(self) -> None:
        """Stay silent from now on. Rich would exit, whatever the command is about to tidy up."""
        self.quiet = True


errors = _Errors(stderr=True, highlight=False, soft_wrap=True, emoji=False)
"""Standard error, for progress and messages. Standard output is for results."""

Json = Annotated[
    bool,
    typer.Option("--json", envvar="OUTHAUL_JSON", help="Print one JSON object on standard output."),
]


def set_up_logging() -> None:
    """Log events to standard error: as plain lines in a terminal, otherwise as JSON."""
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
        # Looked up for each event, because tests replace the stream.
        logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),
    )


def print_message(message: str, style: str | None = None) -> None:
    """Print a message on standard error as it is: a path in it may look like markup."""
    errors.print(message, markup=False, style=style)


def print_error(message: str) -> None:
    """Print the message of a failed command on standard error."""
    errors.print(Text.assemble(("error:", "bold red"), " ", message))


def fail(message: str) -> NoReturn:
    """Print a message on standard error, and exit with status 1."""
    print_error(message)
    raise typer.Exit(1)


def print_json(content: Mapping[str, Any]) -> None:
    """Print an object as JSON, on one line of standard output."""
    typer.echo(json.dumps(content, ensure_ascii=False))


@contextmanager
def named_errors(*kinds: type[Exception]) -> Iterator[None]:
    """End the command with the error's message if an error of these kinds is raised."""
    try:
        yield
    except kinds as error:
        fail(str(error))
