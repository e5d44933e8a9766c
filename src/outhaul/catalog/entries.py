"""The entries of a catalog, and reading them from the JSON of a catalog file."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from math import isfinite
from typing import Any

from outhaul.catalog.objects import INFERRED, CustomObjectType, MemberField
from outhaul.protocol.instants import EXPECTED, parse_instant, render_instant
from outhaul.protocol.texts import has_surrogate

# The keys for the program of an asset: that of outhaul's own file, and that of live instances.
_PROGRAM = ("program", "programName")

# The integers that the columns of ids can hold in every database.
ID_RANGE = range(-(2**31), 2**31)

CUSTOM_OBJECTS = "customObjects"
"""The key of custom object types in outhaul's own catalog file."""

# API names become names of folders and segments of URLs.
_API_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,99}")


class CatalogError(ValueError):
    """A catalog file is not valid. The message names the entry."""


class AssetType(StrEnum):
    """The type of an asset. The value is the key of such assets in outhaul's own catalog file."""

    PROGRAM = "programs"
    FORM = "forms"
    STATIC_LIST = "staticLists"
    SMART_LIST = "smartLists"
    CAMPAIGN = "campaigns"


CAMPAIGN_TYPES = ("batch", "trigger")


@dataclass(frozen=True, kw_only=True)
class LeadField:
    """A field of leads; `name` is its REST name, `description` its entry in `describe.json`."""

    id: int
    name: str
    display_name: str
    data_type: str
    description: Mapping[str, Any] = field(default_factory=dict, compare=False)

    @property
    def inferred(self) -> bool:
        """Whether the type was inferred from a file of records."""
        return INFERRED in self.description


@dataclass(frozen=True, kw_only=True)
class ActivityType:
    """A type of activities; `description` is its entry in `activities/types.json`."""

    id: int
    name: str
    description: Mapping[str, Any] = field(default_factory=dict, compare=False)


@dataclass(frozen=True, kw_only=True)
class Asset:
    """A program, or a form, list or smart campaign, which may belong to a program.

    Dates in its `description` have the form of `protocol.instants`, so that their texts sort like
    the dates.
    """

    type: AssetType
    id: int
    name: str
    program: str | None = None
    description: Mapping[str, Any] = field(default_factory=dict, compare=False)

    @property
    def qualified_name(self) -> str:
        """The name that filters use: `program.asset` (bulk activity extract, options)."""
        return self.name if self.program is None else f"{self.program}.{self.name}"


@dataclass(frozen=True, kw_only=True)
class Entries:
    """The entries of one catalog file."""

    lead_fields: tuple[LeadField, ...] = ()
    activity_types: tuple[ActivityType, ...] = ()
    assets: tuple[Asset, ...] = ()
    member_fields: tuple[MemberField, ...] = ()
    custom_object_types: tuple[CustomObjectType, ...] = ()

    def __len__(self) -> int:
        return (
            len(self.lead_fields)
            + len(self.activity_types)
            + len(self.assets)
            + len(self.member_fields)
            + len(self.custom_object_types)
        )


def parse_catalog(content: object) -> Entries:
    """Return the entries of a catalog file.

    A file is an answer of a live instance that describes its fields, activity types or custom
    object types, such as that of `leads/describe.json`. Or it is outhaul's own file: an object of
    `programs`, `forms`, `staticLists` and the other types of assets. Raises `CatalogError`.
    """
    if not isinstance(content, dict):
        raise CatalogError("a catalog file is a JSON object")
    entries = _parse_answer(content["result"]) if "result" in content else _parse_file(content)
    _check_writable(content)
    return entries


def _parse_file(content: Mapping[str, Any]) -> Entries:
    """Return the entries of outhaul's own file."""
    known = (*AssetType, CUSTOM_OBJECTS)
    unknown = sorted(set(content) - set(known))
    if unknown or not content:
        raise CatalogError(
            f"expected an answer with 'result', or an object of {', '.join(known)}; "
            f"found {', '.join(unknown) or 'nothing'}"
        )
    return Entries(
        assets=tuple(
            _parse_asset(kind, entry, f"{kind}[{n}]")
            for kind in AssetType
            for n, entry in _objects(content.get(kind, []), kind)
        ),
        custom_object_types=_parse_objects(
            _objects(content.get(CUSTOM_OBJECTS, []), CUSTOM_OBJECTS), CUSTOM_OBJECTS
        ),
    )


