"""The catalog's entries for fields of program members and for custom object types."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

LEAD_IDS = frozenset({"id", "leadid"})
"""The names that the field of a lead's id has in descriptions, in lower case."""

OWN_FIELDS = {"marketoGUID": "string", "createdAt": "datetime", "updatedAt": "datetime"}
"""The fields that every custom object type has, and their `dataType`."""


INFERRED = "outhaulInferred"
"""The key in the description of a field that says that its type was inferred. It is not shown."""


@dataclass(frozen=True, kw_only=True)
class MemberField:
    """A field of program members; `description` is its entry in `describe.json`."""

    name: str
    data_type: str
    description: Mapping[str, Any] = field(default_factory=dict, compare=False)

    @property
    def inferred(self) -> bool:
        """Whether the type was inferred from a file of records."""
        return INFERRED in self.description


@dataclass(frozen=True, kw_only=True)
class CustomObjectType:
    """A type of custom objects; `description` is its entry in `describe.json`."""

    api_name: str
    description: Mapping[str, Any] = field(default_factory=dict, compare=False)

    @property
    def fields(self) -> Mapping[str, str]:
        """The `dataType` of each field by name. Fields that every type has come first."""
        declared = {
            entry["name"]: entry["dataType"] for entry in self.description.get("fields", [])
        }
        link = self.lead_link
        return {**OWN_FIELDS, **({} if link is None else {link: "integer"}), **declared}

    @property
    def dedupe_fields(self) -> list[str]:
        """The fields whose values together identify a record."""
        return list(self.description.get("dedupeFields", []))

    @property
    def searchable_fields(self) -> list[list[str]]:
        """The fields by which records can be looked up: each entry is a field or a compound key.

        They are those that the description names, and always the id, the key of the records and
        the lead's id.
        """
        declared = self.description.get("searchableFields")
        link = self.lead_link
        named = [
            *(declared if isinstance(declared, list) else []),
            [next(iter(OWN_FIELDS))],
            self.dedupe_fields,
            [] if link is None else [link],
        ]
        known = self.fields
        found: list[list[str]] = []
        for names in named:
            usable = isinstance(names, list) and {*map(str, names)} <= known.keys()
            if usable and names and names not in found:
                found.append(names)
        return found

    @property
    def lead_link(self) -> str | None:
        """The field with the id of the lead that a record belongs to; `None` without one."""
        for entry in self.description.get("relationships", []):
            related = entry["relatedTo"]
            if related["name"].lower() == "lead" and related["field"].lower() in LEAD_IDS:
                return str(entry["field"])
        return None
