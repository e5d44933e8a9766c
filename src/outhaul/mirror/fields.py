"""The fields that an endpoint offers, compared with those that are stored and with the columns."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

import polars as pl

from outhaul.catalog.entries import LeadField
from outhaul.catalog.objects import MemberField
from outhaul.lake.snapshot import Lake, Snapshot
from outhaul.lake.tables import Table
from outhaul.lake.widening import fits, widen, wider
from outhaul.loading.loads import RESERVED
from outhaul.mirror.changes import Change, What
from outhaul.protocol.texts import one_line
from outhaul.records.columns import column_type
from outhaul.records.conversions import data_type
from outhaul.records.readers.names import problem_of_names

Field = TypeVar("Field", bound=LeadField | MemberField)


@dataclass(frozen=True, kw_only=True)
class Fields(Generic[Field]):
    """The fields of one kind, by name."""

    part: str
    """What a field is called in messages."""
    path: str
    """The path of the kind."""
    table: Table
    offered: Mapping[str, Field]
    stored: Mapping[str, Field]


class Comparison(Generic[Field]):
    """The fields of one kind at the endpoint and here.

    `told_before` has the lines about what was found before and lasts.
    """

    def __init__(self, fields: Fields[Field], lake: Lake, told_before: Collection[str]) -> None:
        self._fields = fields
        self._lake = lake
        snapshot = lake.snapshot(fields.table)
        self._columns = fields.table.columns if snapshot is None else snapshot.columns
        self.found: list[Change] = []
        self.new: list[str] = []
        """The names at the endpoint of fields whose past is not here."""
        self.names = self._find_names()
        """The names here of the fields, by their names at the endpoint."""
        self.here = {name: fields.offered[offered] for offered, name in self.names.items()}
        """The offered fields by their names here."""
        self._compare(told_before)
        self._widening = dict(self._find_types())

    @property
    def headers(self) -> dict[str, str]:
        """The names here of the fields that are spelled another way at the endpoint."""
        return {offered: name for offered, name in self.names.items() if offered != name}

    def widen(self) -> None:
        """Give columns the types of their fields. An interrupted widening changes nothing."""
        if not self._widening:
            return
        table = self._fields.table
        with self._lake.writing(table):
            snapshot = self._lake.snapshot(table)
            if snapshot is None:
                return
            # A load may have changed the columns since.
            types = {name: to for name, to in self._widening.items() if _can_be(snapshot, name, to)}
            if types:
                widen(self._lake, table, snapshot, types)

    def _find_names(self) -> dict[str, str]:
        """Return the name that each offered field has here. Columns differ in more than case.

        A field that a column cannot have is left out.
        """
        offered, stored = self._fields.offered, self._fields.stored
        known = {*stored, *self._columns}
        taken = {name.lower(): name for name in (*stored, *self._columns)}
        found: dict[str, str] = {}
        used = set[str]()
        # Those that are spelled as they are here come first.
        for name in sorted(offered, key=lambda name: name not in known):
            here = taken.setdefault(name.lower(), name)
            if here in used:
                self._add(What.REFUSED, name, f"it differs from '{one_line(here)}' in case only")
            elif name.startswith(RESERVED):
                self._add(What.REFUSED, name, f"names that begin with '{RESERVED}' are outhaul's")
            elif problem_of_names([name]) is not None:
                self._add(What.REFUSED, name, "a column cannot have this name")
            else:
                found[name] = here
                used.add(here)
                if here != name:
                    self._add(What.SPELLED, name, f"as '{one_line(here)}'")
        return {name: found[name] for name in offered if name in found}

    def _compare(self, told_before: Collection[str]) -> None:
        for offered, name in self.names.items():
            entry, before = self.here[name], self._fields.stored.get(name)
            gone = Change(what=What.GONE, part=self._fields.part, name=one_line(name))
            if before is None:
                self.new.append(offered)
                self._add(What.NEW, name)
            elif gone.text in told_before:
                self.new.append(offered)
                self._add(What.NEW, name, "it is back")
            elif label(before) != label(entry):
                detail = f"{quoted(label(before))} is now {quoted(label(entry))}"
                self._add(What.RENAMED, name, detail)
        for name in self._fields.stored:
            if name not in self.here:
                self._add(What.GONE, name)

    def _find_types(self) -> Iterator[tuple[str, pl.DataType]]:
        """Yield the columns to widen, with their types."""
        snapshot = self._lake.snapshot(self._fields.table)
        for name, entry in self.here.items():
            before, of = self._fields.stored.get(name), self._columns.get(name)
            to = column_type(entry.data_type)
            if of is not None and of != to and name not in self._fields.table.columns:
                if snapshot is None or not _can_be(snapshot, name, to):
                    has = f"its values here are of type {data_type(of)}, not {entry.data_type}"
                    self._add(What.KEPT, name, has)
                    continue
                yield name, to
            if before is not None and before.data_type != entry.data_type:
                detail = f"it was {before.data_type} and is {entry.data_type}"
                self._add(What.CHANGED, name, detail)

    def _add(self, what: What, name: str, detail: str = "") -> None:
        change = Change(what=what, part=self._fields.part, name=one_line(name), detail=detail)
        self.found.append(change)


def label(entry: LeadField | MemberField) -> str:
    """Return the name of a field for people."""
    if isinstance(entry, LeadField):
        return entry.display_name
    shown = entry.description.get("displayName")
    return shown if isinstance(shown, str) else entry.name


def quoted(name: str) -> str:
    """Return a name for a message."""
    return f"'{one_line(name)}'"


def _can_be(snapshot: Snapshot, name: str, to: pl.DataType) -> bool:
    """Return whether a column can get a wider type in which all its values keep their text."""
    return to in wider(snapshot.columns[name]) and fits(snapshot, name, to)
