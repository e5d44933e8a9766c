"""How a set of records is declared. The help, the documentation and the loading follow from it."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

Record = Mapping[str, Any]


class Of(StrEnum):
    """What records are of. The value is the name in counts and in messages."""

    LEADS = "leads"
    ACTIVITIES = "activities"
    LIST_MEMBERS = "list members"
    PROGRAM_MEMBERS = "program members"
    BOATS = "custom objects"


Records = Mapping[Of, Iterable[Record]]
"""The records of a set, as `outhaul load` takes them. Leads come last: they are loaded last."""


class SetError(ValueError):
    """There is no such set, or it has no such parameter, or not with this value."""


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """A whole number that a set is made with."""

    default: int
    help: str
    least: int = 0


@dataclass(frozen=True, kw_only=True)
class RecordSet:
    """A set of records that can be loaded into a subscription by its name."""

    name: str
    help: str
    """What the set holds, in a sentence."""
    catalog: Callable[[], Sequence[object]] = list
    """Returns the content of catalog files, as `outhaul load catalog` takes them."""
    records: Callable[[datetime, Mapping[str, int]], Records] = lambda _moment, _parameters: {}
    """Returns the records. Arguments: the current time, the value of each parameter."""
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    changed_at: datetime | None = None
    """When the records were changed last, in a set that is the same at any time."""

    def values(self, given: Mapping[str, object]) -> dict[str, int]:
        """Return the value of each parameter. Raises `SetError`, which names the parameter."""
        found = {name: parameter.default for name, parameter in self.parameters.items()}
        for name, value in given.items():
            if name not in self.parameters:
                known = ", ".join(self.parameters) or "none"
                raise SetError(f"{name}: the set {self.name} has no such parameter; it has {known}")
            least = self.parameters[name].least
            if not isinstance(value, int) or isinstance(value, bool) or value < least:
                raise SetError(f"{name}: {value!r} is not a whole number of at least {least}")
            found[name] = value
        return found
