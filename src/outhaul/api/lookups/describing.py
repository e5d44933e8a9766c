"""Describe calls: the fields of each kind. Those of companies and accounts return nothing."""

from outhaul.api.lookups.answering import Lookup, allowed
from outhaul.api.lookups.query import Query
from outhaul.kinds.kind import Exported
from outhaul.protocol.answers.descriptions import RecordDescription
from outhaul.protocol.answers.envelope import Found, Success


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


def nothing(query: Query) -> Found:  # noqa: ARG001 - the result does not depend on the query
    """List nothing: outhaul does not store such records."""
    return Found([])


ACCOUNTS = tuple(
    Lookup(
        path=f"/rest/v1/{records}/describe.json",
        permissions=allowed("Company", "Named Account"),
        find=nothing,
        result=RecordDescription,
        envelope=Success,
    )
    for records in ("companies", "namedaccounts")
)
