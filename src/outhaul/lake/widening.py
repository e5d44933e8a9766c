"""Widening of columns: a column gets a type that has each of its values with the same text.

Every file of the table is written again. One commit replaces the files and changes the type, so a
reader sees the table before or after it, never between. Readers that pinned the table earlier read
the replaced files, with the types of then. If a widening is interrupted, the table is as it was.
"""

from collections.abc import Mapping

import polars as pl

from outhaul.lake.commits import replace_all, write_file
from outhaul.lake.snapshot import Lake, Snapshot
from outhaul.lake.tables import Table
from outhaul.records.columns import INSTANT
from outhaul.records.conversions import convert
from outhaul.records.numbers import to_floats

_UNEVEN = 2**53
"""Floats do not hold every integer from here on."""

_WIDER: Mapping[str, tuple[pl.DataType, ...]] = {
    str(pl.Boolean()): (pl.String(),),
    str(pl.Int64()): (pl.Float64(), pl.String()),
    str(pl.Float64()): (pl.String(),),
    # As a datetime, a date would be written with a time of day.
    str(pl.Date()): (pl.String(),),
    str(INSTANT): (pl.String(),),
}


def wider(of: pl.DataType) -> tuple[pl.DataType, ...]:
    """Return the types that a column of a type can get, the narrowest first."""
    return _WIDER.get(str(of), ())


def fits(snapshot: Snapshot, name: str, to: pl.DataType) -> bool:
    """Return whether a wider type holds all values of a column. Only floats may not."""
    if to != pl.Float64 or not snapshot.files:
        return True
    value = pl.col(name)
    large = (
        snapshot.scan(snapshot.files)
        .select(value)
        .filter((value >= _UNEVEN) | (value <= -_UNEVEN))
        .unique()
        .collect(engine="streaming")
        .to_series()
    )
    return not to_floats(large).has_nulls()


def widen(
    lake: Lake, table: Table, snapshot: Snapshot, types: Mapping[str, pl.DataType]
) -> Snapshot:
    """Give columns wider types, which must fit (`fits`), and return the new snapshot.

    The caller must hold the table (`Lake.writing`). Raises `TableChangedError`.
    """
    adds = []
    for file in snapshot.files:
        records = snapshot.scan([file]).select(list(snapshot.columns))
        widened = records.with_columns(_converted(name, of) for name, of in types.items())
        adds.append(write_file(snapshot.location, table, file.partition, widened))
    version = replace_all(lake, table, version=snapshot.version, adds=adds, types=types)
    changed = lake.snapshot(table, version)
    assert changed is not None  # noqa: S101 - it was just written
    return changed


def _converted(name: str, to: pl.DataType) -> pl.Expr:
    return pl.col(name).map_batches(
        lambda given: convert(given, to), return_dtype=to, is_elementwise=True
    )
