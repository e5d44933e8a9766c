"""Loading a set of records into the lake of a subscription."""

from datetime import datetime
from functools import partial

from outhaul.catalog.entries import parse_catalog
from outhaul.catalog.store import Catalog
from outhaul.kinds.activities import ACTIVITIES
from outhaul.kinds.custom_objects import CUSTOM_OBJECTS
from outhaul.kinds.leads import LEADS
from outhaul.kinds.list_members import LIST_MEMBERS
from outhaul.kinds.loading import Loading
from outhaul.kinds.program_members import PROGRAM_MEMBERS
from outhaul.lake.snapshot import Lake
from outhaul.sample.loads import Report, load_records
from outhaul.sample.objects import BOATS
from outhaul.sample.sets.declaration import Of, Records, RecordSet
from outhaul.sample.sets.registry import set_named
from outhaul.sample.sets.templates import Templates
from outhaul.smart_lists.stored import store_entries

_TEMPLATES = Templates()


def load_set(
    name: str,
    lake: Lake,
    catalog: Catalog,
    moment: datetime,
    report: Report = lambda _what, _share: None,
    /,
    **parameters: int,
) -> dict[str, int]:
    """Load a set, and return the number of records of each kind.

    Records merge with those that the lake has. Records of a set without a time of its own have
    dates before `moment`. Raises `SetError`.
    """
    chosen = set_named(name)
    values = chosen.values(parameters)
    for content in chosen.catalog():
        store_entries(catalog, parse_catalog(content))
    records = chosen.records(moment, values)
    if chosen.changed_at is None:
        return _load(records, lake, catalog, moment, report)
    # The set is always the same: it is loaded once a process, and its files are copied.
    counts = {of.value: len([*each]) for of, each in records.items()}
    fill = partial(_fill, chosen, records, chosen.changed_at)
    if _TEMPLATES.copy(chosen.name, lake, fill):
        _note(records, catalog)
    else:
        _load(records, lake, catalog, chosen.changed_at, report)
    return counts


def _load(
    records: Records, lake: Lake, catalog: Catalog, moment: datetime, report: Report
) -> dict[str, int]:
    steps = ((of.value, _loading(of, catalog), each) for of, each in records.items())
    return load_records(steps, lake, catalog, moment, report)


def _loading(of: Of, catalog: Catalog) -> Loading:
    if of is Of.BOATS:
        return CUSTOM_OBJECTS.loading_of(catalog, BOATS)
    kinds = {
        Of.LEADS: LEADS.loading,
        Of.ACTIVITIES: ACTIVITIES.loading,
        Of.LIST_MEMBERS: LIST_MEMBERS.loading,
        Of.PROGRAM_MEMBERS: PROGRAM_MEMBERS.loading,
    }
    return kinds[of]


def _note(records: Records, catalog: Catalog) -> None:
    """Store in the catalog what loading the records would have stored."""
    for of, each in records.items():
        if (noting := _loading(of, catalog).noting) is not None:
            noting.store(catalog, {tuple(one.get(name) for name in noting.columns) for one in each})


def _fill(
    chosen: RecordSet, records: Records, changed_at: datetime, catalog: Catalog, lake: Lake
) -> None:
    for content in chosen.catalog():
        store_entries(catalog, parse_catalog(content))
    _load(records, lake, catalog, changed_at, lambda _what, _share: None)
