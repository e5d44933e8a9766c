"""Options of commands that follow from the fields of `Settings`.

A command names the settings that it takes, and gets them as one argument:

    @app.command()
    @takes("data", "database_url")
    def show(name: Name, *, settings: Settings, json: Json = False) -> None:

The options stand in the help where the argument `settings` stands in the signature, in the order
in which they are named; those that are declared to be first stand before the command's own options.
`settings` has as well what the environment sets of the settings that have no option.
"""

import os
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import wraps
from inspect import Parameter, Signature, signature
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError
from pydantic.fields import FieldInfo

from outhaul.cli.console import fail
from outhaul.declaration import PREFIX, Computed, Option, marked, option_name
from outhaul.settings import LocationMissingError, Settings

Command = Callable[..., None]


def takes(*names: str, variables: Collection[str] = ()) -> Callable[[Command], Command]:
    """Give a command an option for each of these settings; hand it all of them as `settings`.

    `variables` names settings that it takes from their variables alone, though they can have an
    option. The command ends with a message where a setting has no valid value.
    """

    def decorate(command: Command) -> Command:
        @wraps(command)
        def run(**values: Any) -> None:  # noqa: ANN401 - what the options hold
            given = {name: values.pop(name) for name in names}
            command(**values, settings=make_settings(os.environ, variables, **given))

        parameters = [_parameter(name) for name in names if _is_first(name)]
        own = signature(command, eval_str=True)
        for parameter in own.parameters.values():
            if parameter.name == "settings":
                parameters += [_parameter(name) for name in names if not _is_first(name)]
            else:
                parameters.append(parameter.replace(kind=Parameter.KEYWORD_ONLY))
        return with_parameters(run, parameters)

    return decorate


def with_parameters(command: Command, parameters: Sequence[Parameter]) -> Command:
    """Let Typer find these parameters in a command that takes whatever is named."""
    # Typer reads both.
    command.__signature__ = Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {each.name: each.annotation for each in parameters}
    return command


def parameter(name: str, kind: Any, default: Any = Parameter.empty) -> Parameter:  # noqa: ANN401
    """Return a parameter of a command: `kind` is annotated with what Typer makes of it."""
    return Parameter(name, Parameter.KEYWORD_ONLY, default=default, annotation=kind)


def variable_of(flag: str) -> str:
    """Return the environment variable that is named after an option."""
    return PREFIX + flag.removeprefix("--").replace("-", "_").upper()


def option(name: str, *, text: str | None = None) -> Any:  # noqa: ANN401 - typer's own type
    """Return the option of a setting, for a command that does not take the setting as it is.

    `text` is a help in place of the description of the setting.
    """
    field = Settings.model_fields[name]
    declared, computed = _option_of(name), marked(field, Computed)
    minimum = _bound(field, "ge")
    return typer.Option(
        option_name(name),
        envvar=Settings.variable(name),
        help=text or field.description,
        metavar=declared.metavar,
        min=minimum if declared.minimum is None else declared.minimum,
        max=_bound(field, "le"),
        # Each path among the settings is that of a folder.
        file_okay=not _is_path(field),
        show_default=computed.words if computed else True,
    )


def make_settings(
    environ: Mapping[str, str],
    variables: Collection[str] = (),
    **values: Any,  # noqa: ANN401 - what options hold
) -> Settings:
    """Return the settings of a command: the values of its options, and what variables set.

    A value of `None` was not given. Variables set what has no option, and the settings named in
    `variables`. The command ends with a message where a setting has no valid value.
    """
    without = [name for name in Settings.model_fields if name not in Settings.options()]
    given = Settings.given_by(environ, {*without, *variables})
    given |= {name: value for name, value in values.items() if value is not None}
    try:
        return Settings.model_validate(given)
    except LocationMissingError as error:
        fail(str(error))
    except ValidationError as error:
        problems = "; ".join(
            f"{_source(*problem['loc'], options=values)}"
            f"{problem['msg'].removeprefix('Value error, ')}"
            for problem in error.errors()
            # A default that depends on settings is not computed where one of them is wrong.
            if problem["type"] != "default_factory_not_called"
        )
        fail(f"a setting does not fit: {problems}")


def _source(*path: int | str, options: Collection[str]) -> str:
    """Return the head of a message: the option or the variable of the setting at a path."""
    if path and path[0] in options:
        return f"{option_name(str(path[0]))}: "
    source = Settings.source(*path)
    return f"{source}: " if source else ""


def _parameter(name: str) -> Parameter:
    """Return the parameter of a command that Typer makes the option of a setting from."""
    field = Settings.model_fields[name]
    default = None if field.default_factory else field.default
    kind: Any = field.annotation
    return Parameter(
        name,
        Parameter.KEYWORD_ONLY,
        default=default,
        annotation=Annotated[kind if default is not None else kind | None, option(name)],
    )


def _option_of(name: str) -> Option:
    declared = marked(Settings.model_fields[name], Option)
    if declared is None:
        raise ValueError(f"the setting {name} has no option")
    return declared


def _is_first(name: str) -> bool:
    return _option_of(name).first


def _is_path(field: FieldInfo) -> bool:
    return field.annotation in (Path, Path | None)


def _bound(field: FieldInfo, side: str) -> float | None:
    return next((getattr(each, side) for each in field.metadata if hasattr(each, side)), None)
