"""Loading files of the built-in kinds."""

from datetime import datetime
from functools import partial
from pathlib import Path

from outhaul.catalog.store import Catalog
from outhaul.kinds.activities import ACTIVITIES
from outhaul.kinds.custom_objects import CUSTOM_OBJECTS
from outhaul.kinds.leads import LEADS
from outhaul.kinds.list_members import LIST_MEMBERS
from outhaul.kinds.program_members import PROGRAM_MEMBERS
from outhaul.lake.snapshot import Lake
from outhaul.loading.loads import Loaded, load_file
from outhaul.records.readers import Report

load_activities = partial(load_file, ACTIVITIES.loading)
load_leads = partial(load_file, LEADS.loading)
load_list_members = partial(load_file, LIST_MEMBERS.loading)
load_program_members = partial(load_file, PROGRAM_MEMBERS.loading)


def load_custom_objects(  # noqa: PLR0913 - as the others, and the type
    lake: Lake, catalog: Catalog, path: Path, moment: datetime, report: Report, *, api_name: str
) -> Loaded:
    loading = CUSTOM_OBJECTS.loading_of(catalog, api_name)
    return load_file(loading, lake, catalog, path, moment, report)
