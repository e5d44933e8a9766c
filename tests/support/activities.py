"""Data folders with as many activities as a test wants, and with nothing else."""

import json
import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
from tests.support.loads import load_activities

from outhaul.accounts.services import Credentials, create_service
from outhaul.catalog.store import Catalog
from outhaul.clock import now
from outhaul.database.engine import Database
from outhaul.lake.snapshot import Lake
from outhaul.settings import Settings

DAYS = {"startAt": "2026-01-01T00:00:00Z", "endAt": "2026-01-20T23:59:59Z"}
BODY = {"filter": {"createdAt": DAYS}}
"""Asks for all of the activities."""


@dataclass(frozen=True)
class Template:
    """A data folder whose lake others may read, and what its user calls with."""

    folder: Path
    credentials: Credentials
    records: int

    def copy(self, data: Path) -> Path:
        data.mkdir()
        (data / "outhaul.db").write_bytes((self.folder / "outhaul.db").read_bytes())
        (data / "lake").symlink_to(self.folder / "lake")
        return data


def fill(folder: Path, records: int) -> Template:
    """Make a data folder with activities of ten days."""
    settings = Settings(data=folder)
    database = Database(settings.database_url)
    database.migrate()
    credentials = create_service(
        database,
        "nightly",
        email="etl@example.com",
        permissions=["Read-Only Activity"],
        moment=now(),
    )
    number = pl.int_range(records)
    path = folder / "activities.parquet"
    pl.select(
        marketoGUID=number.cast(pl.String).str.zfill(9),
        leadId=number % 1_000 + 1,
        activityDate=pl.lit(datetime(2026, 1, 1, tzinfo=UTC))
        + pl.duration(seconds=number * 864_000 // records),
        activityTypeId=pl.lit(1),
        primaryAttributeValue=pl.lit("null"),  # takes longest to write
        attributes=pl.lit(json.dumps({"Text": "a, b; " * 20})),
    ).write_parquet(path)
    load_activities(
        Lake(settings.lake_folder / "default"),
        Catalog(database, "default"),
        path,
        now(),
        lambda _: None,
    )
    path.unlink()
    database.close()
    return Template(folder, credentials, records)


def on_disk(data: Path, job_id: str = "") -> list[Path]:
    """Return the files below a folder of files. Others may remove them meanwhile."""
    found = os.walk(data / "files" / job_id)  # Path.rglob fails where a folder is just removed
    return [Path(folder) / name for folder, _, names in found for name in names]
