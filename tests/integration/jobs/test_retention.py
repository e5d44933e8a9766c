from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import sqlalchemy as sa

from outhaul.accounts.tokens import Caller
from outhaul.database.engine import Database
from outhaul.database.schema import export_job, export_part, export_plan
from outhaul.export.request import ExportRequest
from outhaul.jobs.queue import Queue
from outhaul.jobs.retention import Retention
from outhaul.jobs.store import JobStore
from outhaul.limits import Limits
from outhaul.settings import Settings
from outhaul.storage.manifest import Manifest, Part

MOMENT = datetime(2026, 1, 31, 12, tzinfo=UTC)
SETTINGS = Settings(data=Path("unused"), lease_seconds=30)

MakeCaller = Callable[..., Caller]


def test_a_job_is_forgotten_with_all_that_is_stored_of_it(
    database: Database, make_caller: MakeCaller, export_request: ExportRequest
) -> None:
    jobs, queue = JobStore(database, make_caller(), Limits()), Queue(database, SETTINGS, "worker")
    job = jobs.create("leads", export_request, MOMENT)
    jobs.enqueue("leads", job.id, MOMENT)
    assert queue.claim(MOMENT) is not None
    part = Part(number=0, key=f"{job.id}/0", size=1, records=1)
    queue.publish(job.id, Manifest(parts=[part], checksum="abc"), MOMENT)
    with database.write() as connection:
        # As a worker of an earlier version may have left it.
        connection.execute(export_plan.insert().values(job=job.id, plan={}))
    retention = Retention(database, SETTINGS)
    last = MOMENT + timedelta(days=Limits().status_days)
    assert retention.forget(last - timedelta(seconds=1)) == 0
    assert retention.forget(last) == 1
    with database.read() as connection:
        for table in (export_job, export_part, export_plan):
            assert connection.execute(sa.select(table)).first() is None


def test_plans_of_one_subscription_are_told(
    database: Database, make_caller: MakeCaller, export_request: ExportRequest
) -> None:
    queue = Queue(database, SETTINGS, "worker")
    for name in ("default", "emea"):
        jobs = JobStore(database, make_caller(of=name), Limits())
        for n in range(2):
            job = jobs.create("leads", export_request, MOMENT)
            jobs.enqueue("leads", job.id, MOMENT)
            claimed = queue.claim(MOMENT)
            assert claimed is not None
            if n:
                queue.pin(claimed.id, {"of": name})
    assert list(Retention(database, SETTINGS).pinned_plans("emea")) == [{"of": "emea"}]
