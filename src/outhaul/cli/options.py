"""Options of commands, made from the fields of `Settings`.

A command names the settings that it takes, and gets them as one argument:

    @app.command()
    @takes("data", "database_url")
    def show(name: Name, *, settings: Settings, json: Json = False) -> None:

The help shows these options at the position of the argument `settings` in the signature, in the
order of their names in `takes`. Options that are declared as first come before the command's own
options. The argument has also the settings without an option, which only variables can set.
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
    """Decorate a command: add an option for each of these settings, and pass them as `settings`.

    `variables` names settings that the command reads from their variables only, although they can
    have an option. The command ends with a message if the value of a setting is not valid.
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
    """Return the command, for which Typer makes options from these parameters."""
    # Typer reads both attributes.
    command.__signature__ = Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {each.name: each.annotation for each in parameters}
    return command


def parameter(name: str, kind: Any, default: Any = Parameter.empty) -> Parameter:  # noqa: ANN401
    """Return a keyword parameter. The annotation `kind` declares an option or an argument."""
    return Parameter(name, Parameter.KEYWORD_ONLY, default=default, annotation=kind)


def variable_of(flag: str) -> str:
    """Return the environment variable of an option, such as `OUTHAUL_FIELDS` of `--fields`."""
    return PREFIX + flag.removeprefix("--").replace("-", "_").upper()


def option(name: str, *, text: str | None = None) -> Any:  # noqa: ANN401 - typer's own type
    """Return the option of a setting, for a command that changes its default or its help.

    `text` replaces the description of the setting in the help.
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
        # All paths among the settings are paths of folders.
        file_okay=not _is_path(field),
        show_default=computed.words if computed else True,
    )


def make_settings(
    environ: Mapping[str, str],
    variables: Collection[str] = (),
    **values: Any,  # noqa: ANN401 - what options hold
) -> Settings:
    """Return the settings of a command: the values of its options, and those of variables.

    An option that was not given has the value `None`. Variables set the settings without an option,
    and those named in `variables`. The command ends with a message if the value of a setting is not
    valid.
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
            # This error only follows from another: a default depends on a setting that is wrong.
            if problem["type"] != "default_factory_not_called"
        )
        fail(f"a setting is not valid: {problems}")


def _source(*path: int | str, options: Collection[str]) -> str:
    """Return the beginning of a message: the option or the variable of the setting at a path."""
    if path and path[0] in options:
        return f"{option_name(str(path[0]))}: "
    source = Settings.source(*path)
    return f"{source}: " if source else ""


def _parameter(name: str) -> Parameter:
    """Return the parameter of a command from which Typer makes the option of a setting."""
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
