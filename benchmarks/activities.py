"""Generated activities, as many as are asked for: a month of them, one Parquet file a day."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl

FIRST_DAY = "2026-01-01"
DAYS = 31
TYPES = 12


def write_activities(folder: Path, records: int) -> list[Path]:
    """Write `records` activities to files in `folder`; return their paths, in order."""
    folder.mkdir(parents=True)
    paths = []
    first = 10_000_000
    for number in range(DAYS):
        count = records // DAYS + (number < records % DAYS)
        day = datetime.fromisoformat(FIRST_DAY).replace(tzinfo=UTC) + timedelta(days=number)
        path = folder / f"{day:%Y-%m-%d}.parquet"
        _day(day, first, count).write_parquet(path)
        paths.append(path)
        first += count
    return paths


def _day(day: datetime, first: int, count: int) -> pl.DataFrame:
    number = pl.int_range(count, eager=True)
    chance = number.hash(first)

    def text(*parts: str | pl.Expr) -> pl.Expr:
        pieces = (pl.lit(part) if isinstance(part, str) else part.cast(pl.String) for part in parts)
        return pl.concat_str(*pieces)

    return pl.DataFrame({"number": number, "chance": chance}).select(
        marketoGUID=text(pl.col("number") + first),
        leadId=(pl.col("chance") % 1_000_000 + 1).cast(pl.Int64),
        activityDate=pl.lit(day) + pl.duration(seconds=pl.col("number") * 86_400 // count),
        activityTypeId=(pl.col("chance") % TYPES + 1).replace({4: 1, 5: 1}).cast(pl.Int64),
        campaignId=pl.when(pl.col("chance") % 3 > 0).then(pl.col("chance") % 5_000).cast(pl.Int64),
        primaryAttributeValueId=(pl.col("chance") % 9_000).cast(pl.Int64),
        primaryAttributeValue=text("Newsletter ", pl.col("chance") % 9_000),
        attributes=text(
            '{"Client IP Address":"10.0.',
            pl.col("chance") % 255,
            '.1","Referrer URL":"https://www.example.com/products/',
            pl.col("chance"),
            '","User Agent":"Mozilla/5.0 (Windows NT 10.0; Win64; x64)",'
            '"Query Parameters":"utm_source=newsletter&utm_id=',
            pl.col("chance") % 777,
            '"}',
        ),
    )
