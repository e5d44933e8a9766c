"""One part of a file, from the lake's files to the bytes that a client will read.

Records go through in batches, so that a part needs the same memory however large it is.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import IO, cast

import polars as pl
from polars.exceptions import PolarsError

from outhaul.lake.conversions import render
from outhaul.lake.location import LakeError, in_a_line
from outhaul.lake.snapshot import Lake
from outhaul.lake.tables import LIST_MEMBERS
from outhaul.protocol.dialects import DATE_FORMAT, DATETIME_FORMAT, NULL
from outhaul.reading.plan import Plan, PlannedJoin, PlannedPart
from outhaul.reading.scan import scan_part
from outhaul.storage.store import Writable

BATCH_RECORDS = 50_000


def render_part(
    plan: Plan, number: int, lake: Lake, target: Writable, check: Callable[[], None]
) -> int:
    """Write part `number` of a plan to `target`; return its records.

    The first part begins with the header line. `check` is called between batches, and may raise
    to stop.
    """
    if number == 0:
        target.write(plan.header.encode())
    if number >= len(plan.parts):
        return 0
    part = plan.parts[number]
    try:
        return _render(plan, part, lake, target, check)
    except PolarsError:
        _name_damaged(plan, part, lake, check)
        raise


def _render(
    plan: Plan, part: PlannedPart, lake: Lake, target: Writable, check: Callable[[], None]
) -> int:
    records = 0
    scan = scan_part(plan, part, lake)
    if plan.join is None:
        scan = scan.select(_cells(plan, plan.columns))
    for batch in _batches(scan):
        check()
        records += batch.height
        cells = batch if plan.join is None else _joined(plan, plan.join, part, lake, batch)
        write_batch(cells, plan.separator, target)
    return records


def _batches(scan: pl.LazyFrame) -> Iterator[pl.DataFrame]:
    return scan.collect_batches(chunk_size=BATCH_RECORDS, maintain_order=True, engine="streaming")


def _name_damaged(plan: Plan, part: PlannedPart, lake: Lake, check: Callable[[], None]) -> None:
    """Raise `LakeError` with the name of a file of a part that cannot be read, if there is one.

    Polars says what is wrong with a file that is damaged, but not which it is.
    """
    own = (path for paths in part.partitions for path in paths)
    found = [(plan.table, path, plan.columns) for path in own]
    if plan.join is not None:
        found += [(plan.join.table, path, plan.join.columns) for path in part.joined]
    members = (path for paths in plan.members.values() for path in paths)
    found += [(LIST_MEMBERS.name, path, LIST_MEMBERS.columns) for path in members]
    for table, path, columns in found:
        try:
            for _ in _batches(lake.scan(table, [path], columns)):
                check()
        except (PolarsError, OSError) as error:
            raise LakeError(f"{table}/{path} cannot be read: {in_a_line(error)}") from error


def write_batch(batch: pl.DataFrame, separator: str, target: Writable) -> None:
    """Write records as lines of text, in the dialect of `protocol.dialects`.

    Polars writes that dialect by itself, but for the text "null", which it would not quote:
    batches that have it, and they are rare, are quoted here.
    """
    texts = [name for name, of in batch.schema.items() if of == pl.String]
    by_hand = any((batch[name] == NULL).any() for name in texts)
    if by_hand:
        batch = batch.with_columns(_quoted(name, separator) for name in texts)
    batch.write_csv(
        cast("IO[bytes]", target),
        include_header=False,
        separator=separator,
        null_value=NULL,
        date_format=DATE_FORMAT,
        datetime_format=DATETIME_FORMAT,
        quote_style="never" if by_hand else "necessary",
    )


def _quoted(name: str, separator: str) -> pl.Expr:
    text = pl.col(name)
    marks = pl.any_horizontal(
        text.str.contains(mark, literal=True) for mark in (separator, '"', "\n", "\r")
    )
    quoted = pl.concat_str(pl.lit('"'), text.str.replace_all('"', '""', literal=True), pl.lit('"'))
    return pl.when(marks | text.is_in(["", NULL])).then(quoted).otherwise(text).alias(name)


def _joined(
    plan: Plan, join: PlannedJoin, part: PlannedPart, lake: Lake, batch: pl.DataFrame
) -> pl.DataFrame:
    """Return a batch with the columns of the file; those of the other table stand beside it.

    Of that table, only the stretch is read that the batch's ids touch, and of that only what is
    beside a record: a batch needs the same memory, however large the other table is.
    """
    ids = batch[join.left].drop_nulls().unique()
    other = pl.DataFrame(schema=dict(join.columns))
    if part.joined and not ids.is_empty():
        other = (
            lake.scan(join.table, part.joined, join.columns)
            .filter(pl.col(join.right).is_between(ids.min(), ids.max()))
            .filter(pl.col(join.right).is_in(ids.implode()))
            .collect(engine="streaming")
        )
    both = batch.join(
        other,
        left_on=join.left,
        right_on=join.right,
        how="left",
        coalesce=False,
        maintain_order="left",
    )
    return both.select(_cells(plan, {**join.columns, **plan.columns}))


def _cells(plan: Plan, columns: Mapping[str, pl.DataType]) -> list[pl.Expr]:
    return [_cell(plan, columns.get(name), name) for name in plan.fields]


def _cell(plan: Plan, of: pl.DataType | None, name: str) -> pl.Expr:
    cell = pl.lit(None, dtype=pl.String).alias(name) if of is None else pl.col(name)
    if of == pl.Float64:
        cell = render(cell, of)
    if of == pl.Boolean and name in plan.bits:
        cell = cell.cast(pl.Int8)
    if name in plan.stand_ins:
        cell = cell.fill_null(plan.stand_ins[name])
    return cell
