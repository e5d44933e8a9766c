"""The janitor: removes what has expired and what nobody will read, and keeps the lake tidy.

It is safe to run on every machine at once, at any moment: each chore leaves things as they are to
be, and what a crash interrupts is done at the next round.
"""

import threading
from collections.abc import Callable, Collection
from datetime import datetime, timedelta
from functools import partial
from itertools import groupby

import structlog

from outhaul.accounts.subscriptions import subscriptions
from outhaul.accounts.tokens import forget_tokens
from outhaul.accounts.usage import UsageStore
from outhaul.catalog.store import Catalog
from outhaul.clock import now, quota_date
from outhaul.database.engine import Database, is_away
from outhaul.export.plan import Plan
from outhaul.jobs.retention import Retention
from outhaul.kinds.registry import all_tables
from outhaul.lake.snapshot import Lake, open_lake
from outhaul.lake.tables import Table
from outhaul.lake.upkeep import compact, remove_replaced
from outhaul.settings import Settings
from outhaul.storage.store import FileStore

PARTS_HOURS = 1
"""Age of the parts that may be removed: younger ones may be of a job that ended just now."""

TOKEN_DAYS = 1
"""How long a token that expired is still known for one that did (602)."""

USAGE_DAYS = 8
"""Days of usage and errors that are kept: today's, and those of the last seven."""

log = structlog.get_logger()


class Janitor:
    """Does its rounds until it is told to stop."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        files: FileStore,
        clock: Callable[[], datetime] = now,
    ) -> None:
        self._settings = settings
        self._database = database
        self._files = files
        self._clock = clock
        self._retention = Retention(database, settings)

    def run(self, stop: threading.Event) -> None:
        """Do a round at once, and then one every so often, until `stop` is set."""
        while not stop.is_set():
            self.round(stop)
            stop.wait(self._settings.janitor_seconds)

    def round(self, stop: threading.Event | None = None) -> None:
        """Do every chore once; one that fails is done at the next round."""
        chores: list[tuple[str, Callable[[], object]]] = [
            ("statuses", lambda: self._retention.forget(self._clock())),
            ("files", self._remove_parts),
            ("tokens", self._forget_tokens),
            ("usage", self._forget_usage),
            *(("lake", chore) for chore in self._lake_chores()),
        ]
        for name, chore in chores:
            if stop is not None and stop.is_set():
                return
            try:
                chore()
            except Exception as error:
                if is_away(error):
                    log.warning("a chore has to wait: the database is away", chore=name)
                else:
                    log.exception("a chore was not done; it will be tried again", chore=name)

    def _remove_parts(self) -> None:
        """Remove the parts of files that have expired, and those that belong to no file."""
        last = self._clock() - timedelta(hours=PARTS_HOURS)
        stored = sorted(self._files.list())
        jobs = {
            job: max(entry.modified for entry in group)
            for job, group in groupby(stored, key=lambda entry: entry.key.partition("/")[0])
        }
        old = [job for job, modified in jobs.items() if modified <= last]
        for job, keys in self._retention.kept_parts(old, self._clock()).items():
            if keys is not None:
                self._files.delete(job, but=keys)

    def _forget_tokens(self) -> None:
        forget_tokens(self._database, self._clock() - timedelta(days=TOKEN_DAYS))

    def _forget_usage(self) -> None:
        UsageStore(self._database).forget(quota_date(self._clock()) - timedelta(days=USAGE_DAYS))

    def _lake_chores(self) -> list[Callable[[], object]]:
        """Return what there is to do in the lakes: a table at a time."""
        try:
            names = [entry.name for entry in subscriptions(self._database)]
            return [
                partial(self._keep_table, name, open_lake(self._settings, name, self._database), of)
                for name in names
                for of in all_tables(Catalog(self._database, name))
            ]
        except Exception as error:
            if not is_away(error):
                log.exception("the subscriptions cannot be read; trying again later")
            return []

    def _keep_table(self, name: str, lake: Lake, table: Table) -> None:
        if files := compact(lake, table):
            log.info("files became one", subscription=name, table=table.name, files=files)

        def pinned() -> Collection[str]:
            plans = map(Plan.from_json, self._retention.pinned_plans(name))
            files = {file for plan in plans for file in plan.reading.files}
            return {file.path for file in files if file.table == table.name}

        remove_replaced(lake, table, hours=self._settings.lake_replaced_hours, pinned=pinned)
