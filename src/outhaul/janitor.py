"""The janitor: it deletes expired data and unused files, and compacts the files of the lake.

Any number of janitors may run at the same time, on several machines. Each task is idempotent, so
that the next round completes what a crash interrupted.
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
from outhaul.clock import now
from outhaul.database.engine import Database, is_unavailable
from outhaul.export.plan import Plan
from outhaul.jobs.retention import Retention
from outhaul.kinds.registry import all_tables
from outhaul.lake.snapshot import Lake, open_lake
from outhaul.lake.tables import Table
from outhaul.lake.upkeep import compact, remove_replaced
from outhaul.protocol.quota_days import quota_date
from outhaul.settings import Settings
from outhaul.storage.store import FileStore

PARTS_HOURS = 1
"""Least age of parts that may be deleted: younger ones may belong to a job that just ended."""

TOKEN_DAYS = 1
"""Days for which an expired token is remembered, so that it is answered 602 instead of 601."""

USAGE_DAYS = 8
"""Days for which usage and errors are retained: today and the seven days before."""

log = structlog.get_logger()


class Janitor:
    """Runs all tasks in regular rounds, until it is stopped."""

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
        """Do a round now, and then one every `janitor_seconds`, until `stop` is set."""
        while not stop.is_set():
            self.round(stop)
            stop.wait(self._settings.janitor_seconds)

    def round(self, stop: threading.Event | None = None) -> None:
        """Do every task once. A task that fails is done again in the next round."""
        tasks: list[tuple[str, Callable[[], object]]] = [
            # Files first: it is known of a job when its file expires, until its status is deleted.
            ("files", self._remove_parts),
            ("statuses", lambda: self._retention.forget(self._clock())),
            ("tokens", self._forget_tokens),
            ("usage", self._forget_usage),
            *(("lake", task) for task in self._lake_tasks()),
        ]
        for name, task in tasks:
            if stop is not None and stop.is_set():
                return
            try:
                task()
            except Exception as error:
                if is_unavailable(error):
                    log.warning("the database is unavailable; the task will run later", task=name)
                else:
                    log.exception("a task failed; it will be tried again", task=name)

    def _remove_parts(self) -> None:
        """Delete the parts of expired files, and parts that belong to no file."""
        last = self._clock() - timedelta(hours=PARTS_HOURS)
        stored = sorted(self._files.list())
        jobs = {
            job: max(entry.modified for entry in group)
            for job, group in groupby(stored, key=lambda entry: entry.key.partition("/")[0])
        }
        young = {job for job, modified in jobs.items() if modified > last}
        # A file expires by the clock of its subscription, which may be far ahead of real time.
        young -= self._retention.expired(young, self._clock())
        old = jobs.keys() - young
        for job, keys in self._retention.retained_parts(old, self._clock()).items():
            if keys is not None:
                self._files.delete(job, but=keys)

    def _forget_tokens(self) -> None:
        for each in subscriptions(self._database):
            moment = each.clock.at(self._clock())
            forget_tokens(self._database, each.name, moment - timedelta(days=TOKEN_DAYS))

    def _forget_usage(self) -> None:
        usage = UsageStore(self._database)
        for each in subscriptions(self._database):
            today = quota_date(each.clock.at(self._clock()))
            usage.forget(each.name, today - timedelta(days=USAGE_DAYS))

    def _lake_tasks(self) -> list[Callable[[], object]]:
        """Return a task for each table of each subscription."""
        try:
            names = [entry.name for entry in subscriptions(self._database)]
            return [
                partial(self._tidy, name, open_lake(self._settings, name, self._database), of)
                for name in names
                for of in all_tables(Catalog(self._database, name))
            ]
        except Exception as error:
            if not is_unavailable(error):
                log.exception("the subscriptions cannot be read; trying again later")
            return []

    def _tidy(self, name: str, lake: Lake, table: Table) -> None:
        if files := compact(lake, table):
            log.info("files were compacted", subscription=name, table=table.name, files=files)

        def pinned() -> Collection[str]:
            plans = map(Plan.from_json, self._retention.pinned_plans(name))
            files = {file for plan in plans for file in plan.reading.files}
            return {file.path for file in files if file.table == table.name}

        remove_replaced(lake, table, hours=self._settings.lake_replaced_hours, pinned=pinned)