def _parse_answer(result: object) -> Entries:
    entries = list(_objects(result, "result"))
    if all("rest" in entry or "soap" in entry for _, entry in entries):
        fields = (_parse_field(entry, f"result[{n}]") for n, entry in entries)
        return Entries(lead_fields=_distinct(field for field in fields if field is not None))
    if all("idField" in entry for _, entry in entries):
        return Entries(custom_object_types=_parse_objects(entries, "result"))
    if all("fields" in entry for _, entry in entries):
        return Entries(member_fields=_parse_member_fields(entries))
    types = (_parse_type(entry, f"result[{n}]") for n, entry in entries)
    return Entries(activity_types=tuple(types))


def _parse_field(entry: Mapping[str, Any], path: str) -> LeadField | None:
    if "rest" not in entry:
        return None  # a field that only the SOAP API has
    rest = entry["rest"]
    if not isinstance(rest, dict):
        raise CatalogError(f"{path}.rest: expected an object")
    return LeadField(
        id=_integer(entry, "id", path),
        name=_text(rest, "name", f"{path}.rest"),
        display_name=_text(entry, "displayName", path),
        data_type=_text(entry, "dataType", path),
        description=entry,
    )


def _parse_type(entry: Mapping[str, Any], path: str) -> ActivityType:
    return ActivityType(
        id=_integer(entry, "id", path), name=_text(entry, "name", path), description=entry
    )


def _parse_asset(kind: AssetType, entry: Mapping[str, Any], path: str) -> Asset:
    program = None
    if kind is AssetType.CAMPAIGN:
        _check_campaign(entry, path)
    if kind is AssetType.PROGRAM:
        _check_statuses(entry, path)
    else:
        named = (key for key in _PROGRAM if entry.get(key) is not None)
        program = next((_text(entry, key, path) for key in named), None)
    return Asset(
        type=kind,
        id=_integer(entry, "id", path),
        name=_text(entry, "name", path),
        program=program,
        description={**entry, **_dates(entry, path)},
    )


def _check_writable(value: object, path: str = "") -> None:
    """Check that look-ups can write the descriptions, which they show as they were loaded."""
    if isinstance(value, dict):
        for key, inner in value.items():
            _check_writable(key, f"{path}: a name")
            # The rules of smart lists are checked in full before they are stored.
            if not (key == "rules" and path.startswith(AssetType.SMART_LIST)):
                _check_writable(inner, f"{path}.{key}" if path else key)
    elif isinstance(value, list):
        for n, inner in enumerate(value):
            _check_writable(inner, f"{path}[{n}]")
    elif isinstance(value, str) and has_surrogate(value):
        raise CatalogError(f"{path}: {value!r} holds half a surrogate pair")
    elif isinstance(value, float) and not isfinite(value):
        raise CatalogError(f"{path}: {value!r} is no number of JSON")


def _check_statuses(entry: Mapping[str, Any], path: str) -> None:
    names = entry.get("statuses", [])
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise CatalogError(f"{path}.statuses: expected an array of texts, found {names!r}")


def _check_campaign(entry: Mapping[str, Any], path: str) -> None:
    if entry.get("type", CAMPAIGN_TYPES[0]) not in CAMPAIGN_TYPES:
        found = entry["type"]
        raise CatalogError(f"{path}.type: expected {' or '.join(CAMPAIGN_TYPES)}, found {found!r}")
    if not isinstance(entry.get("active", False), bool):
        raise CatalogError(f"{path}.active: expected true or false, found {entry['active']!r}")
    if entry.get("programId") is not None:
        _integer(entry, "programId", path)


