"""Commands that are made from declarations when they are called."""

from collections.abc import Callable, Mapping
from inspect import Parameter
from typing import Annotated

import typer
from typer.core import TyperGroup

from outhaul.cli.console import named_errors
from outhaul.cli.options import Command, parameter, variable_of
from outhaul.kinds.options import TypeOption
from outhaul.kinds.registry import KindError

Makers = Mapping[str, Callable[[], Command]]
"""Functions that make commands, by the name of the command."""


def group_of(makers: Callable[[], Makers], helps: Callable[[str], str]) -> type[TyperGroup]:
    """Return a group with the commands that `makers` makes, before the group's own commands.

    `makers` is called each time, because kinds may be registered late. `helps` returns the help of
    a command.
    """

    class Group(TyperGroup):
        def list_commands(self, ctx: object) -> list[str]:
            return [*_made(makers), *super().list_commands(ctx)]  # type: ignore[arg-type]

        def get_command(self, ctx: object, cmd_name: str):  # type: ignore[no-untyped-def]  # noqa: ANN202
            make = _made(makers).get(cmd_name)
            if make is None:
                return super().get_command(ctx, cmd_name)  # type: ignore[arg-type]
            one = typer.Typer(add_completion=False, rich_markup_mode=None)
            one.command(cmd_name, help=helps(cmd_name))(make())
            command = typer.main.get_command(one)
            command.name = cmd_name
            return command

    return Group


def _made(makers: Callable[[], Makers]) -> Makers:
    with named_errors(KindError):
        return makers()


def type_parameter(declared: TypeOption) -> Parameter:
    """Return the parameter for the option that names a type of records."""
    made = typer.Option(
        declared.flag,
        envvar=variable_of(declared.flag),
        metavar=declared.metavar,
        help=declared.help,
    )
    return parameter("type_name", Annotated[str, made])
