"""How a setting is declared. Its option, its environment variable and its help follow from that.

A setting is a field of a model that derives from `Declared`. The type, the bounds and the default
of the setting are those of the field. The help of commands and the documentation both show the
field's description. The environment variable is the model's prefix and the name of the field.
`Option` marks the settings that commands can have an option for.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar

from pydantic import BaseModel, ConfigDict, SecretStr
from pydantic.fields import FieldInfo

PREFIX = "OUTHAUL_"


@dataclass(frozen=True, kw_only=True)
class Option:
    """Marks a setting that commands can have an option for. Other settings have a variable only.

    `metavar` stands for the value in the help. `minimum` is the least value of the option, if it
    is stricter than the least value of the field. The help shows an option that is `first` before
    the command's own options.
    """

    metavar: str | None = None
    minimum: float | None = None
    first: bool = False


@dataclass(frozen=True)
class Computed:
    """Marks a setting whose default is computed; `words` describe the default in the help."""

    words: str


@dataclass(frozen=True)
class Entries:
    """Marks a mapping. Each entry has a variable of its own: the prefix and the entry's name."""

    prefix: str


Mark = TypeVar("Mark", Option, Computed, Entries)


def marked(field: FieldInfo, mark: type[Mark]) -> Mark | None:
    """Return the mark of this type that a field has, or `None`."""
    return next((each for each in field.metadata if isinstance(each, mark)), None)


def group_of(field: FieldInfo) -> "type[Declared] | None":
    """Return the model of a field that is a group of settings, or `None`."""
    kind = field.annotation
    return kind if isinstance(kind, type) and issubclass(kind, Declared) else None


def option_name(name: str) -> str:
    """Return the option of a setting, such as `--files-url`."""
    return f"--{name.replace('_', '-')}"


class Declared(BaseModel):
    """Settings whose environment variables share a prefix.

    A field may hold another such model: a group of settings.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    PREFIX: ClassVar[str]

    @classmethod
    def variable(cls, name: str) -> str:
        """Return the environment variable of a setting."""
        return f"{cls.PREFIX}{name.upper()}"

    @classmethod
    def options(cls) -> list[str]:
        """Return the names of the settings that commands can have an option for."""
        return [name for name, field in cls.model_fields.items() if marked(field, Option)]

    @classmethod
    def given_by(
        cls, environ: Mapping[str, str], names: Collection[str] | None = None
    ) -> dict[str, Any]:
        """Return the values that environment variables set, as texts by the name of the setting.

        With `names`, only these settings are read. An empty variable sets nothing.
        """
        given: dict[str, Any] = {}
        for name, field in cls.model_fields.items():
            if names is not None and name not in names:
                continue
            if group := group_of(field):
                given[name] = group.given_by(environ)
            elif entries := marked(field, Entries):
                given[name] = {
                    variable.removeprefix(entries.prefix).lower(): value
                    for variable, value in environ.items()
                    if variable.startswith(entries.prefix)
                }
            elif value := environ.get(cls.variable(name)):
                given[name] = value
        return given

    def variables(self) -> dict[str, str]:
        """Return these settings as environment variables, including secrets.

        `given_by` reads them back. A setting that is `None` has no variable.
        """
        found: dict[str, str] = {}
        for name, field in type(self).model_fields.items():
            value = getattr(self, name)
            if isinstance(value, Declared):
                found |= value.variables()
            elif entries := marked(field, Entries):
                found |= {f"{entries.prefix}{each.upper()}": _text(value[each]) for each in value}
            elif value is not None:
                found[self.variable(name)] = _text(value)
        return found

    def environment(self, inherited: Mapping[str, str]) -> dict[str, str]:
        """Return an environment that gives another process exactly these settings.

        The variables of settings in `inherited` are dropped, because one of them could set a
        setting that is `None` here.
        """
        others = {name: text for name, text in inherited.items() if not self.sets(name)}
        return others | self.variables()

    @classmethod
    def sets(cls, variable: str) -> bool:
        """Tell whether an environment variable sets one of these settings."""
        for name, field in cls.model_fields.items():
            if group := group_of(field):
                if group.sets(variable):
                    return True
            elif entries := marked(field, Entries):
                if variable.startswith(entries.prefix):
                    return True
            elif variable == cls.variable(name):
                return True
        return False

    @classmethod
    def source(cls, *path: int | str) -> str:
        """Return the variable of the setting at the path of a validation error.

        The text is empty for an empty path, and for the path of a group: the message of a group's
        error names its settings itself.
        """
        if not path:
            return ""
        name, *rest = map(str, path)
        field = cls.model_fields[name]
        if group := group_of(field):
            return group.source(*rest)
        if entries := marked(field, Entries):
            return f"{entries.prefix}{rest[0].upper() if rest else '<NAME>'}"
        return cls.variable(name)


def _text(value: object) -> str:
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    return str(value).lower() if value is None or isinstance(value, bool) else str(value)
