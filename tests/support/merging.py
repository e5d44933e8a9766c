"""Records that merge leads, and what tables have afterwards."""

import json
from collections.abc import Iterable
from datetime import datetime
from typing import Any

import polars as pl
from tests.support.deletions import MOMENT, Record, activity

from outhaul.lake.snapshot import Lake
from outhaul.lake.tables import MERGE_LEADS, MERGED_LEADS, Table


def merge(
    winner: int, losers: Iterable[int], moment: datetime = MOMENT, guid: str | None = None
) -> Record:
    """Return an activity that merges leads, as live instances export it."""
    given = sorted(losers)
    record = activity(guid or f"merge-{winner}-{given}", winner, moment, MERGE_LEADS)
    return {**record, "attributes": json.dumps({"Merge Ids": str(given)})}


def with_attributes(winner: int, attributes: Any, guid: str = "merge") -> Record:
    """Return an activity that merges leads, with some attributes."""
    return {**activity(guid, winner, type_id=MERGE_LEADS), "attributes": attributes}


def merged(lake: Lake) -> dict[int, int]:
    """Return the winners of the leads that lost."""
    return dict(rows(lake, MERGED_LEADS, "leadId", "winnerId"))


def rows(lake: Lake, table: Table, *columns: str) -> list[tuple[Any, ...]]:
    """Return some columns of all records, in order. The files must be sorted and well described."""
    snapshot = lake.snapshot(table)
    if snapshot is None or not snapshot.files:
        return []
    found = []
    for file in snapshot.files:
        records = snapshot.scan([file]).collect()
        assert records.equals(records.sort(table.order))
        assert records.height == file.records > 0
        for name in table.statistics:
            if name in records.columns and not isinstance(records[name].dtype, pl.Datetime):
                assert file.bounds[name] == (records[name].min(), records[name].max())
        partition = pl.lit(file.partition, dtype=table.partition_type).alias(table.partition)
        found.append(records.with_columns(partition))
        computed = found[-1].select(table.partition_value).to_series()
        assert (computed == file.partition).all()
    return sorted(pl.concat(found, how="diagonal").select(columns).rows(), key=str)
