"""The janitor, on both databases and both stores of files: what goes, and what stays."""

import json
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import count
from pathlib import Path

import pytest
import sqlalchemy as sa
from tests.support.loads import load_leads
from tests.support.waiting import PATIENCE

from outhaul.accounts.services import create_service
from outhaul.accounts.tokens import Caller, issue_token
from outhaul.accounts.usage import UsageStore
from outhaul.catalog.store import Catalog
from outhaul.database.engine import Database
from outhaul.database.schema import api_user, export_job, export_part, token
from outhaul.export.plan import make_plan
from outhaul.export.request import read_request
from outhaul.janitor import Janitor
from outhaul.jobs.job import Job
from outhaul.jobs.queue import Queue
from outhaul.jobs.store import JobStore
from outhaul.kinds import find_kind
from outhaul.kinds.filter import Context
from outhaul.lake.snapshot import Lake, open_lake
from outhaul.lake.tables import LEADS
from outhaul.limits import Limits
from outhaul.protocol.dialects import MEDIA_TYPE
from outhaul.settings import Settings
from outhaul.storage.folder import FolderStore
from outhaul.storage.manifest import Manifest, Part

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
OPEN = Limits(queued_jobs=None, daily_export_mb=None)
NUMBERS = count()
WINDOW = {"startAt": "2026-01-01T00:00:00Z", "endAt": "2026-01-31T00:00:00Z"}


@dataclass
class Clock:
    moment: datetime = NOW

    def __call__(self) -> datetime:
        return self.moment


@dataclass
class House:
    """A service with nothing running, and its janitor."""

    settings: Settings
    database: Database
    files: FolderStore
    clock: Clock
    janitor: Janitor
    jobs: JobStore
    user: int

    @property
    def lake(self) -> Lake:
        return open_lake(self.settings, "default", self.database)

    @property
    def catalog(self) -> Catalog:
        return Catalog(self.database, "default")

    def queue(self) -> Queue:
        return Queue(self.database, self.settings, "worker")

    def created(self) -> Job:
        context = Context(catalog=self.catalog, limits=OPEN, moment=NOW)
        body = {"fields": ["id"], "filter": {"createdAt": WINDOW}}
        return self.jobs.create(
            "leads", read_request(find_kind("leads", context), body, context), self.clock()
        )

    def processing(self) -> Job:
        self.jobs.enqueue("leads", self.created().id, self.clock())
        claimed = self.queue().claim(self.clock())
        assert claimed is not None
        return claimed

    def put(self, key: str, *, hours: float = 2) -> None:
        """Leave a part that is so old."""
        with self.files.writer(key, media_type=MEDIA_TYPE) as target:
            target.write(b"part")
        written = (NOW - timedelta(hours=hours)).timestamp()
        os.utime(self.settings.files_folder / key, (written, written))

    def completed(self) -> Job:
        """Finish a job whose file has two parts."""
        job = self.processing()
        parts = [Part(number=n, key=f"{job.id}/a/{n}", size=4, records=1) for n in range(2)]
        for part in parts:
            self.put(part.key)
        self.queue().publish(job.id, Manifest(parts=parts, checksum="abc"), self.clock())
        return job

    def keys(self) -> set[str]:
        return {stored.key for stored in self.files.list()}

    def ids(self) -> set[str]:
        with self.database.read() as connection:
            return set(connection.execute(sa.select(export_job.c.id)).scalars())

    def load(self, **lead: object) -> None:
        path = self.settings.lake_folder.parent / f"{next(NUMBERS)}.jsonl"
        path.write_text(json.dumps(lead) + "\n")
        load_leads(self.lake, self.catalog, path, NOW, lambda _: None)

    def lake_files(self) -> set[str]:
        folder = self.settings.lake_folder / "default" / "leads"
        return {str(path.relative_to(folder)) for path in folder.rglob("*.parquet")}


MakeHouse = Callable[..., House]


@pytest.fixture
def make_house(database: Database, database_url: str, tmp_path: Path) -> MakeHouse:
    def make(**changes: object) -> House:
        settings = Settings.model_validate(
            {"data": tmp_path, "database_url": database_url, "lake_replaced_hours": 0, **changes}
        )
        create_service(database, "etl", email="etl@example.com", permissions=(), moment=NOW)
        with database.read() as connection:
            user = connection.execute(sa.select(api_user.c.id)).scalar_one()
        caller = Caller(
            subscription="default", limit_overrides={}, user=user, permissions=frozenset()
        )
        files = FolderStore(settings.files_folder)
        clock = Clock()
        return House(
            settings,
            database,
            files,
            clock,
            Janitor(settings, database, files, clock),
            JobStore(database, caller, OPEN),
            user,
        )

    return make


@pytest.fixture
def house(make_house: MakeHouse) -> House:
    return make_house()


def test_a_file_goes_when_its_days_are_over(house: House) -> None:
    job = house.completed()
    house.clock.moment += timedelta(days=7) - timedelta(seconds=1)
    house.janitor.round()
    assert house.keys() == {f"{job.id}/a/0", f"{job.id}/a/1"}
    house.clock.moment += timedelta(seconds=1)
    house.janitor.round()
    assert house.keys() == set()
    assert house.ids() == {job.id}, "its status stays"


