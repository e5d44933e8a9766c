"""Merged leads: recorded forever, each with the last winner.

A lead that lost in a merge is no lead any more, and what referred to it refers to the winner
(`outhaul.lake.following`). If a winner loses later, its losers get the new winner. So no chain must
be followed, and there are no cycles.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import polars as pl

from outhaul.lake.commits import Cursor, commit, make_snapshot, write_file
from outhaul.lake.failures import named_failures
from outhaul.lake.files import by_partition
from outhaul.lake.snapshot import Lake
from outhaul.lake.tables import MERGED_LEADS, Table

FOLLOWED = "outhaul merged leads"
"""The cursor that counts changes of merged leads. Tables that refer to leads have the last one
that they followed."""

_WINNERS = {"leadId": pl.Int64(), "winnerId": pl.Int64()}


@dataclass(frozen=True, kw_only=True)
class Refused:
    """A merge that was left out."""

    loser: int
    winner: int
    other: int
    """The lead that the loser was merged into before; the loser itself if the winner lost to it."""


@dataclass(frozen=True, kw_only=True)
class Recorded:
    """What was recorded of some merges."""

    number: int
    """The number of the last change of merged leads."""
    changed: pl.Series
    """The leads that got a winner, or another one, with this change."""
    refused: Sequence[Refused] = ()


class Winners:
    """The last winner of each lead that lost. `known` is sorted by `leadId`, the loser."""

    def __init__(self, known: pl.DataFrame) -> None:
        self.rows = known
        self.losers = known["leadId"]

    @property
    def is_empty(self) -> bool:
        """Whether no lead lost."""
        return self.losers.is_empty()

    def only(self, leads: pl.Series) -> "Winners":
        """Return the winners of some leads."""
        if self.is_empty or leads.is_empty():
            return Winners(self.rows.clear())
        among = self.between(leads.min(), leads.max()).rows
        return Winners(among.filter(pl.col("leadId").is_in(leads.implode())))

    def between(self, least: Any, greatest: Any) -> "Winners":  # noqa: ANN401 - bounds from statistics
        """Return the winners of the leads in a range; of no leads if a bound is `None`."""
        if least is None or greatest is None:
            return Winners(self.rows.clear())
        first = int(self.losers.search_sorted(least, "left"))
        after = int(self.losers.search_sorted(greatest, "right"))
        return Winners(self.rows.slice(first, after - first))

    def has_lost(self, table: Table) -> pl.Expr:
        """Return whether a record of a table refers to a lead that lost."""
        lost = pl.col(table.lead_reference).is_in(self.losers.implode()).fill_null(value=False)
        return lost if table.keeps_lead is None else lost & ~table.keeps_lead

    def followed(self, table: Table) -> pl.Expr:
        """Return the column with the lead, with the winner in place of a loser."""
        column = pl.col(table.lead_reference)
        winner = column.replace(self.losers, self.rows["winnerId"])
        if table.keeps_lead is None:
            return winner
        return pl.when(table.keeps_lead).then(column).otherwise(winner)


def merged_leads(lake: Lake) -> Winners:
    """Return the winners of all leads that lost."""
    snapshot = lake.snapshot(MERGED_LEADS)
    if snapshot is None or not snapshot.files:
        return Winners(pl.DataFrame(schema=_WINNERS))
    known = snapshot.scan(snapshot.files).select(list(_WINNERS)).collect()
    return Winners(known.sort("leadId"))


def followed_by(lake: Lake) -> list[Cursor]:
    """Return the cursor of a table that follows all merges that are recorded now."""
    number = lake.cursor(MERGED_LEADS, FOLLOWED)
    return [] if number is None else [Cursor(FOLLOWED, number)]


def winners_of(lake: Lake, leads: Iterable[int]) -> Mapping[int, int]:
    """Return the winner of each of some leads that lost."""
    snapshot = lake.snapshot(MERGED_LEADS)
    if snapshot is None:
        return {}
    wanted = pl.Series(sorted(lead for lead in {*leads} if lead in _IDS), dtype=pl.Int64)
    files = [f for f in snapshot.files if wanted.is_between(*f.bounds["leadId"]).any()]
    if not files:
        return {}
    found = snapshot.scan(files).filter(pl.col("leadId").is_in(wanted.implode()))
    with named_failures():
        return dict(found.select(list(_WINNERS)).collect().iter_rows())


def record(lake: Lake, merges: pl.DataFrame) -> Recorded:
    """Record merges in the order of their moments.

    `merges` has the columns `leadId` (the loser), `winnerId` and `mergedAt`. A merge that is known
    changes nothing; of several moments of it, the earliest stays. A partition always has one file,
    so that reading all ids is fast.
    """
    table = MERGED_LEADS
    with lake.writing(table):
        snapshot = make_snapshot(lake, table)
        columns = list(snapshot.columns)
        known = pl.DataFrame(schema=dict(snapshot.columns))
        if snapshot.files:
            known = snapshot.scan(snapshot.files).select(columns).collect().sort("leadId")
        after, refused = _resolved(known, merges.select(columns))
        number = lake.cursor(table, FOLLOWED) or 0
        changed = after.join(known, on=["leadId", "winnerId"], how="anti")["leadId"]
        if after.equals(known):
            return Recorded(number=number, changed=changed, refused=refused)
        number += not changed.is_empty()
        adds, removes = [], []
        files = by_partition(snapshot.files)
        before = _partitioned(table, known)
        for key, records in _partitioned(table, after).items():
            if key not in before or not records.equals(before[key]):
                adds.append(write_file(snapshot.location, table, key[0], records.lazy()))
                removes += files.get(key[0], [])
        commit(
            lake,
            table,
            version=snapshot.version,
            adds=adds,
            removes=removes,
            cursors=[Cursor(FOLLOWED, number)],
        )
    return Recorded(number=number, changed=changed, refused=refused)


_IDS = range(-(2**63), 2**63)


def _partitioned(table: Table, records: pl.DataFrame) -> Mapping[tuple[Any, ...], pl.DataFrame]:
    found = records.with_columns(table.partition_value.alias(table.partition))
    return found.partition_by(table.partition, as_dict=True, include_key=False)


def _resolved(known: pl.DataFrame, merges: pl.DataFrame) -> tuple[pl.DataFrame, list[Refused]]:
    """Return all merges with the last winner of each, and the merges that were left out."""
    # A merge of a lead into itself is what is left of a merge whose loser won another one.
    merges = merges.filter(pl.col("leadId") != pl.col("winnerId")).sort("mergedAt", "leadId")
    named = pl.concat([merges["leadId"], merges["winnerId"]]).unique()
    relevant = known.filter(pl.col("leadId").is_in(named.implode()))
    winner = dict(relevant.select("leadId", "winnerId").iter_rows())
    moments = dict(relevant.select("leadId", "mergedAt").iter_rows())

    def last(lead: int) -> int:
        path = []
        while lead in winner:
            path.append(lead)
            lead = winner[lead]
        for passed in path:
            winner[passed] = lead
        return lead

    doubtful = []
    for loser, to, moment in merges.select("leadId", "winnerId", "mergedAt").iter_rows():
        if loser in winner or last(to) == loser:
            doubtful.append((loser, to, moment))
        else:
            winner[loser], moments[loser] = last(to), moment
    refused = []
    for loser, to, moment in doubtful:
        # Later merges may have brought the winners together.
        if last(loser) != last(to) or loser not in winner:
            refused.append(Refused(loser=loser, winner=to, other=last(loser)))
        elif _second(moment) < _second(moments[loser]):
            moments[loser] = moment
    rows = [(loser, last(loser), moments[loser]) for loser in winner]
    columns = ("leadId", "winnerId", "mergedAt")
    found = pl.DataFrame(rows, schema=known.select(columns).schema, orient="row")
    others = known.select(columns).join(found, on="leadId", how="anti")
    others = others.with_columns(pl.col("winnerId").replace(found["leadId"], found["winnerId"]))
    return pl.concat([found, others]).select(known.columns).sort("leadId"), refused


def _second(moment: datetime) -> datetime:
    """Return a moment as exports write it, cut to the second."""
    return moment.replace(microsecond=0)
