"""The entries of a catalog, and how they are read from JSON that a live instance answered."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

# What the columns of the state hold, on every database.
ID_RANGE = range(-(2**31), 2**31)


class CatalogError(ValueError):
    """A catalog file does not fit."""


class AssetType(StrEnum):
    """What an asset is, spelled as the keys of outhaul's own catalog file."""

    PROGRAM = "programs"
    FORM = "forms"
    STATIC_LIST = "staticLists"


@dataclass(frozen=True, kw_only=True)
class LeadField:
    """A field of leads; `name` is its REST name, `description` its entry in `describe.json`."""

    id: int
    name: str
    display_name: str
    data_type: str
    description: Mapping[str, Any] = field(default_factory=dict, compare=False)


@dataclass(frozen=True, kw_only=True)
class ActivityType:
    """A type of activities; `description` is its entry in `activities/types.json`."""

    id: int
    name: str
    description: Mapping[str, Any] = field(default_factory=dict, compare=False)


@dataclass(frozen=True, kw_only=True)
class Asset:
    """A program, or a form or static list, which may be in a program."""

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
    """What one catalog file holds."""

    lead_fields: tuple[LeadField, ...] = ()
    activity_types: tuple[ActivityType, ...] = ()
    assets: tuple[Asset, ...] = ()

    def __len__(self) -> int:
        return len(self.lead_fields) + len(self.activity_types) + len(self.assets)


def parse_catalog(content: object) -> Entries:
    """Return the entries of a catalog file, whichever of the three forms it has.

    These are the answers `leads/describe.json` and `activities/types.json` of a live instance,
    and outhaul's own file, an object of `programs`, `forms` and `staticLists`. Raises
    `CatalogError`, which names the entry that does not fit.
    """
    if not isinstance(content, dict):
        raise CatalogError("a catalog file is a JSON object")
    if "result" in content:
        return _parse_answer(content["result"])
    unknown = sorted(set(content) - set(AssetType))
    if unknown or not content:
        raise CatalogError(
            f"expected an answer with 'result', or an object of {', '.join(AssetType)}; "
            f"found {', '.join(unknown) or 'nothing'}"
        )
    return Entries(
        assets=tuple(
            _parse_asset(kind, entry, f"{kind}[{n}]")
            for kind in AssetType
            for n, entry in _objects(content.get(kind, []), kind)
        )
    )


def _parse_answer(result: object) -> Entries:
    entries = list(_objects(result, "result"))
    if all("rest" in entry or "soap" in entry for _, entry in entries):
        fields = (_parse_field(entry, f"result[{n}]") for n, entry in entries)
        return Entries(lead_fields=_distinct(field for field in fields if field is not None))
    types = (_parse_type(entry, f"result[{n}]") for n, entry in entries)
    return Entries(activity_types=tuple(types))


def _parse_field(entry: Mapping[str, Any], place: str) -> LeadField | None:
    if "rest" not in entry:
        return None  # a field that only the SOAP API has
    rest = entry["rest"]
    if not isinstance(rest, dict):
        raise CatalogError(f"{place}.rest: expected an object")
    return LeadField(
        id=_integer(entry, "id", place),
        name=_text(rest, "name", f"{place}.rest"),
        display_name=_text(entry, "displayName", place),
        data_type=_text(entry, "dataType", place),
        description=entry,
    )


def _parse_type(entry: Mapping[str, Any], place: str) -> ActivityType:
    return ActivityType(
        id=_integer(entry, "id", place), name=_text(entry, "name", place), description=entry
    )


def _parse_asset(kind: AssetType, entry: Mapping[str, Any], place: str) -> Asset:
    program = None
    if kind is not AssetType.PROGRAM and entry.get("program") is not None:
        program = _text(entry, "program", place)
    return Asset(
        type=kind,
        id=_integer(entry, "id", place),
        name=_text(entry, "name", place),
        program=program,
        description=entry,
    )


def _distinct(fields: Iterable[LeadField]) -> tuple[LeadField, ...]:
    by_name: dict[str, LeadField] = {}
    for entry in fields:
        if entry.name in by_name:
            raise CatalogError(f"field {entry.name!r} is described twice")
        by_name[entry.name] = entry
    return tuple(by_name.values())


def _objects(value: object, place: str) -> Iterable[tuple[int, Mapping[str, Any]]]:
    if not isinstance(value, list):
        raise CatalogError(f"{place}: expected an array")
    for n, entry in enumerate(value):
        if not isinstance(entry, dict):
            raise CatalogError(f"{place}[{n}]: expected an object")
        yield n, entry


def _integer(entry: Mapping[str, Any], name: str, place: str) -> int:
    value = entry.get(name)
    if isinstance(value, bool) or not isinstance(value, int) or value not in ID_RANGE:
        raise CatalogError(f"{place}.{name}: expected an integer of 32 bits, found {value!r}")
    return value


def _text(entry: Mapping[str, Any], name: str, place: str) -> str:
    value = entry.get(name)
    if not isinstance(value, str) or not value:
        raise CatalogError(f"{place}.{name}: expected a text, found {value!r}")
    if any("\ud800" <= mark <= "\udfff" for mark in value):
        raise CatalogError(f"{place}.{name}: {value!r} holds half a surrogate pair")
    return value
