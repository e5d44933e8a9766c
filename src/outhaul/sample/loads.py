"""Loading records that were made: they are written to files, which load as those of users do."""

import json
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from outhaul.catalog.store import Catalog
from outhaul.kinds.loading import Loading
from outhaul.lake.snapshot import Lake
from outhaul.loading.loads import load_file

Report = Callable[[str, float], None]
"""Is called with what is loaded, and how much of it, from 0 to 1."""

Step = tuple[str, Loading, Iterable[Mapping[str, Any]]]
"""What is loaded, how, and the records."""


def load_records(
    steps: Iterable[Step], lake: Lake, catalog: Catalog, moment: datetime, report: Report
) -> dict[str, int]:
    """Load the records of each step, and return how many there were of each."""
    counts: dict[str, int] = {}
    with TemporaryDirectory() as folder:
        for what, loading, records in steps:
            report(what, 0.0)
            path = Path(folder) / f"{what.replace(' ', '-')}.jsonl"
            counts[what] = write_records(path, records)
            load_file(loading, lake, catalog, path, moment, partial(report, what))
            path.unlink()
            report(what, 1.0)
    return counts


def write_records(path: Path, records: Iterable[Mapping[str, Any]]) -> int:
    """Write a file of JSON Lines, and return the number of records."""
    count = 0
    with path.open("w", encoding="utf-8") as target:
        for record in records:
            target.write(json.dumps(record, ensure_ascii=False, separators=(",", ":")) + "\n")
            count += 1
    return count
