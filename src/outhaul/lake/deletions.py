"""Deleted leads: recorded forever, and removed from the tables that depend on leads.

A deletion is recorded before any table is swept, and a merge reads the deleted leads while it holds
its table. So a load that brings a deleted lead at the same time cannot restore it: either the merge
sees the deletion and leaves the lead out, or the sweep comes later and removes it.
"""

from collections.abc import Iterable
from typing import Any

import polars as pl

from outhaul.lake.commits import commit, make_snapshot, write_file
from outhaul.lake.snapshot import Lake
from outhaul.lake.tables import DELETED_LEADS, Table


def deleted_leads(lake: Lake) -> pl.Series:
    """Return the ids of all deleted leads, each once."""
    snapshot = lake.snapshot(DELETED_LEADS)
    if snapshot is None or not snapshot.files:
        return pl.Series("leadId", dtype=pl.Int64)
    return snapshot.scan(snapshot.files).select("leadId").collect().to_series()


def without(ids: pl.Series, records: pl.DataFrame, column: str) -> pl.DataFrame:
    """Return the records whose `column` has none of `ids`, in their order."""
    if ids.is_empty() or records.is_empty():
        return records
    among = _between(ids, records[column].min(), records[column].max())
    return records if among.is_empty() else records.filter(~_is_one_of(column, among))


def delete_leads(lake: Lake, deletions: pl.DataFrame, tables: Iterable[Table]) -> None:
    """Record deletions, and remove the records of their leads from tables that depend on leads.

    `deletions` has the columns `leadId` and `deletedAt`. A call that failed can be repeated: steps
    that were done already change nothing.
    """
    record(lake, deletions)
    leads = deletions["leadId"].unique()
    for table in tables:
        if table.depends_on is not None:
            sweep(lake, table, table.depends_on, leads)


def record(lake: Lake, deletions: pl.DataFrame) -> None:
    """Record deletions. If a lead has several, the earliest moment is recorded.

    A partition always has one file, so that reading all ids is fast.
    """
    table = DELETED_LEADS
    by_partition = (
        deletions.select("leadId", "deletedAt")
        .with_columns(table.partition_value.alias(table.partition))
        .partition_by(table.partition, as_dict=True, include_key=False)
    )
    with lake.writing(table):
        snapshot = make_snapshot(lake, table)
        adds, removes = [], []
        for (partition,), added in by_partition.items():
            files = [file for file in snapshot.files if file.partition == partition]
            known = snapshot.scan(files).collect() if files else added.clear()
            # Exports cut moments to the second, so an activity may come again with less of its
            # moment. Of moments in the same second, the one that is known stays.
            together = (
                pl.concat([known, added.sort("deletedAt")])
                .sort(pl.col("deletedAt").dt.truncate("1s"), maintain_order=True)
                .unique("leadId", keep="first", maintain_order=True)
                .sort(table.order)
            )
            if not together.equals(known):
                adds.append(write_file(snapshot.location, table, partition, together.lazy()))
                removes += files
        if adds:
            commit(lake, table, version=snapshot.version, adds=adds, removes=removes)


def sweep(lake: Lake, table: Table, column: str, leads: pl.Series) -> None:
    """Remove the records of some leads from a table, whose `column` has the lead id.

    Only files with such records are written again.
    """
    with lake.writing(table):
        snapshot = lake.snapshot(table)
        if snapshot is None:
            return
        adds, removes = [], []
        for file in snapshot.files:
            among = _between(leads, *file.bounds[column])
            if among.is_empty():
                continue
            records = snapshot.scan([file])
            swept = records.select(_is_one_of(column, among).sum()).collect().item()
            if not swept:
                continue
            removes.append(file)
            if swept < file.records:
                remaining = records.filter(~_is_one_of(column, among))
                adds.append(write_file(snapshot.location, table, file.partition, remaining))
        if removes:
            commit(lake, table, version=snapshot.version, adds=adds, removes=removes)


def _between(ids: pl.Series, least: Any, greatest: Any) -> pl.Series:  # noqa: ANN401 - bounds from statistics
    return ids.filter(ids.is_between(least, greatest))


def _is_one_of(column: str, ids: pl.Series) -> pl.Expr:
    return pl.col(column).is_in(ids.implode())