def test_each_subscription_has_its_own_days(make_house: MakeHouse) -> None:
    house = make_house(limit_overrides={"file_days": 2})
    house.completed()
    house.clock.moment += timedelta(days=2)
    house.janitor.round()
    assert house.keys() == set()


def test_a_status_goes_thirty_days_after_the_end(house: House) -> None:
    job, waiting = house.completed(), house.created()
    running = house.processing()
    house.clock.moment += timedelta(days=30) - timedelta(seconds=1)
    house.janitor.round()
    assert house.ids() == {job.id, waiting.id, running.id}
    house.clock.moment += timedelta(seconds=1)
    house.janitor.round()
    assert house.ids() == {running.id}, "what has not ended stays, but what was never enqueued"
    with house.database.read() as connection:
        assert connection.execute(sa.select(export_part)).all() == []


def test_many_statuses_go(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("outhaul.jobs.retention.AT_ONCE", 3)
    for _ in range(8):
        house.completed()
    house.clock.moment += timedelta(days=30)
    house.janitor.round()
    assert (house.ids(), house.keys()) == (set(), set())


def test_parts_that_belong_to_no_file_go_when_they_are_old(house: House) -> None:
    done, cancelled, running = house.completed(), house.created(), house.processing()
    house.jobs.cancel("leads", cancelled.id, NOW)
    kept = {f"{done.id}/a/0", f"{done.id}/a/1", f"{running.id}/b/0", "young/a/0"}
    for key in (f"{done.id}/b/0", f"{cancelled.id}/a/0", "unknown/a/0", f"{running.id}/b/0"):
        house.put(key)
    house.put("young/a/0", hours=0.5)
    house.janitor.round()
    assert house.keys() == kept
    house.clock.moment += timedelta(hours=1)
    house.janitor.round()
    assert house.keys() == kept - {"young/a/0"}


def test_tokens_go_a_day_after_they_expired(house: House) -> None:
    made = create_service(house.database, "x", email="x@example.com", permissions=(), moment=NOW)
    issue_token(
        house.database,
        client_id=made.client_id,
        client_secret=made.client_secret,
        life_seconds=lambda *_: 3_600,
        real=NOW,
    )

    def tokens() -> int:
        with house.database.read() as connection:
            return len(connection.execute(sa.select(token)).all())

    house.clock.moment += timedelta(seconds=3_600, days=1)
    house.janitor.round()
    assert tokens() == 1, "it is still known for one that expired"
    house.clock.moment += timedelta(seconds=1)
    house.janitor.round()
    assert tokens() == 0


def test_usage_goes_when_nobody_can_ask_for_it_any_more(house: House) -> None:
    usage, today = UsageStore(house.database), date(2026, 1, 31)
    days = [today - timedelta(days=n) for n in range(12)]
    usage.add(
        {("default", day, house.user): 1 for day in days},
        {("default", day, "601"): 1 for day in days},
    )
    house.janitor.round()
    left = [day for day, counts in usage.calls("default", days).items() if counts]
    assert left == days[:9]
    assert [day for day, counts in usage.errors("default", days).items() if counts] == left


def test_the_lake_is_kept_tidy_and_what_a_plan_has_stays(house: House) -> None:
    house.load(id=1, createdAt="2026-01-10T00:00:00Z")
    house.load(id=2, createdAt="2026-01-10T00:00:00Z")
    job = house.processing()
    context = Context(catalog=house.catalog, limits=OPEN, moment=NOW)
    plan = make_plan(find_kind("leads", context), job.request, context, house.lake, 1_000)
    house.queue().pin(job.id, plan.to_json())
    pinned = {file.path for file in plan.reading.files}
    assert pinned == house.lake_files()
    house.janitor.round()
    snapshot = house.lake.snapshot(LEADS)
    assert snapshot is not None
    (one,) = snapshot.files
    assert one.records == 2
    assert house.lake_files() == pinned | {one.path}
    house.queue().fail(job.id, "done with", NOW)
    house.janitor.round()
    assert house.lake_files() == {one.path}


def test_a_task_that_fails_does_not_stop_the_others(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = house.completed()
    house.clock.moment += timedelta(days=30)

    def fail(*_: object) -> None:
        raise OSError("failpoint")

    monkeypatch.setattr(FolderStore, "list", fail)
    house.janitor.round()
    assert house.ids() == set()
    monkeypatch.undo()
    assert house.keys() == {f"{job.id}/a/0", f"{job.id}/a/1"}
    house.janitor.round()
    assert house.keys() == set()


def test_it_stops_when_it_is_told_to(house: House) -> None:
    stop = threading.Event()
    thread = threading.Thread(target=house.janitor.run, args=(stop,))
    thread.start()
    stop.set()
    thread.join(PATIENCE)
    assert not thread.is_alive()


def test_several_at_once_do_what_one_does(house: House) -> None:
    for number in range(1, 7):
        house.load(id=number)
    kept = house.completed()
    for number in range(20):
        house.put(f"unknown-{number}/a/0")
    threads = [threading.Thread(target=house.janitor.round) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert house.keys() == {f"{kept.id}/a/0", f"{kept.id}/a/1"}
    snapshot = house.lake.snapshot(LEADS)
    assert snapshot is not None
    assert snapshot.scan(snapshot.files).collect()["id"].sort().to_list() == list(range(1, 7))
    assert {file.path for file in snapshot.files} <= house.lake_files()
