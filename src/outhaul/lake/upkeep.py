"""Upkeep of a lake: many small files become one, files that nobody reads any more are removed.

Both are safe beside loads, exports and the upkeep of other machines. A file that was replaced
stays for a while, for whoever is reading it, and for as long as the plan of a job has it.
"""

from collections.abc import Callable, Collection, Sequence
from functools import reduce

from outhaul.lake.commits import commit, write_file
from outhaul.lake.files import LakeFile, by_partition
from outhaul.lake.snapshot import Lake
from outhaul.lake.tables import Table

FILES_APART = 4
"""Files of a partition that are left as they are, where one of them has most of its records."""

_SMALL = 4
"""A file is small beside another that has more records, so many times."""


def compact(lake: Lake, table: Table) -> int:
    """Make one file of those of each partition, where they are many or small; return how many.

    Each partition is one commit, for which loads of the table wait. What the table holds is the
    same before and after. Raises `TableChangedError`.
    """
    snapshot = lake.snapshot(table)
    if snapshot is None:
        return 0
    together = {
        partition for partition, files in by_partition(snapshot.files).items() if _many(files)
    }
    done = 0
    for partition in sorted(together):
        with lake.writing(table):
            done += _compact(lake, table, partition)
    return done


def remove_replaced(
    lake: Lake, table: Table, *, hours: int, pinned: Callable[[], Collection[str]]
) -> None:
    """Remove the files that were replaced, or never put in, more than `hours` ago.

    Those that are `pinned`, as paths under the table's folder, stay. That is asked only where
    there is something to remove, and after it is known: no plan will have such a file any more.
    """
    opened = lake.opened(table)
    if opened is None:
        return
    replaced = opened.vacuum(hours, dry_run=True, enforce_retention_duration=False, full=True)
    if replaced:
        kept = pinned()
        (lake.location / table.name).delete([path for path in replaced if path not in kept])


def _many(files: Sequence[LakeFile]) -> bool:
    """Tell whether files are better one: it is not worth it to write much anew for a little."""
    records = sorted(file.records for file in files)
    return len(files) > FILES_APART or (len(files) > 1 and sum(records[:-1]) * _SMALL > records[-1])


def _compact(lake: Lake, table: Table, partition: object) -> int:
    snapshot = lake.snapshot(table)
    files = [] if snapshot is None else [f for f in snapshot.files if f.partition == partition]
    if snapshot is None or not _many(files):
        return 0  # another has done it meanwhile
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
