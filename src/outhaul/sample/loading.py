"""Loading the sample subscription into a data folder."""

from datetime import datetime

from outhaul import sample
from outhaul.accounts.services import DEFAULT_SUBSCRIPTION, Credentials, create_service
from outhaul.catalog.entries import parse_catalog
from outhaul.catalog.store import Catalog
from outhaul.database.engine import Database
from outhaul.kinds.activities import ACTIVITIES
from outhaul.kinds.custom_objects import CUSTOM_OBJECTS
from outhaul.kinds.leads import LEADS
from outhaul.kinds.list_members import LIST_MEMBERS
from outhaul.kinds.program_members import PROGRAM_MEMBERS
from outhaul.lake.snapshot import Lake, open_lake
from outhaul.sample.loads import Report, load_records
from outhaul.settings import Settings
from outhaul.smart_lists.stored import store_entries

EMAIL = "sample@example.com"
PERMISSIONS = ("Read-Only Lead", "Read-Only Activity", "Read-Only Custom Object")


def is_loaded(settings: Settings, database: Database) -> bool:
    """Return whether the default subscription of the data folder has leads."""
    return _lake(settings, database).snapshot(LEADS.table) is not None


def load_sample(
    database: Database, settings: Settings, moment: datetime, report: Report
) -> dict[str, int]:
    """Load the sample's catalog and records, whose dates are before `moment`.

    Returns the number of records of each kind. `report` is called with the name of a kind, and how
    much of it is loaded, from 0 to 1.
    """
    catalog = Catalog(database, DEFAULT_SUBSCRIPTION)
    store_entries(catalog, parse_catalog(sample.catalog()))
    lake = _lake(settings, database)
    # Leads are loaded last, so that with leads the whole sample is there (`is_loaded`).
    steps = (
        ("list members", LIST_MEMBERS.loading, sample.list_members()),
        ("activities", ACTIVITIES.loading, sample.activities(until=moment)),
        ("deletions", ACTIVITIES.loading, sample.deletions(until=moment)),
        ("program members", PROGRAM_MEMBERS.loading, sample.program_members(until=moment)),
        (
            "custom objects",
            CUSTOM_OBJECTS.loading_of(catalog, sample.BOATS),
            sample.boats(until=moment),
        ),
        ("leads", LEADS.loading, sample.leads(until=moment)),
    )
    return load_records(steps, lake, catalog, moment, report)


def make_sample_service(database: Database, moment: datetime) -> Credentials:
    """Return the credentials of a new custom service that may read all of the sample."""
    return create_service(database, "sample", email=EMAIL, permissions=PERMISSIONS, moment=moment)


def _lake(settings: Settings, database: Database) -> Lake:
    return open_lake(settings, DEFAULT_SUBSCRIPTION, database)
