"""The command `outhaul`."""

import os
import sys
from importlib import import_module

import typer
from typer.core import TyperGroup

from outhaul import __version__
from outhaul.cli.console import errors, set_up_logging

COMMANDS = {
    "serve": "outhaul.cli.serve:app",
    "worker": "outhaul.cli.worker:app",
    "subscription": "outhaul.cli.subscription:app",
    "service": "outhaul.cli.service:app",
    "load": "outhaul.cli.load:app",
    "extract": "outhaul.cli.extract:app",
    "mirror": "outhaul.cli.mirror:app",
    "demo": "outhaul.cli.demo:app",
}
"""The module and the name of each command. Only the called one is imported: it saves a second."""


class _Commands(TyperGroup):
    def list_commands(self, ctx: object) -> list[str]:  # noqa: ARG002
        return list(COMMANDS)

    def get_command(self, ctx: object, cmd_name: str):  # type: ignore[no-untyped-def]  # noqa: ANN202, ARG002
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name].partition(":")
        command = typer.main.get_command(getattr(import_module(module), name))
        command.name = cmd_name
        return command


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
