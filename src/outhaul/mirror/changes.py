"""What a refresh of the catalog has found: differences, and how they are told."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from outhaul.protocol.texts import one_line

_SHOWN = 5
"""The most names in one line."""


class What(StrEnum):
    """What a change is. The value is its name in messages."""

    NEW = "new"
    RENAMED = "renamed"
    CHANGED = "changed"
    """The type of a field, or the attributes of an activity type. The column has the new type."""
    KEPT = "not changed here"
    """The type of a field is another one, which its column cannot have: it has the one before."""
    SPELLED = "spelled another way here"
    """The name of a field differs in case only from the one that it has here."""
    GONE = "gone at the endpoint"
    REFUSED = "refused"
    """The catalog or the lake cannot have the entry."""
    MISSING = "not read"
    """The endpoint refused the calls about a part, of which what is stored is used."""


_LASTING = {What.KEPT, What.SPELLED, What.GONE, What.REFUSED, What.MISSING}
"""What holds at each refresh from now on, and need not be told again."""


@dataclass(frozen=True, kw_only=True)
class Change:
    """A difference between the catalog of the endpoint and the one that is stored."""

    what: What
    part: str
    name: str = ""
    detail: str = ""
    key: int | None = None
    """The id of an asset or an activity type."""

    @property
    def text(self) -> str:
        """The change as a line of text."""
        named = f"{self.part} {self.name}".strip()
        return f"{named}: {self.what}" + (f", {self.detail}" if self.detail else "")


@dataclass(frozen=True, kw_only=True)
class Changes:
    """What a refresh of the catalog has found."""

    fields: Mapping[str, tuple[str, ...]]
    """The fields that an export can ask for, by the path of the kind (`customobjects/boat_c`), in
    the order of the endpoint, with the names that they have there."""
    headers: Mapping[str, Mapping[str, str]]
    """By the path of the kind: the name here of each field that is spelled another way here. It is
    the column header that an export must ask for."""
    new_fields: Mapping[str, tuple[str, ...]]
    """By the path of the kind: the fields whose past is not here, because they are new or back."""
    found: tuple[Change, ...]
    told_before: frozenset[str] = field(default=frozenset(), repr=False)
    not_compared: tuple[str, ...] = field(default=(), repr=False)
    """Those of `told_before` that are about parts that could not be read this time."""

    @property
    def notices(self) -> tuple[str, ...]:
        """What is to be told now, as lines. What lasts, and was told before, is left out."""
        told = [change for change in self.found if change.text not in self.told_before]
        return tuple(_lines(told))

    @property
    def lasting(self) -> tuple[str, ...]:
        """What need not be told again: `told_before` of the next refresh."""
        lasting = (change.text for change in self.found if change.what in _LASTING)
        return (*lasting, *self.not_compared)

    def gone(self, part: str) -> set[int]:
        """Return the ids of the entries of a part, such as `program`, that are gone."""
        found = (change for change in self.of(What.GONE) if change.part == part)
        return {change.key for change in found if change.key is not None}

    def of(self, what: What) -> list[Change]:
        """Return the changes of one sort."""
        return [change for change in self.found if change.what is what]


def _lines(changes: Iterable[Change]) -> Iterator[str]:
    """Yield changes as lines. Many of one sort share a line."""
    sorts: dict[tuple[str, str], list[Change]] = {}
    for change in changes:
        sorts.setdefault((change.what, change.part), []).append(change)
    for (what, part), alike in sorts.items():
        if len(alike) <= _SHOWN:
            yield from (change.text for change in alike)
        else:
            names = some([change.name for change in alike])
            yield f"{part}: {len(alike):,} are {what}: {names}"


def some(names: Sequence[str]) -> str:
    """Return names for a message, not too many of them."""
    shown = ", ".join(map(one_line, names[:_SHOWN])) or "none"
    more = len(names) - _SHOWN
    return f"{shown} and {more:,} more" if more > 0 else shown
