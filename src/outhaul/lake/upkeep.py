"""Upkeep of a lake: compaction of small files, and removal of files that were replaced.

Both are safe during loads, exports and the upkeep of other machines. A file that was replaced stays
for some hours, because a reader may have it open, and as long as the plan of a job names it.
"""

from collections.abc import Callable, Collection, Sequence
from functools import reduce

from outhaul.lake.commits import commit, write_file
from outhaul.lake.files import LakeFile, by_partition
from outhaul.lake.snapshot import Lake
from outhaul.lake.tables import Table

FILES_APART = 4
"""The number of files that a partition may have if one of them has most of its records."""

_SMALL = 4
"""Compact a partition unless one file has at least this many times the records of all others."""


def compact(lake: Lake, table: Table) -> int:
    """Merge the files of each partition that has many, or small ones; return how many were merged.

    Each partition is one commit, during which loads of the table wait. The records stay the same.
    Raises `TableChangedError`.
    """
    snapshot = lake.snapshot(table)
    if snapshot is None:
        return 0
    together = {
        partition
        for partition, files in by_partition(snapshot.files).items()
        if _should_merge(files)
    }
    done = 0
    for partition in sorted(together):
        with lake.writing(table):
            done += _compact(lake, table, partition)
    return done


def remove_replaced(
    lake: Lake, table: Table, *, hours: int, pinned: Callable[[], Collection[str]]
) -> None:
    """Remove files that were replaced more than `hours` ago, or never committed.

    Files in the result of `pinned`, as paths under the table's folder, stay. `pinned` is called
    after the list of files to remove is known: new plans do not use files of that list, so none
    can be missed.
    """
    opened = lake.opened(table)
    if opened is None:
        return
    replaced = opened.vacuum(hours, dry_run=True, enforce_retention_duration=False, full=True)
    if replaced:
        retained = pinned()
        (lake.location / table.name).delete([path for path in replaced if path not in retained])


def _should_merge(files: Sequence[LakeFile]) -> bool:
    """Return whether to merge files. A large file is not written again to add few records."""
    records = sorted(file.records for file in files)
    return len(files) > FILES_APART or (len(files) > 1 and sum(records[:-1]) * _SMALL > records[-1])


def _compact(lake: Lake, table: Table, partition: object) -> int:
    snapshot = lake.snapshot(table)
    files = [] if snapshot is None else [f for f in snapshot.files if f.partition == partition]
    if snapshot is None or not _should_merge(files):
        return 0  # another machine has compacted it
    order = list(table.order)
    records = reduce(
        lambda left, right: left.merge_sorted(right, key=order),
        [snapshot.scan([file]).select(list(snapshot.columns)) for file in files],
    )
    written = write_file(snapshot.location, table, partition, records)
    commit(
        lake,
        table,
        version=snapshot.version,
        adds=[written],
        removes=files,
        changes_data=False,
    )
    return len(files)
