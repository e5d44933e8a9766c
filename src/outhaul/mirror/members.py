"""Which static lists and programs are read again, so that members who left are noticed."""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta

import polars as pl

from outhaul.catalog.entries import AssetType
from outhaul.catalog.store import Catalog
from outhaul.kinds.program_members import MOST_PROGRAMS
from outhaul.lake.snapshot import Lake
from outhaul.lake.tables import ACTIVITIES
from outhaul.mirror.changes import Changes
from outhaul.mirror.planning import Members
from outhaul.mirror.state import State
from outhaul.mirror.streams import LEAD_PATH, MEMBER_PATH, PROGRAM_MEMBERS, STATIC_LISTS

_SOME_JOBS = 10
"""So many jobs are made in each run. If more are needed, those without a sign of change wait."""

_ADDED, _REMOVED, _PROGRESSED = 24, 25, 104
"""The types of activities that say that the members of a list or a program have changed."""


def due_members(  # noqa: PLR0913, PLR0917 - what decides
    catalog: Catalog,
    changes: Changes,
    lake: Lake,
    state: State,
    moment: datetime,
    every: timedelta,
) -> list[Members]:
    """Return the static lists and programs whose members are read in a run.

    They are all of them, if that takes few jobs. Otherwise they are those that were never read,
    those that have activities since they were read, and those that were read longer ago than
    `every`. Those that are gone at the endpoint stay as they were.
    """
    lists = _there(catalog, AssetType.STATIC_LIST, changes.gone("static list"))
    programs = _there(catalog, AssetType.PROGRAM, changes.gone("program"))
    return [
        Members(
            stream=STATIC_LISTS,
            kind_path=LEAD_PATH,
            groups=_groups(
                lists,
                state.snapshots(STATIC_LISTS),
                lambda since: _changed(lake, (_ADDED, _REMOVED), since),
                moment - every,
                size=1,
            ),
        ),
        Members(
            stream=PROGRAM_MEMBERS,
            kind_path=MEMBER_PATH,
            groups=_groups(
                programs,
                state.snapshots(PROGRAM_MEMBERS),
                lambda since: _changed(lake, (_PROGRESSED,), since),
                moment - every,
                size=MOST_PROGRAMS,
            ),
        ),
    ]


def _there(catalog: Catalog, of: AssetType, gone: Collection[int]) -> list[int]:
    return [entry.id for entry in catalog.assets(of) if entry.id not in gone]


def _groups(
    ids: Sequence[int],
    read: Mapping[int, datetime],
    changed: Callable[[datetime], Collection[int]],
    old: datetime,
    *,
    size: int,
) -> list[tuple[int, ...]]:
    due = sorted(ids)
    if len(due) > _SOME_JOBS * size:
        earliest = min(read.values(), default=None)
        signs = set() if earliest is None else set(changed(earliest))
        due = [each for each in due if each in signs or each not in read or read[each] < old]
    return [tuple(due[n : n + size]) for n in range(0, len(due), size)]


def _changed(lake: Lake, types: Collection[int], since: datetime) -> Collection[int]:
    """Return the primary attributes of the activities of some types since a moment."""
    snapshot = lake.snapshot(ACTIVITIES)
    if snapshot is None:
        return []
    files = [file for file in snapshot.files if file.partition >= since.date()]
    if not files:
        return []
    found = (
        snapshot.scan(files)
        .filter(pl.col("activityDate") >= since, pl.col("activityTypeId").is_in([*types]))
        .select(pl.col("primaryAttributeValueId").unique())
        .collect(engine="streaming")
    )
    return [each for each in found.to_series() if each is not None]
