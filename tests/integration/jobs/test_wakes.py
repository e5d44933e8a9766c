"""Which changes wake the workers of all machines. PostgreSQL tells them, SQLite tells nobody."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest

from outhaul.accounts.subscriptions import override_limits
from outhaul.accounts.tokens import Caller
from outhaul.database.engine import Database
from outhaul.database.wakeups import CHANNEL
from outhaul.export.request import ExportRequest
from outhaul.jobs.job import Job
from outhaul.jobs.queue import MAX_ATTEMPTS, Queue
from outhaul.jobs.store import JobStore
from outhaul.limits import Limits
from outhaul.protocol.states import State
from outhaul.settings import Settings
from outhaul.storage.manifest import Manifest, Part

MOMENT = datetime(2026, 1, 31, 12, tzinfo=UTC)
LEASE = timedelta(seconds=30)
SETTINGS = Settings(data=Path("unused"), lease_seconds=LEASE.total_seconds())

pytestmark = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)


@dataclass(frozen=True, kw_only=True)
class Scene:
    """A job of each state that is not an end, and those who change them."""

    database: Database
    jobs: JobStore
    queue: Queue
    created: Job
    queued: Job
    running: Job

    def part(self) -> Part:
        return Part(number=0, key=f"{self.running.id}/0", size=1, records=1)

    def cancel(self, job: Job) -> None:
        self.jobs.cancel("leads", job.id, MOMENT)

    def give_up(self) -> None:
        """Take the running job up until it is Failed."""
        for attempt in range(1, MAX_ATTEMPTS):
            assert self.queue.claim(MOMENT + attempt * LEASE) is not None
        assert self.queue._take_up(MOMENT + MAX_ATTEMPTS * LEASE) is None
        assert self.jobs.get("leads", self.running.id, MOMENT).state is State.FAILED


@pytest.fixture
def scene(
    database: Database, make_caller: Callable[..., Caller], export_request: ExportRequest
) -> Scene:
    jobs, queue = JobStore(database, make_caller(), Limits()), Queue(database, SETTINGS, "worker")
    created, queued, running = (jobs.create("leads", export_request, MOMENT) for _ in range(3))
    jobs.enqueue("leads", running.id, MOMENT)
    claimed = queue.claim(MOMENT)
    assert claimed is not None
    jobs.enqueue("leads", queued.id, MOMENT)
    return Scene(
        database=database,
        jobs=jobs,
        queue=queue,
        created=created,
        queued=queued,
        running=claimed,
    )


@pytest.fixture
def notifications(scene: Scene) -> Iterator[Callable[[], int]]:
    """Return a function that tells how many notifications came since it was last called."""
    url = scene.database.url.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"LISTEN {CHANNEL}")

        def count() -> int:
            # They come in the order of the commits: whatever was sent before this one is there.
            connection.execute("SELECT pg_notify(%s, 'the last')", [CHANNEL])
            found = 0
            for notification in connection.notifies():
                if notification.payload == "the last":
                    break
                found += 1
            return found

        yield count


Change = Callable[[Scene], object]

WAKING: dict[str, Change] = {
    "enqueue": lambda scene: scene.jobs.enqueue("leads", scene.created.id, MOMENT),
    "cancel a running job": lambda scene: scene.cancel(scene.running),
    "publish": lambda scene: scene.queue.publish(
        scene.running.id, Manifest(parts=[scene.part()], checksum="abc"), MOMENT
    ),
    "fail": lambda scene: scene.queue.fail(scene.running.id, "the disk is full", MOMENT),
    "hand back": lambda scene: scene.queue.release(scene.running, counts=False),
    "release after an error": lambda scene: scene.queue.release(scene.running, counts=True),
    "give up": Scene.give_up,
    "change limits": lambda scene: override_limits(
        scene.database, "default", {"processing_jobs": 9}
    ),
}
SILENT: dict[str, Change] = {
    "nothing": lambda _: None,
    "create": lambda scene: scene.jobs.create("leads", scene.created.request, MOMENT),
    "cancel a created job": lambda scene: scene.cancel(scene.created),
    "cancel a queued job": lambda scene: scene.cancel(scene.queued),
    "claim": lambda scene: scene.queue.claim(MOMENT),
    "take up": lambda scene: scene.queue.claim(MOMENT + LEASE),
    "renew": lambda scene: scene.queue.renew(scene.running.id, MOMENT),
    "pin": lambda scene: scene.queue.pin(scene.running.id, {}),
    "publish a part": lambda scene: scene.queue.publish_part(scene.running, scene.part()),
    "drop parts": lambda scene: scene.queue.drop_parts(scene.running.id),
}


@pytest.mark.parametrize("change", WAKING.values(), ids=WAKING)
def test_what_leaves_work_or_room_wakes_workers(
    scene: Scene, notifications: Callable[[], int], change: Change
) -> None:
    change(scene)
    assert notifications() == 1


@pytest.mark.parametrize("change", SILENT.values(), ids=SILENT)
def test_what_leaves_neither_wakes_nobody(
    scene: Scene, notifications: Callable[[], int], change: Change
) -> None:
    change(scene)
    assert notifications() == 0
