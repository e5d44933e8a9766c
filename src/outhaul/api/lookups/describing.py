"""Describe calls: the fields of each kind."""

from outhaul.api.lookups.answering import Lookup
from outhaul.kinds.kind import Exported
from outhaul.protocol.answers.envelope import Success


def describe_lookups(kind: Exported) -> tuple[Lookup, ...]:
    """Return the describe calls of a kind."""
    return tuple(
        Lookup(
            path=entry.path,
            permissions=kind.permissions,
            find=entry.find,
            parameters=entry.parameters,
            result=entry.result,
            envelope=Success,
        )
        for entry in kind.descriptions
    )
