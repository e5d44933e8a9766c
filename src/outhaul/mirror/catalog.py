"""The catalog of an endpoint, brought into the catalog of a mirror, and what has changed in it.

All of it is read first, then compared with what is stored, then stored in one transaction. What is
gone at the endpoint stays here, with its values.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from outhaul.catalog.entries import ActivityType, Asset, AssetType, Entries, LeadField
from outhaul.catalog.objects import CustomObjectType, MemberField
from outhaul.catalog.store import Catalog
from outhaul.client import Session
from outhaul.kinds.custom_objects import table_of
from outhaul.kinds.program_members import TABLE as PROGRAM_MEMBERS
from outhaul.lake.snapshot import Lake
from outhaul.lake.tables import LEADS
from outhaul.mirror.changes import Change, Changes, What, some
from outhaul.mirror.fields import Comparison, Field, Fields, quoted
from outhaul.mirror.offered import PARTS_OF_ASSETS, Offer, Part, read_offer
from outhaul.protocol.texts import one_line

LEAD_PATH, MEMBER_PATH = "leads", "program/members"

_SINGULAR: Mapping[AssetType, str] = {
    AssetType.PROGRAM: "program",
    AssetType.FORM: "form",
    AssetType.STATIC_LIST: "static list",
    AssetType.SMART_LIST: "smart list",
    AssetType.CAMPAIGN: "smart campaign",
}


def refresh(
    session: Session, catalog: Catalog, lake: Lake, told_before: Collection[str] = ()
) -> Changes:
    """Store the catalog of an endpoint, and return what has changed.

    `told_before` is `Changes.lasting` of the refresh before. The columns of fields whose type
    changed are widened at once, where all values keep their text. Raises `ClientError` if the
    endpoint cannot be used at all, and `LakeError`; then nothing is stored.
    """
    offer = read_offer(session, catalog.lead_fields())
    refresher = _Refresher(offer, catalog.loaded(), lake, frozenset(told_before))
    entries = refresher.compare()
    refresher.widen()
    catalog.store(entries)
    return refresher.changes()


class _Refresher:
    """Compares what an endpoint offers with what is stored."""

    def __init__(
        self, offer: Offer, stored: Entries, lake: Lake, told_before: frozenset[str]
    ) -> None:
        self._offer = offer
        self._stored = stored
        self._lake = lake
        self._told_before = told_before
        self._found = [
            Change(what=What.MISSING, part=part, detail=why) for part, why in offer.missing.items()
        ]
        self._found += (
            Change(what=What.REFUSED, part=each.part, name=each.name, detail=each.reason)
            for each in offer.refused
        )
        self._fields: dict[str, tuple[str, ...]] = {}
        self._headers: dict[str, Mapping[str, str]] = {}
        self._new_fields: dict[str, tuple[str, ...]] = {}
        self._comparisons: list[Comparison[Any]] = []
        self._not_compared: list[str] = []

    def changes(self) -> Changes:
        """Return what was found."""
        return Changes(
            fields=self._fields,
            headers=self._headers,
            new_fields=self._new_fields,
            found=tuple(self._found),
            told_before=self._told_before,
            not_compared=tuple(self._not_compared),
        )

    def compare(self) -> Entries:
        """Return the entries to store: those that differ from the stored ones."""
        return Entries(
            lead_fields=tuple(self._lead_fields()),
            activity_types=tuple(self._activity_types()),
            member_fields=tuple(self._member_fields()),
            custom_object_types=tuple(self._custom_object_types()),
            assets=tuple(self._assets()),
        )

    def widen(self) -> None:
        """Give columns the types of their fields."""
        for comparison in self._comparisons:
            comparison.widen()

    # Fields

    def _lead_fields(self) -> Iterator[LeadField]:
        stored = {entry.name: entry for entry in self._stored.lead_fields}
        fields = Fields(
            part="lead field",
            path=LEAD_PATH,
            table=LEADS,
            offered={entry.name: entry for entry in self._offer.entries.lead_fields},
            stored=stored,
        )
        for name, entry in self._compare_fields(fields, Part.LEAD_FIELDS).items():
            rest = {**entry.description["rest"], "name": name}
            found = replace(entry, name=name, description={**entry.description, "rest": rest})
            if _differs(found, stored.get(name)):
                yield found

    def _member_fields(self) -> Iterator[MemberField]:
        stored = {entry.name: entry for entry in self._stored.member_fields}
        fields = Fields(
            part="field of program members",
            path=MEMBER_PATH,
            table=PROGRAM_MEMBERS,
            offered={entry.name: entry for entry in self._offer.entries.member_fields},
            stored=stored,
        )
        for name, entry in self._compare_fields(fields, Part.MEMBER_FIELDS).items():
            found = replace(entry, name=name, description={**entry.description, "name": name})
            if _differs(found, stored.get(name)):
                yield found

    def _custom_object_types(self) -> Iterator[CustomObjectType]:
        stored = {entry.api_name: entry for entry in self._stored.custom_object_types}
        offered = {entry.api_name: entry for entry in self._offer.entries.custom_object_types}
        self._compare(Part.CUSTOM_OBJECT_TYPES, "custom object type", offered, stored)
        for name, known in stored.items():
            if name not in offered:
                self._skip(f"field of {name}")
                if self._may_be_there(Part.CUSTOM_OBJECT_TYPES, name):
                    self._fields[_path(known)] = tuple(_fields_of(known))
        for name, entry in offered.items():
            before = stored.get(name)
            fields = Fields(
                part=f"field of {name}",
                path=_path(entry),
                table=table_of(name, lead=entry.lead_link),
                offered=_fields_of(entry),
                stored={} if before is None else _fields_of(before),
            )
            here = self._compare_fields(fields, is_new=before is None)
            declared = [{**each.description, "name": of} for of, each in here.items()]
            # Fields that are gone stay.
            declared += (dict(of.description) for n, of in fields.stored.items() if n not in here)
            described = {} if before is None else before.description
            found = replace(
                entry, description={**described, **entry.description, "fields": declared}
            )
            if _differs(found, before):
                yield found

    def _compare_fields(
        self, fields: Fields[Field], part: Part | None = None, *, is_new: bool = False
    ) -> Mapping[str, Field]:
        """Compare the fields of a kind. Return the offered ones by the names that they have here.

        If the endpoint did not tell its fields, the stored ones are asked for. `is_new` says that
        the whole kind is new, so that its fields need not be told one by one.
        """
        if part in self._offer.missing:
            self._fields[fields.path] = tuple(fields.stored)
            self._skip(fields.part)
            return {}
        comparison = Comparison(fields, self._lake, self._told_before)
        self._comparisons.append(comparison)
        self._fields[fields.path] = tuple(comparison.names)
        self._headers[fields.path] = comparison.headers
        self._new_fields[fields.path] = tuple(comparison.new)
        self._found += (
            change for change in comparison.found if not (is_new and change.what is What.NEW)
        )
        return comparison.here

    # Other entries

    def _activity_types(self) -> Iterator[ActivityType]:
        stored = {entry.id: entry for entry in self._stored.activity_types}
        offered = {entry.id: entry for entry in self._offer.entries.activity_types}
        self._compare(Part.ACTIVITY_TYPES, "activity type", offered, stored)
        for number, entry in offered.items():
            before = stored.get(number)
            if before is not None and _attributes(before) != _attributes(entry):
                detail = f"its attributes are now {some(_attributes(entry))}"
                name = _shown(number, entry)
                self._found.append(
                    Change(what=What.CHANGED, part="activity type", name=name, detail=detail)
                )
            if _differs(entry, before):
                yield entry

    def _assets(self) -> Iterator[Asset]:
        for part, of in PARTS_OF_ASSETS.items():
            stored = {entry.id: entry for entry in self._stored.assets if entry.type is of}
            offered = {entry.id: entry for entry in self._offer.entries.assets if entry.type is of}
            self._compare(part, _SINGULAR[of], offered, stored)
            for number, given in offered.items():
                before = stored.get(number)
                entry = given
                if before is not None and part in self._offer.halves:
                    entry = replace(
                        given,
                        program=given.program or before.program,
                        description={**before.description, **given.description},
                    )
                if before is not None and of is AssetType.SMART_LIST:
                    entry = _with_rules(entry, before)
                if _differs(entry, before):
                    yield entry

    def _compare(
        self, part: Part, singular: str, offered: Mapping[Any, Any], stored: Mapping[Any, Any]
    ) -> None:
        """Find what is new, renamed and gone among entries that a key identifies."""
        if part in self._offer.missing:
            self._skip(singular)
            return
        for key, entry in offered.items():
            before = stored.get(key)
            if before is None:
                self._found.append(Change(what=What.NEW, part=singular, name=_shown(key, entry)))
            elif _label(before) != _label(entry):
                detail = f"{quoted(_label(before))} is now {quoted(_label(entry))}"
                change = Change(what=What.RENAMED, part=singular, name=str(key), detail=detail)
                self._found.append(change)
        self._found += (
            Change(
                what=What.GONE,
                part=singular,
                name=_shown(key, entry),
                key=key if isinstance(key, int) else None,
            )
            for key, entry in stored.items()
            if key not in offered and not self._may_be_there(part, key)
        )

    def _may_be_there(self, part: Part, key: object) -> bool:
        """Return whether an entry that is not offered may be there: it could not be read."""
        return part in self._offer.missing or any(
            each.part is part and each.name == key for each in self._offer.refused
        )

    def _skip(self, part: str) -> None:
        """Note that entries are not compared, so that nothing is known of them now."""
        self._not_compared += (text for text in self._told_before if text.startswith(f"{part} "))


def _differs(entry: Any, before: Any) -> bool:  # noqa: ANN401 - entries of one sort
    return bool(before is None or entry != before or entry.description != before.description)


def _path(entry: CustomObjectType) -> str:
    return f"customobjects/{entry.api_name}"


def _label(entry: ActivityType | Asset | CustomObjectType) -> str:
    """Return the name of an entry for people."""
    if isinstance(entry, CustomObjectType):
        shown = entry.description.get("displayName")
        return shown if isinstance(shown, str) else entry.api_name
    return entry.name


def _shown(key: object, entry: ActivityType | Asset | CustomObjectType) -> str:
    return one_line(key) if isinstance(key, str) else f"{key} {quoted(_label(entry))}"


def _fields_of(entry: CustomObjectType) -> dict[str, MemberField]:
    """Return the fields that a custom object type declares."""
    return {
        declared["name"]: MemberField(
            name=declared["name"], data_type=declared["dataType"], description=declared
        )
        for declared in entry.description.get("fields", [])
    }


def _attributes(entry: ActivityType) -> Sequence[str]:
    """Return the names of the attributes of an activity type, the primary one first."""
    attributes = entry.description.get("attributes")
    listed = attributes if isinstance(attributes, list) else []
    found = [entry.description.get("primaryAttribute"), *listed]
    return [str(each.get("name")) for each in found if isinstance(each, Mapping)]


def _with_rules(entry: Asset, before: Asset) -> Asset:
    """Return a smart list with the rules that are stored. The list of smart lists has none."""
    if "rules" in entry.description or "rules" not in before.description:
        return entry
    rules = {"rules": before.description["rules"]}
    return replace(entry, description={**entry.description, **rules})
