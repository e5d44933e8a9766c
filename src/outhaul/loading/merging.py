"""Merging of leads by the records of a file."""

from collections.abc import Iterator, Sequence
from datetime import datetime

import polars as pl

from outhaul.catalog.store import Catalog
from outhaul.kinds.loading import Merging
from outhaul.kinds.registry import all_tables
from outhaul.lake.following import merge_leads
from outhaul.lake.merges import Refused
from outhaul.lake.snapshot import Lake
from outhaul.loading.staging import Staging
from outhaul.records.columns import INSTANT

SHOWN = 10
"""The number of records, or of merges, that a note names."""

_MERGES = {"leadId": pl.Int64(), "winnerId": pl.Int64(), "mergedAt": INSTANT}


def merge_staged(
    lake: Lake, catalog: Catalog, staging: Staging, merging: Merging, moment: datetime
) -> list[str]:
    """Merge the leads that staged records say were merged, and return what should be told.

    A record without ids of losers merges nothing. It does not make a file invalid, because live
    instances export such records.
    """
    columns = [merging.name, merging.winner, merging.losers, merging.moment]
    merges, unread = [], []
    for name, winner, losers, at in staging.last_of(merging.condition, columns).iter_rows():
        try:
            merges += [(loser, winner, at) for loser in merging.read(losers)]
        except ValueError:
            unread.append(str(name))
    refused: Sequence[Refused] = ()
    if merges:
        found = pl.DataFrame(merges, schema=_MERGES, orient="row")
        # Leads are merged last, so that no record refers to a lead that is missing.
        tables = reversed(all_tables(catalog))
        refused = merge_leads(lake, found, tables, moment).refused
    return [*_of_unread(merging, unread), *_of_refused(refused)]


def _of_unread(merging: Merging, names: Sequence[str]) -> Iterator[str]:
    if names:
        shown = ", ".join(names[:SHOWN])
        more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
        yield f"no leads were merged by records whose {merging.losers} name none: {shown}{more}"


def _of_refused(refused: Sequence[Refused]) -> Iterator[str]:
    for merge in refused[:SHOWN]:
        what = f"lead {merge.loser} was not merged into {merge.winner}"
        if merge.other == merge.loser:
            yield f"{what}, because {merge.winner} was merged into {merge.loser} before"
        else:
            yield f"{what}, because it was merged into {merge.other} before"
    if len(refused) > SHOWN:
        yield f"and {len(refused) - SHOWN} more leads were not merged"
