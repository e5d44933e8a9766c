"""A data folder with the sample, and instances that each serve a copy of it."""

import json
import shutil
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from tests.support.instance import ACTIVITY_COUNT, LEAD_COUNT, NOW, USERS, Clock, Instance, Serve
from tests.support.loads import (
    load_activities,
    load_custom_objects,
    load_leads,
    load_list_members,
    load_program_members,
)
from tests.support.schemas import Contract

from outhaul import sample
from outhaul.accounts.services import Credentials, create_service
from outhaul.catalog.entries import parse_catalog
from outhaul.catalog.store import Catalog
from outhaul.database.engine import Database
from outhaul.lake.snapshot import Lake
from outhaul.settings import Settings

# The clock of an instance stands still, and tests make more calls than 100.
NO_LIMITS_ON_CALLS = {"calls_in_20_seconds": None, "calls_at_once": None, "calls_per_day": None}


@dataclass(frozen=True)
class Template:
    """A data folder to copy, and what its custom services call with, by their user's name."""

    folder: Path
    credentials: Mapping[str, Credentials]


def make_template(folder: Path) -> Template:
    """Load the sample into a new data folder."""
    settings = Settings(data=folder)
    database = Database(settings.database_url)
    database.migrate()
    catalog = Catalog(database, "default")
    catalog.store(parse_catalog(sample.catalog()))
    lake = Lake(settings.lake_folder / "default")
    steps: tuple[tuple[Callable[..., object], Iterable[Mapping[str, Any]]], ...] = (
        (load_list_members, sample.list_members(LEAD_COUNT)),
        (load_activities, sample.activities(ACTIVITY_COUNT, until=NOW, lead_count=LEAD_COUNT)),
        (load_program_members, sample.program_members(LEAD_COUNT, until=NOW)),
        (
            partial(load_custom_objects, api_name=sample.BOATS),
            sample.boats(LEAD_COUNT, until=NOW),
        ),
        (load_leads, sample.leads(LEAD_COUNT, until=NOW)),
    )
    for n, (load, records) in enumerate(steps):
        path = folder / f"{n}.jsonl"
        path.write_text("".join(json.dumps(record) + "\n" for record in records), "utf-8")
        load(lake, catalog, path, NOW, lambda _: None)
        path.unlink()
    credentials = {
        name: create_service(
            database, name, email=f"{name}@example.com", permissions=permissions, moment=NOW
        )
        for name, permissions in USERS.items()
    }
    database.close()
    return Template(folder, credentials)


def copy_file(template: Template, data: Path) -> str:
    shutil.copy(template.folder / "outhaul.db", data)
    return Settings(data=data).database_url


def serving(
    template: Template,
    folder: Path,
    contract: Contract | None,
    stack: ExitStack,
    source: Callable[[Path], str] | None = None,
) -> Serve:
    """Return a function that starts instances, each over a copy of the template."""

    def serve(*, limits: str = "marketo", part_records: int = 500_000, **single: Any) -> Instance:
        """Start one with a set of limits, and single ones that differ."""
        data = folder / f"data-{len(list(folder.iterdir()))}"
        data.mkdir()
        (data / "lake").symlink_to(template.folder / "lake")  # nothing here writes to it
        settings = Settings.model_validate(
            {
                "data": data,
                "database_url": source(data) if source else copy_file(template, data),
                "listen_seconds": 3_600,
                "workers": 1,
                "part_threads": 2,
                "poll_seconds": 0.005,
                "limits": limits,
                "part_records": part_records,
                "limit_overrides": NO_LIMITS_ON_CALLS | single,
            }
        )
        instance = Instance(settings, Clock(), template.credentials, contract)
        return stack.enter_context(instance.running())

    return serve
