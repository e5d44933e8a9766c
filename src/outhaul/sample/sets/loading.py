"""Loading a set of records into the lake of a subscription."""

import json
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from outhaul.catalog.entries import parse_catalog
from outhaul.catalog.store import Catalog
from outhaul.kinds.activities import ACTIVITIES
from outhaul.kinds.custom_objects import CUSTOM_OBJECTS
from outhaul.kinds.leads import LEADS
from outhaul.kinds.list_members import LIST_MEMBERS
from outhaul.kinds.loading import Loading
from outhaul.kinds.program_members import PROGRAM_MEMBERS
from outhaul.lake.snapshot import Lake
from outhaul.loading.loads import load_file
from outhaul.sample.objects import BOATS
from outhaul.sample.sets.declaration import Of, Record, Records, RecordSet
from outhaul.sample.sets.registry import set_named
from outhaul.sample.sets.templates import Templates
from outhaul.smart_lists.stored import store_entries

Report = Callable[[str, float], None]
"""Is called with what is loaded, and how much of it, from 0 to 1."""

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


def write_records(path: Path, records: Iterable[Record]) -> int:
    """Write a file of JSON Lines, and return the number of records."""
    count = 0
    with path.open("w", encoding="utf-8") as target:
        for record in records:
            target.write(json.dumps(record, ensure_ascii=False, separators=(",", ":")) + "\n")
            count += 1
    return count


def _load(
    records: Records, lake: Lake, catalog: Catalog, moment: datetime, report: Report
) -> dict[str, int]:
    counts: dict[str, int] = {}
    with TemporaryDirectory() as folder:
        for of, each in records.items():
            report(of.value, 0.0)
            path = Path(folder) / f"{of.name.lower()}.jsonl"
            counts[of.value] = write_records(path, each)
            loading = _loading(of, catalog)
            load_file(loading, lake, catalog, path, moment, partial(report, of.value))
            path.unlink()
            report(of.value, 1.0)
    return counts


def _loading(of: Of, catalog: Catalog) -> Loading:
    if of is Of.BOATS:
        return CUSTOM_OBJECTS.loading_of(catalog, BOATS)
    kinds: Mapping[Of, Loading] = {
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
