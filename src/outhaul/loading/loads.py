"""What can be loaded and what is checked: activities, leads, members, custom objects."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl

from outhaul.catalog.entries import AssetType, LeadField
from outhaul.catalog.store import Catalog
from outhaul.kinds.leads import ECIDS
from outhaul.lake.deletions import DELETES, DELETION, delete_leads
from outhaul.lake.snapshot import Lake
from outhaul.lake.tables import (
    ACTIVITIES,
    LEADS,
    LIST_MEMBERS,
    PROGRAM_MEMBERS,
    Table,
    column_type,
    custom_objects,
)
from outhaul.loading.fitting import Column, Narrowest, fit
from outhaul.loading.merge import ColumnChangedError, Merged, merge
from outhaul.loading.readers import FileError, Misfit, Reader, Report, open_reader
from outhaul.loading.staging import Staging, staging_folder

RESERVED = "outhaul_"
"""How columns begin that a lake has for itself."""

MISFITS_SHOWN = 20


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """What loading a file did; `inferred` are the columns that are new to the catalog."""

    path: Path
    merged: Merged
    inferred: Mapping[str, pl.DataType] = field(default_factory=dict)
    noted: Collection[tuple[Any, ...]] = ()
    """The different values that the columns to note have together."""


def load_activities(
    lake: Lake, catalog: Catalog, path: Path, moment: datetime, report: Report
) -> Loaded:
    """Load a file of activities; they merge by marketoGUID.

    Those that delete a lead take it, and what goes with it, out of the lake for good. Raises
    `FileError`.
    """
    columns = [
        Column(name="marketoGUID", type=pl.String(), required=True),
        Column(name="leadId", type=pl.Int64(), required=True, positive=True),
        Column(name="activityDate", type=column_type("datetime"), required=True),
        Column(
            name="activityTypeId",
            type=pl.Int64(),
            required=True,
            members=catalog.activity_types().keys(),
            members_of="an activity type of the catalog",
        ),
        Column(name="campaignId", type=pl.Int64()),
        Column(name="primaryAttributeValueId", type=pl.Int64()),
        Column(name="primaryAttributeValue", type=pl.String()),
        Column(name="attributes", type=pl.String(), json_object=True),
        Column(name="actionResult", type=pl.String()),
    ]
    return _Load(lake, ACTIVITIES, path, columns, deletes=DELETES).run(moment, report)


def load_leads(  # noqa: PLR0913 - each is a word of the command
    lake: Lake,
    catalog: Catalog,
    path: Path,
    moment: datetime,
    report: Report,
    *,
    infer_fields: bool = False,
) -> Loaded:
    """Load a file of leads; they merge by id, and columns that it does not have stay as they are.

    With `infer_fields`, columns that the catalog does not know are taken in too, in the narrowest
    type whose every value renders back to the same text. Raises `FileError`.
    """
    columns = [
        Column(
            name=name,
            type=column_type(entry.data_type),
            required=name == "id",
            positive=name == "id",
        )
        for name, entry in _lead_columns(catalog.lead_fields()).items()
    ]
    return _Load(lake, LEADS, path, columns, infer=infer_fields).run(moment, report)


def load_list_members(
    lake: Lake, catalog: Catalog, path: Path, moment: datetime, report: Report
) -> Loaded:
    """Load a file of pairs of listId and leadId; those that are there stay. Raises `FileError`."""
    columns = [
        Column(
            name="listId",
            type=pl.Int64(),
            required=True,
            members=[entry.id for entry in catalog.assets(AssetType.STATIC_LIST)],
            members_of="a static list of the catalog",
        ),
        Column(name="leadId", type=pl.Int64(), required=True, positive=True),
    ]
    return _Load(lake, LIST_MEMBERS, path, columns).run(moment, report)


def load_program_members(  # noqa: PLR0913 - each is a word of the command
    lake: Lake,
    catalog: Catalog,
    path: Path,
    moment: datetime,
    report: Report,
    *,
    infer_fields: bool = False,
) -> Loaded:
    """Load a file of program members; they merge by programId and leadId.

    Their programs and statuses become known to the catalog; `infer_fields` is as for leads. Raises
    `FileError`.
    """
    columns = [
        Column(
            name=name,
            type=PROGRAM_MEMBERS.columns.get(name, column_type(entry.data_type)),
            required=name in PROGRAM_MEMBERS.key,
            positive=name in PROGRAM_MEMBERS.key,
        )
        for name, entry in catalog.member_fields().items()
    ]
    load = _Load(
        lake, PROGRAM_MEMBERS, path, columns, infer=infer_fields, note=("programId", "statusName")
    )
    loaded = load.run(moment, report)
    catalog.note_member_statuses(loaded.noted)
    return loaded


def load_custom_objects(  # noqa: PLR0913 - each is a word of the command
    lake: Lake,
    catalog: Catalog,
    path: Path,
    moment: datetime,
    report: Report,
    *,
    api_name: str,
) -> Loaded:
    """Load a file of custom objects of one type; they merge by marketoGUID.

    Each has a value in the fields that tell it from others, its type's dedupe fields. Raises
    `FileError`, and `KeyError` where the catalog has no such type.
    """
    declared = catalog.custom_object_types()[api_name]
    table = custom_objects(api_name, lead=declared.lead_link)
    columns = [
        Column(
            name=name,
            type=table.columns.get(name, column_type(of)),
            required=name in (*table.key, *declared.dedupe_fields),
        )
        for name, of in declared.fields.items()
    ]
    return _Load(lake, table, path, columns).run(moment, report)


def _lead_columns(fields: Mapping[str, LeadField]) -> Mapping[str, LeadField]:
    ecids = LeadField(id=0, name=ECIDS, display_name="ECIDs", data_type="string")
    return {"id": LeadField(id=0, name="id", display_name="Id", data_type="integer")} | {
        **fields,
        ECIDS: ecids,
    }


class _Load:
    """One file on its way into a table."""

    def __init__(  # noqa: PLR0913 - what differs between the loads
        self,
        lake: Lake,
        table: Table,
        path: Path,
        columns: Collection[Column],
        *,
        infer: bool = False,
        note: Sequence[str] = (),
        deletes: pl.Expr | None = None,
    ) -> None:
        self._note = note
        self._noted: set[tuple[Any, ...]] = set()
        self._deletes = deletes
        """Which records delete their lead."""
        self._has_deletions = False
        self._lake = lake
        self._table = table
        self._path = path
        snapshot = lake.snapshot(table)
        self._kept = table.columns if snapshot is None else snapshot.columns
        self._catalogued = {column.name for column in columns}
        self._columns = {column.name: column for column in self._as_kept(columns)}
        self._infer = infer
        if infer:
            self._columns = self._others() | self._columns
        self._narrowest: dict[str, Narrowest] = {}
        self._misfits: list[Misfit] = []
        self._more = 0

    def _as_kept(self, columns: Iterable[Column]) -> Iterator[Column]:
        """Give the columns in the types that the table has already, whatever the catalog says."""
        for column in columns:
            yield replace(column, type=self._kept.get(column.name, column.type))

    def _others(self) -> dict[str, Column]:
        """Return the columns that the table has and the catalog does not: a load was cut off."""
        return {name: Column(name=name, type=of) for name, of in self._kept.items()}

    def run(self, moment: datetime, report: Report) -> Loaded:
        """Read, check and merge the file."""
        reader = open_reader(self._path)
        with staging_folder(self._lake.folder) as folder:
            staging = Staging(folder, self._table)
            try:
                first = 0
                for batch in reader.batches(report):
                    self._stage(reader, batch, first, staging)
                    first += batch.height
            except FileError as error:
                self._misfits += error.misfits
            if self._misfits:
                raise FileError(self._path, self._misfits, self._more)
            staging.settle({name: found.type for name, found in self._narrowest.items()})
            if self._deletes is not None and self._has_deletions:
                # Before the records: where this is cut off, the file still is to be loaded.
                delete_leads(self._lake, staging.last_of(self._deletes, DELETION))
            try:
                merged = merge(self._lake, self._table, staging, moment)
            except ColumnChangedError as error:
                raise FileError(self._path, [Misfit(0, str(error))]) from error
        inferred = {
            name: of for name, of in staging.columns.items() if name not in self._catalogued
        }
        return Loaded(path=self._path, merged=merged, inferred=inferred, noted=self._noted)

    def _stage(self, reader: Reader, batch: pl.DataFrame, first: int, staging: Staging) -> None:
        unknown = [name for name in batch.columns if name not in self._columns]
        problem = self._problem(batch.columns, unknown)
        if problem:
            raise FileError(self._path, [Misfit(1, problem)])
        fitted, misfits = fit(batch, self._columns.values())
        for misfit in misfits:
            if len(self._misfits) < MISFITS_SHOWN:
                line = reader.line_of(first + misfit.record)
                self._misfits.append(Misfit(line, misfit.reason))
            else:
                self._more += 1
        for name in unknown:
            self._narrowest.setdefault(name, Narrowest()).look(batch[name])
        if self._note:
            absent = [pl.lit(None).alias(name) for name in self._note if name not in fitted]
            noted = fitted.with_columns(absent).select(self._note).unique()
            self._noted |= set(noted.iter_rows())
        if not self._misfits and fitted.height:
            staging.add(fitted.with_columns(_text(batch[name]) for name in unknown))
            if self._deletes is not None and not self._has_deletions:
                self._has_deletions = fitted.select(self._deletes.any()).item()

    def _problem(self, names: Iterable[str], unknown: Collection[str]) -> str | None:
        """Return what is wrong with the columns of a batch, if anything."""
        if unknown and not self._infer:
            return self._unknown(unknown)
        # A table tells columns apart by their letters only, not by their case.
        taken = {name.lower(): name for name in (self._table.partition, *self._kept)}
        for name in names:
            if name.startswith(RESERVED):
                return f"column {name!r}: names that begin with {RESERVED!r} are outhaul's own"
            if "\0" in name:
                return f"column {name!r}: a name cannot hold NUL"
            other = taken.setdefault(name.lower(), name)
            if other != name:
                return f"column {name!r} differs from {other!r} in case only"
        return None

    def _unknown(self, names: Iterable[str]) -> str:
        listed = ", ".join(repr(name) for name in names)
        if self._table is LEADS or self._table is PROGRAM_MEMBERS:
            return f"the catalog has no field {listed}; --infer-fields would add it"
        return f"{self._table.name} have no column {listed}; they have {', '.join(self._columns)}"


def _text(given: pl.Series) -> pl.Series:
    """Return values as text until their type is known; a type that the file gives is lost."""
    fitted, _ = fit(pl.DataFrame(given), [Column(name=given.name, type=pl.String())])
    return fitted.to_series()
