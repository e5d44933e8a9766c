"""The records of a part: filtered, and merged in order from the files of each partition."""

from collections.abc import Sequence
from functools import reduce

import polars as pl

from outhaul.lake.clauses import InSmartList, all_of
from outhaul.lake.snapshot import Lake
from outhaul.reading.plan import Plan, PlannedPart
from outhaul.smart_lists.evaluation import lead_ids, members_of


def scan_part(plan: Plan, part: PlannedPart, lake: Lake) -> pl.LazyFrame:
    """Return the records of a part: filtered, in order."""

    def members(named: int | InSmartList) -> pl.Series:
        if isinstance(named, InSmartList):
            return lead_ids(named, lake, part.ids)
        return members_of(lake, plan.members[named], part.ids)

    clauses = [*plan.clauses, *([part.slice] if part.slice else [])]
    wanted = all_of(clauses, members)
    ordered = [
        _merged(
            [lake.scan(plan.table, [path], plan.columns).filter(wanted) for path in files],
            plan.order,
        )
        for files in part.partitions
    ]
    return pl.concat(ordered)


def _merged(files: Sequence[pl.LazyFrame], order: Sequence[str]) -> pl.LazyFrame:
    return reduce(lambda left, right: left.merge_sorted(right, key=list(order)), files)