def _dates(entry: Mapping[str, Any], path: str) -> dict[str, str]:
    """Return the dates of an asset in UTC; live instances write `2026-01-31T23:59:59Z+0000`."""
    dates = {}
    for name in ("createdAt", "updatedAt"):
        if entry.get(name) is None:
            continue
        text = _text(entry, name, path)
        try:
            dates[name] = render_instant(parse_instant(text))
        except ValueError:
            raise CatalogError(f"{path}.{name}: expected {EXPECTED}, found {text!r}") from None
    return dates


def _parse_member_fields(
    entries: Iterable[tuple[int, Mapping[str, Any]]],
) -> tuple[MemberField, ...]:
    found: dict[str, MemberField] = {}
    for n, entry in entries:
        for name, content in _parse_fields(entry, f"result[{n}]").items():
            found[name] = MemberField(name=name, data_type=content["dataType"], description=content)
    if not {"programId", "leadId"} <= set(found):
        raise CatalogError("result: these are not the fields of program members")
    return tuple(found.values())


def _parse_objects(
    entries: Iterable[tuple[int, Mapping[str, Any]]], path: str
) -> tuple[CustomObjectType, ...]:
    return tuple(_parse_object(entry, f"{path}[{n}]") for n, entry in entries)


def _parse_object(entry: Mapping[str, Any], path: str) -> CustomObjectType:
    key = "apiName" if "apiName" in entry else "name"
    api_name = _text(entry, key, path)
    if not _API_NAME.fullmatch(api_name):
        raise CatalogError(f"{path}.{key}: expected letters, digits and _, found {api_name!r}")
    if entry.get("idField", "marketoGUID") != "marketoGUID":
        raise CatalogError(f"{path}.idField: expected 'marketoGUID', found {entry['idField']!r}")
    if "fields" in entry:  # the list of types names none
        _parse_fields(entry, path)
    names = entry.get("dedupeFields", [])
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise CatalogError(f"{path}.dedupeFields: expected an array of texts, found {names!r}")
    for n, relation in _objects(entry.get("relationships", []), f"{path}.relationships"):
        of = f"{path}.relationships[{n}]"
        _text(relation, "field", of)
        related = relation.get("relatedTo")
        if not isinstance(related, dict):
            raise CatalogError(f"{of}.relatedTo: expected an object")
        _text(related, "name", f"{of}.relatedTo")
        _text(related, "field", f"{of}.relatedTo")
    return CustomObjectType(api_name=api_name, description=entry)


def _parse_fields(entry: Mapping[str, Any], path: str) -> dict[str, Mapping[str, Any]]:
    """Return the `fields` of an entry by their name."""
    by_name: dict[str, Mapping[str, Any]] = {}
    for n, content in _objects(entry["fields"], f"{path}.fields"):
        name = _text(content, "name", f"{path}.fields[{n}]")
        _text(content, "dataType", f"{path}.fields[{n}]")
        if name in by_name:
            raise CatalogError(f"{path}.fields[{n}]: field {name!r} is described twice")
        by_name[name] = content
    return by_name


def _distinct(fields: Iterable[LeadField]) -> tuple[LeadField, ...]:
    by_name: dict[str, LeadField] = {}
    for entry in fields:
        if entry.name in by_name:
            raise CatalogError(f"field {entry.name!r} is described twice")
        by_name[entry.name] = entry
    return tuple(by_name.values())


def _objects(value: object, path: str) -> Iterable[tuple[int, Mapping[str, Any]]]:
    if not isinstance(value, list):
        raise CatalogError(f"{path}: expected an array")
    for n, entry in enumerate(value):
        if not isinstance(entry, dict):
            raise CatalogError(f"{path}[{n}]: expected an object")
        yield n, entry


def _integer(entry: Mapping[str, Any], name: str, path: str) -> int:
    value = entry.get(name)
    if isinstance(value, bool) or not isinstance(value, int) or value not in ID_RANGE:
        raise CatalogError(f"{path}.{name}: expected an integer of 32 bits, found {value!r}")
    return value


def _text(entry: Mapping[str, Any], name: str, path: str) -> str:
    value = entry.get(name)
    if not isinstance(value, str) or not value:
        raise CatalogError(f"{path}.{name}: expected a text, found {value!r}")
    if has_surrogate(value):
        raise CatalogError(f"{path}.{name}: {value!r} holds half a surrogate pair")
    return value
