"""The catalog that an endpoint offers, as entries of a catalog file.

Each part of it is read by its own calls. A part whose calls the endpoint refuses is missing, and an
entry that a catalog cannot have is refused; neither stops the rest.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, TypeVar

from outhaul.catalog.entries import (
    ActivityType,
    Asset,
    AssetType,
    CatalogError,
    Entries,
    LeadField,
    parse_catalog,
)
from outhaul.catalog.objects import CustomObjectType, MemberField
from outhaul.catalog.selection import UNDATED
from outhaul.client import AnswerError, HttpError, ProtocolError, Session
from outhaul.database.schema import storable, storable_json
from outhaul.mirror import sources
from outhaul.protocol.instants import parse_instant, render_instant
from outhaul.protocol.texts import one_line

Parsed = TypeVar("Parsed")
Read = Callable[[], Iterable[Any]]


class Part(StrEnum):
    """A part of a catalog. The value is its name in messages."""

    LEAD_FIELDS = "lead fields"
    ACTIVITY_TYPES = "activity types"
    MEMBER_FIELDS = "fields of program members"
    CUSTOM_OBJECT_TYPES = "custom object types"
    PROGRAMS = "programs"
    STATIC_LISTS = "static lists"
    SMART_LISTS = "smart lists"
    CAMPAIGNS = "smart campaigns"
    FORMS = "forms"


PARTS_OF_ASSETS: Mapping[Part, AssetType] = {
    Part.PROGRAMS: AssetType.PROGRAM,
    Part.STATIC_LISTS: AssetType.STATIC_LIST,
    Part.SMART_LISTS: AssetType.SMART_LIST,
    Part.CAMPAIGNS: AssetType.CAMPAIGN,
    Part.FORMS: AssetType.FORM,
}


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """An entry that a catalog cannot have."""

    part: Part
    name: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class Offer:
    """What an endpoint offers."""

    entries: Entries
    missing: Mapping[Part, str]
    """The parts that could not be read, and why."""
    halves: frozenset[Part]
    """The parts of which one of two calls was refused, so that entries lack some members."""
    refused: Sequence[Refusal]


def read_offer(session: Session, fields: Mapping[str, LeadField]) -> Offer:
    """Read the catalog of an endpoint.

    `fields` are the lead fields that are known here: they have the ids, if the endpoint tells none.
    Raises `ClientError` if the endpoint cannot be used at all.
    """
    return _Reader(session).read(fields)


class _Reader:
    def __init__(self, session: Session) -> None:
        self._session = session
        self._missing: dict[Part, str] = {}
        self._halves: set[Part] = set()
        self._refused: list[Refusal] = []

    def read(self, fields: Mapping[str, LeadField]) -> Offer:
        session = self._session
        of_leads = self._read(Part.LEAD_FIELDS, lambda: sources.lead_fields(session))
        types = self._read(Part.ACTIVITY_TYPES, lambda: sources.activity_types(session))
        members = self._read(Part.MEMBER_FIELDS, lambda: sources.member_fields(session))
        entries = Entries(
            lead_fields=self._parsed(
                Part.LEAD_FIELDS, _with_ids(of_leads, fields), _rest_name, _lead_fields
            ),
            activity_types=self._parsed(Part.ACTIVITY_TYPES, types, _id, _activity_types),
            member_fields=self._parsed(Part.MEMBER_FIELDS, members, _name, _member_fields),
            custom_object_types=self._custom_object_types(),
        )
        return Offer(
            entries=replace(entries, assets=tuple(self._assets())),
            missing=self._missing,
            halves=frozenset(self._halves),
            refused=self._refused,
        )

    def _read(self, part: Part, *sources_of: Read) -> list[Any]:
        """Return the entries of a part from all its calls. It is missing if all are refused."""
        found: list[Any] = []
        problems = []
        for source in sources_of:
            try:
                found += source()
            except (AnswerError, HttpError, ProtocolError) as error:
                if not sources.had(error):
                    raise
                problems.append(str(error))
        if len(problems) == len(sources_of):
            self._missing[part] = problems[0]
        elif problems:
            self._halves.add(part)
        return found

    def _parsed(
        self,
        part: Part,
        found: Iterable[Any],
        key: Callable[[Mapping[str, Any]], str],
        parse: Callable[[list[Any]], tuple[Parsed, ...]],
    ) -> tuple[Parsed, ...]:
        """Return entries, each key once. If one is not valid, the others are parsed alone."""
        good: dict[str, Any] = {}
        for entry in found:
            if not isinstance(entry, dict):
                self._refuse(part, entry, "it is no object")
            elif storable(named := key(entry)) != named:
                # It could not be asked for by a name with other characters.
                self._refuse(part, entry, "its name has characters that cannot be stored")
            elif good.setdefault(named, entry) != entry:
                self._refuse(part, entry, "it is described twice")
        good = storable_json(good)
        try:
            return _all(parse, [*good.values()])
        except CatalogError:
            parsed: list[Parsed] = []
            for entry in good.values():
                try:
                    parsed += _all(parse, [entry])
                except CatalogError as error:
                    self._refuse(part, entry, str(error))
            return tuple(parsed)

    def _refuse(self, part: Part, entry: object, reason: str) -> None:
        name = _rest_name(entry) or _api_name(entry) if isinstance(entry, dict) else ""
        name = name or repr(entry)
        refusal = Refusal(part=part, name=one_line(name), reason=one_line(reason, 200))
        self._refused.append(refusal)

    # Custom objects

    def _custom_object_types(self) -> tuple[CustomObjectType, ...]:
        part, session = Part.CUSTOM_OBJECT_TYPES, self._session
        described = []
        for entry in self._read(part, lambda: sources.custom_object_types(session)):
            name = entry.get("apiName") or entry.get("name") if isinstance(entry, dict) else None
            if not isinstance(name, str):
                self._refuse(part, entry, "it has no name")
                continue
            try:
                found = sources.custom_object_type(session, name)
            except (AnswerError, HttpError, ProtocolError) as error:
                if not sources.had(error):
                    raise
                self._refuse(part, entry, str(error))
                continue
            if isinstance(found, dict) and isinstance(found.get("fields"), list):
                described.append({**found, "fields": [*self._fields_of(name, found["fields"])]})
            else:
                self._refuse(part, entry, "its description has no fields")
        return self._parsed(
            part,
            described,
            _api_name,
            lambda types: parse_catalog({"customObjects": types}).custom_object_types,
        )

    def _fields_of(self, api_name: str, fields: Iterable[Any]) -> Iterator[dict[str, Any]]:
        """Yield the fields of a custom object type that are valid, each name once."""
        names = set[str]()
        for entry in fields:
            name = entry.get("name") if isinstance(entry, dict) else None
            of = entry.get("dataType") if isinstance(entry, dict) else None
            if not (isinstance(name, str) and name and isinstance(of, str) and of):
                problem = f"a field of {api_name} has no name or no dataType"
                self._refuse(Part.CUSTOM_OBJECT_TYPES, entry, problem)
            elif storable(name) != name:
                problem = f"a field of {api_name} has characters that cannot be stored in its name"
                self._refuse(Part.CUSTOM_OBJECT_TYPES, entry, problem)
            elif name in names:
                self._refuse(Part.CUSTOM_OBJECT_TYPES, entry, f"{api_name} has this field twice")
            else:
                names.add(name)
                yield entry

    # Assets

    def _assets(self) -> Iterator[Asset]:
        session = self._session
        calls: Mapping[Part, tuple[Read, ...]] = {
            Part.PROGRAMS: (lambda: sources.assets(session, "programs"),),
            # The second call knows the program of each list, and the first one its address.
            Part.STATIC_LISTS: (
                lambda: sources.assets(session, "staticLists"),
                lambda: sources.static_lists(session),
            ),
            Part.SMART_LISTS: (lambda: sources.assets(session, "smartLists"),),
            Part.CAMPAIGNS: (
                lambda: sources.assets(session, "smartCampaigns"),
                lambda: sources.campaigns(session),
            ),
            Part.FORMS: (lambda: sources.assets(session, "forms"),),
        }
        programs: dict[Any, Any] = {}
        for part, reads in calls.items():
            found = [*_merged(self._read(part, *reads), programs)]
            if part is Part.PROGRAMS:
                programs = {
                    entry.get("id"): entry.get("name") for entry in found if isinstance(entry, dict)
                }
            yield from self._parsed(part, found, _id, _assets_of(PARTS_OF_ASSETS[part]))


def _all(
    parse: Callable[[list[Any]], tuple[Parsed, ...]], entries: list[Any]
) -> tuple[Parsed, ...]:
    parsed = parse(entries)
    if len(parsed) != len(entries):
        raise CatalogError("it is not of this part of a catalog")
    return parsed


def _lead_fields(entries: list[Any]) -> tuple[LeadField, ...]:
    if not all(isinstance(entry.get("rest"), dict) for entry in entries):
        raise CatalogError("it has no name in the REST API")
    return parse_catalog({"result": entries}).lead_fields


def _activity_types(entries: list[Any]) -> tuple[ActivityType, ...]:
    return parse_catalog({"result": entries}).activity_types


def _member_fields(entries: list[Any]) -> tuple[MemberField, ...]:
    names = {_name(entry) for entry in entries}
    # An answer that describes members has these two.
    added = [
        {"name": name, "dataType": "integer"}
        for name in ("programId", "leadId")
        if name not in names
    ]
    parsed = parse_catalog({"result": [{"fields": [*added, *entries]}]}).member_fields
    return tuple(entry for entry in parsed if entry.name in names)


def _assets_of(of: AssetType) -> Callable[[list[Any]], tuple[Asset, ...]]:
    return lambda entries: parse_catalog({of.value: entries}).assets


def _with_ids(entries: Iterable[Any], known: Mapping[str, LeadField]) -> Iterator[Any]:
    """Yield lead fields, without those of the SOAP API. Fields get an id if they have none."""
    free = max((entry.id for entry in known.values()), default=0) + 1
    for entry in entries:
        if not isinstance(entry, dict):
            yield entry
        elif "rest" in entry or "soap" not in entry:
            if "id" in entry:
                yield entry
                continue
            name = _rest_name(entry)
            number = known[name].id if name in known else free
            free += name not in known
            yield {"id": number, **entry}


def _merged(entries: Iterable[Any], programs: Mapping[Any, Any]) -> Iterator[Any]:
    """Yield assets as a catalog file has them; what several calls say of one is put together."""
    by_id: dict[Any, dict[str, Any]] = {}
    for given in entries:
        if not isinstance(given, dict) or type(given.get("id")) is not int:
            yield given
            continue
        entry = _asset(given, programs)
        before = by_id.get(entry["id"], {})
        if before.get("status") == "approved" and entry.get("status") == "draft":
            continue  # a form has both, with the same id
        by_id[entry["id"]] = {**before, **entry}
    yield from by_id.values()


def _asset(given: Mapping[str, Any], programs: Mapping[Any, Any]) -> dict[str, Any]:
    """Return an asset as a catalog file has it."""
    entry = {name: value for name, value in given.items() if value is not None}
    folder = entry.pop("folder", None)
    if isinstance(folder, Mapping) and folder.get("type") == "Program":
        number = folder.get("value", folder.get("id"))
        name = programs.get(number) or folder.get("folderName")
        if isinstance(name, str) and name:
            entry.setdefault("programName", name)
    for old, new in (("isActive", "active"), ("computedUrl", "url")):
        if old in entry:
            entry.setdefault(new, entry.pop(old))
    if all(_is_undated(entry.get(name)) for name in ("createdAt", "updatedAt")):
        # The endpoint is an outhaul whose catalog has no date for this asset.
        entry = {key: of for key, of in entry.items() if key not in ("createdAt", "updatedAt")}
    return entry


def _is_undated(text: object) -> bool:
    try:
        return isinstance(text, str) and render_instant(parse_instant(text)) == UNDATED
    except ValueError:
        return False


def _id(entry: Mapping[str, Any]) -> str:
    return repr(entry.get("id"))


def _name(entry: Mapping[str, Any]) -> str:
    return _text(entry.get("name"))


def _api_name(entry: Mapping[str, Any]) -> str:
    return _text(entry.get("apiName") or entry.get("name"))


def _rest_name(entry: Mapping[str, Any]) -> str:
    rest = entry.get("rest")
    return _text(rest.get("name")) if isinstance(rest, Mapping) else ""


def _text(value: object) -> str:
    return value if isinstance(value, str) else repr(value)
