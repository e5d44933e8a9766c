"""The command `outhaul`."""

import gc
import os
import sys
from dataclasses import dataclass
from importlib import import_module
from types import ModuleType
from typing import Any

import typer
from typer.core import TyperGroup

from outhaul import __version__
from outhaul.cli.console import errors, set_up_logging


@dataclass(frozen=True)
class Command:
    """A command: its line in the help of `outhaul`, and the module that declares it as `app`."""

    help: str
    module: str


COMMANDS = {
    "serve": Command(
        "Serve records by the bulk extract protocol, until stopped.", "outhaul.cli.serve"
    ),
    "worker": Command("Run export jobs, for servers that only answer calls.", "outhaul.cli.worker"),
    "subscription": Command(
        "Create and show subscriptions, each with its own records.", "outhaul.cli.subscription"
    ),
    "service": Command("Create credentials for programs that call the API.", "outhaul.cli.service"),
    "load": Command("Load records and catalogs.", "outhaul.cli.load"),
    "extract": Command("Extract records into a file, from any endpoint.", "outhaul.cli.extract"),
    "mirror": Command(
        "Keep a copy of the records of an endpoint in step with it.", "outhaul.cli.mirror"
    ),
    "stand-in": Command(
        "Run an instance to develop and test against, and show the calls that it gets.",
        "outhaul.cli.stand_in",
    ),
    "demo": Command(
        "Show the steps of an export: load, serve, extract, check.", "outhaul.cli.demo"
    ),
}
"""The commands by name. Only the module of the called one is imported: it saves two seconds."""


class _Commands(TyperGroup):
    def list_commands(self, ctx: object) -> list[str]:  # noqa: ARG002
        return list(COMMANDS)

    def get_command(self, ctx: object, cmd_name: str):  # type: ignore[no-untyped-def]  # noqa: ANN202, ARG002
        if cmd_name not in COMMANDS:
            return None
        command = typer.main.get_command(_imported(COMMANDS[cmd_name].module).app)
        command.name = cmd_name
        return command

    def format_commands(self, ctx: object, formatter: Any) -> None:  # noqa: ANN401, ARG002 - of a private module
        """Show the commands without importing their modules."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, command.help) for name, command in COMMANDS.items()])


def _imported(module: str) -> ModuleType:
    """Import a module, and collect no garbage meanwhile.

    Imports leave next to none, and looking for it takes a sixth of their time.
    """
    collects = gc.isenabled()
    gc.disable()
    try:
        return import_module(module)
    finally:
        if collects:
            gc.enable()


app = typer.Typer(
    name="outhaul",
    help="A bulk extract service over records that you own, and a client for any such service.",
    cls=_Commands,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # in 80 columns the panels of rich cut the names of long options
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"outhaul {__version__}")
        raise typer.Exit


@app.callback()
def _outhaul(
    version: bool = typer.Option(  # noqa: ARG001 - its callback uses the value
        False, "--version", help="Show the version and exit.", callback=_show_version, is_eager=True
    ),
) -> None:
    set_up_logging()


def main() -> None:
    """Run the command. The exit status is 0 only if everything worked."""
    if sys.stderr is None:
        # The caller closed it. Messages are lost, but do not end the command.
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115 - never closed
    try:
        app()
    except KeyboardInterrupt:
        errors.print("stopped")
        sys.exit(130)
