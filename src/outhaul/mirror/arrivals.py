"""Loading of what has arrived: the file of a job, or the records of look-ups."""

import json
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from outhaul.catalog.store import Catalog
from outhaul.lake.commits import Cursor
from outhaul.lake.snapshot import Lake
from outhaul.loading.loads import Loaded, load_file, load_snapshot
from outhaul.mirror.loadings import loading_of
from outhaul.mirror.work import Counts, Work

CURSOR = "outhaul-mirror"
"""The name under which each table has the number of the mirror's latest load."""

_BATCH_BYTES = 2 * 2**20
"""How much of a file is read at a time. Less than other loads read, because a mirror may run beside
servers, and waits for its endpoint most of the time."""

Report = Callable[[float], None]


class Arrivals:
    """Loads files into the lake, each with the number of its load."""

    def __init__(self, lake: Lake, catalog: Catalog, folder: Path) -> None:
        self._lake = lake
        self._catalog = catalog
        self._folder = folder

    def is_committed(self, work: Work, number: int) -> bool:
        """Return whether a load with a number is in the lake. Loads of a mirror never overlap."""
        found = self._lake.cursor(loading_of(work.streams[0], self._catalog).table, CURSOR)
        return found is not None and found >= number

    def load(
        self, work: Work, path: Path | None, number: int, moment: datetime, report: Report
    ) -> Counts:
        """Load the file of a work; `None` stands for a file without records.

        Raises `FileError`.
        """
        loading = loading_of(work.streams[0], self._catalog)
        cursor = Cursor(CURSOR, number)
        if work.ids:
            loaded = load_snapshot(
                loading,
                self._lake,
                self._catalog,
                path,
                moment,
                report,
                of=work.ids,
                cursor=cursor,
                batch_bytes=_BATCH_BYTES,
            )
            return _counts(loaded)
        if path is None:
            return Counts()
        return _counts(
            load_file(
                loading,
                self._lake,
                self._catalog,
                path,
                moment,
                report,
                cursor=cursor,
                batch_bytes=_BATCH_BYTES,
            )
        )

    def load_records(
        self,
        work: Work,
        records: Iterable[Mapping[str, Any]],
        number: int,
        moment: datetime,
        report: Report,
    ) -> Counts:
        """Load records of look-ups. Raises `FileError` and `ClientError`."""
        path = self._folder / f"look-up-{number}.jsonl"
        try:
            count = _write(path, records)
            return self.load(work, path if count else None, number, moment, report)
        finally:
            path.unlink(missing_ok=True)


def _write(path: Path, records: Iterable[Mapping[str, Any]]) -> int:
    path.parent.mkdir(parents=True, exist_ok=True)
    count = 0
    with path.open("w", encoding="utf-8") as file:
        for record in records:
            file.write(json.dumps(record, ensure_ascii=False) + "\n")
            count += 1
    return count


def _counts(loaded: Loaded) -> Counts:
    merged = loaded.merged
    return Counts(
        added=merged.added,
        changed=merged.changed,
        unchanged=merged.unchanged,
        deleted=merged.deleted,
        removed=merged.removed,
    )
