"""Loading of a file: its records are read, checked, and merged into a table."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl

from outhaul.catalog.store import Catalog
from outhaul.kinds.loading import Deleting, Loading
from outhaul.kinds.registry import all_tables
from outhaul.lake.commits import Cursor
from outhaul.lake.deletions import delete_leads
from outhaul.lake.snapshot import Lake
from outhaul.loading.column_types import ColumnTypes, Decision
from outhaul.loading.merge import ColumnChangedError, Merged, merge
from outhaul.loading.merging import merge_staged
from outhaul.loading.staging import Staging, staging_folder
from outhaul.records.columns import Column
from outhaul.records.fitting import Invalid, fit
from outhaul.records.readers import FileError, Problem, Reader, Report, open_reader

RESERVED = "outhaul_"
"""The prefix of columns that outhaul adds to tables."""

_READING = 0.7
"""The share of the time of a load in which the file is read. The rest is the merge."""

PROBLEMS_SHOWN = 20
"""The number of problems that an error lists. Others are counted only."""


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """The result of loading a file."""

    path: Path | None
    """The file; `None` of a snapshot without a file."""
    merged: Merged
    inferred: Mapping[str, pl.DataType] = field(default_factory=dict)
    """The columns that are new to the catalog, and their types."""
    notes: Sequence[str] = ()
    """What the file says of merged leads, and what was not done."""
    left_out: Sequence[str] = ()
    """The columns that were not loaded, because leads are loaded with them."""
    outdated: Mapping[str, pl.DataType] = field(default_factory=dict)
    """Inferred columns whose type in the catalog is not the one of the table, and that one."""
    decisions: Sequence[Decision] = ()
    """The fields of the file whose type was widened, or is not the one in the catalog."""


def load_file(  # noqa: PLR0913, PLR0917 - what is loaded, into which lake, from which file
    loading: Loading,
    lake: Lake,
    catalog: Catalog,
    path: Path,
    moment: datetime,
    report: Report,
    *,
    infer: bool = False,
    cursor: Cursor | None = None,
    batch_bytes: int | None = None,
) -> Loaded:
    """Load a file into a table. Records merge by the key of the table.

    Columns that the file does not have keep their values. With `infer`, columns that the catalog
    does not know are loaded too: each in the narrowest type in which all values render back to the
    same text, and as a new entry of the catalog. Records that delete a lead remove the lead, and
    its records in other tables, forever. `moment` is the time of changes. `report` gets the
    progress. Raises `FileError`.

    The commit of the records also stores `cursor`, and nothing is left to do after it: deletions
    and the entries of the catalog are stored before. If the load is interrupted, the cursor is the
    previous one, and loading the file again repeats these steps without any change.
    """
    return _Load(
        loading, lake, catalog, path, infer=infer, cursor=cursor, batch_bytes=batch_bytes
    ).run(moment, report)


def load_snapshot(  # noqa: PLR0913, PLR0917 - as `load_file`
    loading: Loading,
    lake: Lake,
    catalog: Catalog,
    path: Path | None,
    moment: datetime,
    report: Report,
    *,
    of: Collection[int],
    infer: bool = False,
    cursor: Cursor | None = None,
    batch_bytes: int | None = None,
) -> Loaded:
    """Load all members of some static lists, or of some programs, whose ids are `of`.

    Members that the file does not have are removed, in the same commit as the others are merged. A
    file without records removes all, as does `None` in place of a file. Of one
    list or program, the column with the id may be absent. Only the partitions of the lists or
    programs are read. The rest is as for `load_file`.
    """
    assert loading.table.has_members  # noqa: S101 - other tables have no such partitions
    load = _Load(
        loading, lake, catalog, path, infer=infer, cursor=cursor, batch_bytes=batch_bytes, whole=of
    )
    return load.run(moment, report)


class _TooNarrowError(Exception):
    """Some columns must be widened, because values of the file do not fit them."""

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__(*names)
        self.names = names


class _Load:
    """The load of one file."""

    def __init__(  # noqa: PLR0913 - as `load_file`
        self,
        loading: Loading,
        lake: Lake,
        catalog: Catalog,
        path: Path | None,
        *,
        infer: bool,
        cursor: Cursor | None,
        batch_bytes: int | None = None,
        whole: Collection[int] = (),
    ) -> None:
        self._loading = loading
        self._lake = lake
        self._catalog = catalog
        self._table = loading.table
        self._path = path
        self._note = () if loading.noting is None else loading.noting.columns
        self._noted: set[tuple[Any, ...]] = set()
        self._has_deletions = False
        self._has_merges = False
        self._types = ColumnTypes(
            loading.columns(catalog), self._table, lake.snapshot(self._table), infer=infer
        )
        self._infer = infer
        self._cursor = cursor
        self._whole = whole
        self._batch_bytes = batch_bytes
        self._problems: list[Problem] = []
        self._more = 0
        others = () if loading.of_leads is None else loading.of_leads(catalog)
        self._of_leads = {*others} - {*self._types.columns}
        self._left_out: dict[str, None] = {}

    def run(self, moment: datetime, report: Report) -> Loaded:
        """Read, check and merge the file. It is read again if a column must be widened."""
        while True:
            try:
                return self._run(moment, report)
            except _TooNarrowError as found:
                self._types.widen(found.names)

    def _run(self, moment: datetime, report: Report) -> Loaded:
        reader = None if self._path is None else open_reader(self._path, self._batch_bytes)
        types = self._types
        types.begin()
        self._problems, self._more = [], 0
        self._noted, self._has_deletions, self._has_merges = set(), False, False
        with staging_folder(self._lake.folder) as folder:
            staging = Staging(folder, self._table)
            if reader is not None:
                self._read(reader, staging, report)
            staging.settle(types.settle())
            # Merges and deletions come first: if they are interrupted, the records are missing too,
            # which shows that the file must be loaded again. Merges come before deletions: what
            # refers to a loser that is deleted goes to its winner before.
            notes = []
            if self._loading.merging is not None and self._has_merges:
                merging = self._loading.merging
                notes = merge_staged(self._lake, self._catalog, staging, merging, moment)
            if self._loading.deleting is not None and self._has_deletions:
                self._delete_leads(staging, self._loading.deleting)
            inferred = types.inferred(staging.columns)
            outdated = types.outdated(staging.columns)
            self._describe({**inferred, **outdated})
            try:
                merged = merge(
                    self._lake,
                    self._table,
                    staging,
                    moment,
                    self._loading.stand_ins,
                    lambda share: report(_READING + share * (1 - _READING)),
                    types.widening,
                    self._cursor,
                    self._whole,
                )
            except ColumnChangedError as error:
                raise self._refused([Problem(0, str(error))]) from error
        return Loaded(
            path=self._path,
            merged=merged,
            inferred=inferred,
            outdated=outdated,
            decisions=list(types.decisions(staging.columns)),
            notes=notes,
            left_out=[*self._left_out],
        )

    def _read(self, reader: Reader, staging: Staging, report: Report) -> None:
        try:
            first = 0
            for batch in reader.batches(lambda share: report(share * _READING)):
                self._stage(reader, batch, first, staging)
                first += batch.height
        except FileError as error:
            self._problems += error.problems
        if self._problems:
            raise self._refused(self._problems, self._more)

    def _refused(self, problems: list[Problem], more: int = 0) -> FileError:
        return FileError(self._path or Path(self._table.name), problems, more)

    def _stage(self, reader: Reader, batch: pl.DataFrame, first: int, staging: Staging) -> None:
        batch = self._without_leads(batch)
        if len(self._whole) == 1 and self._table.key[0] not in batch.columns:
            batch = batch.with_columns(pl.lit(next(iter(self._whole))).alias(self._table.key[0]))
        columns = self._types.columns
        unknown = [name for name in batch.columns if name not in columns]
        problem = self._problem(batch.columns, unknown)
        if problem:
            raise self._refused([Problem(1, problem)])
        fitted, invalid = fit(batch, columns.values())
        invalid += self._others(fitted)
        if invalid and (narrow := self._types.misfits(batch, fitted)):
            raise _TooNarrowError(narrow)
        texts, beyond = fit(batch, [Column(name=name, type=pl.String()) for name in unknown])
        for value in sorted([*invalid, *beyond]):
            if len(self._problems) < PROBLEMS_SHOWN:
                line = reader.line_of(first + value.record)
                self._problems.append(Problem(line, value.reason))
            else:
                self._more += 1
        for name in unknown:
            self._types.look(batch[name])
        if self._note:
            absent = [pl.lit(None).alias(name) for name in self._note if name not in fitted]
            noted = fitted.with_columns(absent).select(self._note).unique()
            self._noted |= set(noted.iter_rows())
        if not self._problems and fitted.height:
            # As texts, because the types of these columns are not known yet.
            staging.add(fitted.with_columns(texts.get_columns()))
            self._look_for_leads(fitted)

    def _look_for_leads(self, fitted: pl.DataFrame) -> None:
        """Note whether a batch deletes or merges leads."""
        deleting, merging = self._loading.deleting, self._loading.merging
        if deleting is not None and not self._has_deletions:
            self._has_deletions = fitted.select(deleting.condition.any()).item()
        if merging is not None and not self._has_merges:
            self._has_merges = fitted.select(merging.condition.any()).item()

    def _others(self, fitted: pl.DataFrame) -> list[Invalid]:
        """Return the records that are not of the list or program of which this is a snapshot."""
        name = self._table.key[0]
        if not self._whole or name not in fitted.columns:
            return []
        wrong = (~fitted[name].is_in([*self._whole])).fill_null(value=False).arg_true()
        ids = ", ".join(map(str, sorted(self._whole)))
        reason = f"{name}: {{}} is not {ids}, of which this file has all members"
        return [Invalid(n, reason.format(fitted[name][n])) for n in wrong]

    def _without_leads(self, batch: pl.DataFrame) -> pl.DataFrame:
        """Return a batch without the columns that leads are loaded with."""
        others = [name for name in batch.columns if name in self._of_leads]
        self._left_out |= dict.fromkeys(others)
        return batch.drop(others)

    def _delete_leads(self, staging: Staging, deleting: Deleting) -> None:
        found = staging.last_of(deleting.condition, [deleting.lead, deleting.moment])
        deletions = found.select(leadId=deleting.lead, deletedAt=deleting.moment)
        # Leads are deleted last, so that no record refers to a lead that is missing.
        delete_leads(self._lake, deletions, reversed(all_tables(self._catalog)))

    def _describe(self, inferred: Mapping[str, pl.DataType]) -> None:
        """Store in the catalog what the file tells: values to note, and inferred columns."""
        loading, catalog = self._loading, self._catalog
        if loading.noting is not None:
            loading.noting.store(catalog, self._noted)
        if loading.inferring is not None and inferred:
            catalog.store(loading.inferring.entries(catalog, inferred))

    def _problem(self, names: Iterable[str], unknown: Collection[str]) -> str | None:
        """Return the problem with the columns of a batch, or `None`."""
        if unknown and not self._infer:
            return self._unknown(unknown)
        # Names of columns in a table are not case sensitive.
        taken = {name.lower(): name for name in (self._table.partition, *self._types.existing)}
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
        if self._loading.inferring is not None:
            return f"the catalog has no field {listed}; --infer-fields would add it"
        known = ", ".join(self._types.columns)
        return f"{self._table.name} have no column {listed}; they have {known}"
