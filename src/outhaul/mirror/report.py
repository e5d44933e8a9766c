"""The report of coverage: what is complete, what is open, and what perishes when."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from outhaul.catalog.store import Catalog
from outhaul.lake.snapshot import Lake
from outhaul.lake.tables import Table
from outhaul.mirror.coverage import Coverage, day_window, days
from outhaul.mirror.loadings import loading_of
from outhaul.mirror.state import PastRun, State
from outhaul.mirror.streams import (
    ACTIVITIES,
    LEAD_CHANGES,
    LEADS,
    NEW_LEADS,
    PERISH,
    PROGRAM_MEMBERS,
    STATIC_LISTS,
)
from outhaul.mirror.work import Counts
from outhaul.protocol.windows import Window

_RUNS = 10


class DayState(StrEnum):
    """How far a day of a stream is read."""

    COMPLETE = "complete"
    PARTLY = "partly"
    OPEN = "open"
    PERISHED = "perished"
    """It is not complete, and a live instance has deleted its records."""


@dataclass(frozen=True, kw_only=True)
class StreamReport:
    """What is here of one stream that is read by windows."""

    name: str
    coverage: Coverage
    missing: Sequence[Window]
    """The oldest first."""
    perishes_at: datetime | None
    """When a live instance deletes the oldest missing records that it still has; `None`: never, or
    nothing is missing."""
    perished: int
    """Days that are not complete although a live instance has deleted their records."""

    def day(self, day: date, moment: datetime, since: datetime) -> DayState | None:
        """Return how far a day is read; `None` if it is not asked for."""
        whole = day_window(day)
        if whole.end < since or moment < whole.start:
            return None
        whole = Window(max(whole.start, since), min(whole.end, moment))
        found = self.coverage.within(whole).seconds
        if found == whole.seconds:
            return DayState.COMPLETE
        age = PERISH.get(self.name)
        if age is not None and whole.end < moment - age:
            return DayState.PERISHED
        return DayState.PARTLY if found else DayState.OPEN


@dataclass(frozen=True, kw_only=True)
class SnapshotReport:
    """What is here of the members of lists or programs."""

    name: str
    read: int
    """The lists or programs that were read."""
    oldest: datetime | None
    """When the one was read that was read longest ago."""


@dataclass(frozen=True, kw_only=True)
class TableReport:
    """The records of one table, and those that the endpoint has announced."""

    name: str
    announced: int
    """Records in the files of the endpoint, of all loads that are remembered."""
    loaded: int
    """Records that were read of them, some of them several times."""
    here: int
    """Records in the lake."""
    left_out: int
    """Records that were read, but belong to deleted leads."""


@dataclass(frozen=True, kw_only=True)
class Report:
    """What a mirror has, and what it lacks. Moments are in UTC."""

    url: str
    since: datetime
    until: datetime
    """The end of the newest window that was read."""
    streams: Sequence[StreamReport]
    snapshots: Sequence[SnapshotReport]
    tables: Sequence[TableReport]
    left: Sequence[str]
    """Jobs of which the records are not loaded yet, by their ids."""
    runs: Sequence[PastRun]

    @property
    def is_complete(self) -> bool:
        """Whether nothing is missing up to `until`."""
        return not self.left and not any(stream.missing for stream in self.streams)


def report(state: State, lake: Lake, catalog: Catalog, moment: datetime) -> Report:
    """Return the report of a mirror. Raises `NoMirrorError`."""
    known = state.known()
    covered = dict(state.coverage())
    first = NEW_LEADS if "leads" in known.facts else LEADS
    names = [*ACTIVITIES, first, *sorted(set(covered) - {*ACTIVITIES, LEADS, NEW_LEADS})]
    ends = [of.end for of in covered.values() if of.end is not None]
    until = max(ends, default=known.since)
    moment = moment.replace(microsecond=0)
    return Report(
        url=known.url,
        since=known.since,
        until=until,
        streams=[
            _stream(name, covered.get(name, Coverage()), Window(known.since, until), moment)
            for name in names
        ],
        snapshots=[_snapshot(state, name) for name in (STATIC_LISTS, PROGRAM_MEMBERS)],
        tables=_tables(state, lake, catalog),
        left=[job.export_id for job in state.jobs()],
        runs=state.runs(_RUNS),
    )


def _stream(name: str, coverage: Coverage, whole: Window, moment: datetime) -> StreamReport:
    # Changes are followed from the first run on.
    missing = [] if name == LEAD_CHANGES else coverage.missing(whole)
    age = PERISH.get(name)
    alive = [] if age is None else [each for each in missing if each.end >= moment - age]
    return StreamReport(
        name=name,
        coverage=coverage,
        missing=missing,
        perishes_at=None if age is None or not alive else max(alive[0].start + age, moment),
        perished=0 if age is None else len({*_perished(missing, moment - age)}),
    )


def _perished(missing: Sequence[Window], before: datetime) -> Iterator[date]:
    for window in missing:
        if window.start < before:
            yield from days(Window(window.start, min(window.end, before)))


def _snapshot(state: State, name: str) -> SnapshotReport:
    read = state.snapshots(name)
    return SnapshotReport(name=name, read=len(read), oldest=min(read.values(), default=None))


def _tables(state: State, lake: Lake, catalog: Catalog) -> list[TableReport]:
    sums: dict[str, Counts] = {}
    tables: dict[str, Table] = {}
    for load in state.loads():
        table = loading_of(load.stream.split(",")[0], catalog).table
        tables[table.name] = table
        sums[table.name] = sums.get(table.name, Counts()).plus(load.counts)
    return [
        TableReport(
            name=name,
            announced=counts.announced or 0,
            loaded=counts.records,
            here=_records(lake, tables[name]),
            left_out=counts.deleted,
        )
        for name, counts in sorted(sums.items())
    ]


def _records(lake: Lake, table: Table) -> int:
    snapshot = lake.snapshot(table)
    return 0 if snapshot is None else sum(file.records for file in snapshot.files)
