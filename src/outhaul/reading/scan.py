"""Reading the records of a part: filter the files of each partition, merge them in order, join.

Records are read in batches, so that the memory for a part does not depend on its size.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import reduce

import polars as pl
from polars.exceptions import PolarsError

from outhaul.lake.clauses import Scope, all_of
from outhaul.lake.failures import LakeError, in_a_line
from outhaul.lake.snapshot import Lake
from outhaul.reading.reading import Joined, PlannedPart, Reading

BATCH_RECORDS = 50_000

Select = Callable[[Mapping[str, pl.DataType]], Sequence[pl.Expr]]
"""Returns the expressions to read, given the columns of a record with their types."""


def read_batches(
    reading: Reading, number: int, lake: Lake, select: Select, check: Callable[[], None]
) -> Iterator[pl.DataFrame]:
    """Yield the records of part `number` in batches, in order, with the expressions of `select`.

    `check` is called for each batch, and may raise to stop. Raises `LakeError`, with the name of
    the file, if a file cannot be read.
    """
    try:
        for batch in _batches_of(reading, reading.parts[number], lake, select):
            check()
            yield batch
    except PolarsError:
        _name_damaged(reading.of_part(number), lake, check)
        raise


def scan_part(reading: Reading, part: PlannedPart, lake: Lake) -> pl.LazyFrame:
    """Return the records of a part, filtered and in order, without those of the joined table."""
    scope = Scope(lake=lake, ids=part.ids)
    clauses = [*reading.clauses, *([part.slice] if part.slice else [])]
    wanted = all_of(clauses, scope)
    return pl.concat(
        _merged(
            [lake.scan(reading.table, [path], reading.columns).filter(wanted) for path in files],
            reading.order,
        )
        for files in part.partitions
    )


def _batches_of(
    reading: Reading, part: PlannedPart, lake: Lake, select: Select
) -> Iterator[pl.DataFrame]:
    scan = scan_part(reading, part, lake)
    columns = select(reading.all_columns)
    if reading.joined is None:
        yield from _batches(scan.select(columns))
        return
    paths = reading.joined.paths(part.ids)
    for batch in _batches(scan):
        yield _with_joined(batch, reading.joined, paths, lake).select(columns)


def _batches(scan: pl.LazyFrame) -> Iterator[pl.DataFrame]:
    return scan.collect_batches(chunk_size=BATCH_RECORDS, maintain_order=True, engine="streaming")


def _with_joined(
    batch: pl.DataFrame, joined: Joined, paths: Sequence[str], lake: Lake
) -> pl.DataFrame:
    """Return a batch with the columns of the joined table.

    From that table, only the range of the batch's ids is read, and only joined records are
    collected. The memory for a batch thus does not depend on the size of the joined table.
    """
    ids = batch[joined.left].drop_nulls().unique()
    other = pl.DataFrame(schema=dict(joined.columns))
    if paths and not ids.is_empty():
        other = (
            lake.scan(joined.table, paths, joined.columns)
            .filter(pl.col(joined.right).is_between(ids.min(), ids.max()))
            .filter(pl.col(joined.right).is_in(ids.implode()))
            .collect(engine="streaming")
        )
    return batch.join(
        other,
        left_on=joined.left,
        right_on=joined.right,
        how="left",
        coalesce=False,
        maintain_order="left",
    )


def _name_damaged(reading: Reading, lake: Lake, check: Callable[[], None]) -> None:
    """Raise `LakeError` with the name of the first file that cannot be read, if any.

    Polars reports the damage of a file without the name of the file.
    """
    columns = {reading.table: reading.columns}
    if reading.joined is not None:
        columns[reading.joined.table] = reading.joined.columns
    for table, path in dict.fromkeys(reading.files):
        try:
            for _ in _batches(lake.scan(table, [path], columns.get(table))):
                check()
        except (PolarsError, OSError) as error:
            raise LakeError(f"{table}/{path} cannot be read: {in_a_line(error)}") from error


def _merged(files: Sequence[pl.LazyFrame], order: Sequence[str]) -> pl.LazyFrame:
    return reduce(lambda left, right: left.merge_sorted(right, key=list(order)), files)
