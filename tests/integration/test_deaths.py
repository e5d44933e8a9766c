"""What becomes of a job whose worker dies at any point, stands still, or has to end."""

import hashlib
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import obstore
import pytest
import sqlalchemy as sa
from tests.support.failpoints import stop_while_stopping
from tests.support.sites import PART_RECORDS, Fleet, Process, Site, killed, site
from tests.support.waiting import wait_for

from outhaul.accounts.tokens import Caller
from outhaul.cli.console import set_up_logging
from outhaul.clock import now
from outhaul.database.schema import api_user
from outhaul.export import render
from outhaul.export.plan import PartTask, Plan
from outhaul.export.render import render_part
from outhaul.export.request import read_request
from outhaul.jobs.job import Job
from outhaul.jobs.queue import MAX_ATTEMPTS, Queue
from outhaul.jobs.store import JobStore
from outhaul.kinds import find_kind
from outhaul.kinds.activities import ACTIVITIES
from outhaul.limits import Limits
from outhaul.protocol.states import State
from outhaul.storage.opening import open_files
from outhaul.worker import Worker

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks at /proc")

WINDOW = {"startAt": "2025-12-22T00:00:00Z", "endAt": "2026-01-20T23:59:59Z"}
BODY: dict[str, Any] = {"filter": {"createdAt": WINDOW}}
LEADS: dict[str, Any] = {"fields": ["id", "email"], "filter": {"createdAt": WINDOW}}
"""What a worker has to hand back its jobs."""


@dataclass(frozen=True, kw_only=True)
class Desk:
    """One who asks for exports, and takes over those that were begun."""

    site: Site
    jobs: JobStore
    worker: Worker
    expected: bytes

    def put(self, kind: str = "activities", body: dict[str, Any] = BODY) -> Job:
        context = self.site.context("default")
        request = read_request(find_kind(kind, context), body, context)
        job = self.jobs.create(kind, request, now())
        return self.jobs.enqueue(kind, job.id, now())

    def get(self, job: Job) -> Job:
        return self.jobs.get(job.kind, job.id, now())

    @property
    def queue(self) -> Queue:
        return Queue(self.site.database, self.site.settings, "desk")

    def attempt(self, after: timedelta = timedelta()) -> Job | None:
        """Claim a job some time from now, and run it to the end of this attempt."""
        queue = self.queue
        job = queue.claim(now() + after)
        if job is not None:
            self.worker._run(queue, job)
        return job

    def stored(self, job: Job) -> set[str]:
        files = open_files(self.site.settings)
        return {entry.key for entry in files.list() if entry.key.startswith(job.id)}

    def content(self, job: Job) -> bytes | None:
        """Return the file as it would be served, if one would be."""
        try:
            _, parts = self.jobs.file(job.kind, job.id, now())
        except LookupError:
            return None
        files = open_files(self.site.settings)
        return b"".join(files.read(key, 0, size) for key, size in parts if size)

    def check_whole(self, job: Job) -> None:
        done = self.get(job)
        assert done.state is State.COMPLETED
        assert self.content(job) == self.expected
        assert done.checksum == hashlib.sha256(self.expected).hexdigest()
        assert done.file_size == len(self.expected)
        assert done.records == self.expected.count(b"\n") - 1
        assert self.stored(job) == {part.key for part in self.queue.parts(job.id)}


@pytest.fixture(scope="module", params=["folder", "bucket"])
def place(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("site")
    if request.param == "folder":
        with site(folder) as made:
            yield made
        return
    postgresql = request.getfixturevalue("postgresql")
    url, bucket = postgresql.create(), request.getfixturevalue("object_store").bucket()
    bucket.make()
    with site(folder, url, bucket) as made:
        yield made
    postgresql.drop(url)


@pytest.fixture(scope="module")
def desk(place: Site) -> Iterator[Desk]:
    place.service("etl@example.com", "default")
    with place.database.read() as connection:
        user = connection.execute(sa.select(api_user.c.id)).scalar_one()
    caller = Caller(subscription="default", limit_overrides={}, user=user, permissions=frozenset())
    worker = Worker(place.settings, name="desk")
    yield Desk(
        site=place,
        jobs=JobStore(place.database, caller, Limits()),
        worker=worker,
        expected=place.rendered("default", "activities", BODY)[0],
    )
    worker.close()


@pytest.fixture(autouse=True)
def plain_events() -> None:
    """Write events as processes do: the values of all variables would fill pages."""
    set_up_logging()


@pytest.fixture
def fleet(place: Site, tmp_path: Path) -> Iterator[Fleet]:
    with Fleet(place, tmp_path) as running:
        yield running


AMID = 4
"""A call of what is done once a part, when some parts are there already."""

POINTS = [
    ("make_plan:before", 0),
    ("make_plan:after", 0),
    ("pin:before", 0),
    ("pin:after", 0),
    ("render_part:before", AMID),
    ("render_part:after", AMID),
    ("write_part:after", AMID),
    ("publish_part:before", AMID),
    ("insert_part:after", AMID),
    ("publish_part:after", AMID),
    ("publish:before", 0),
    ("wake_workers:after", 0),
    ("publish:after", 0),
    ("clean_up:before", 0),
    ("clean_up:after", 0),
]
PUBLISHED = {"publish:after", "clean_up:before", "clean_up:after"}


@pytest.mark.parametrize(("point", "call"), POINTS)
def test_a_job_is_done_whole_or_not_seen_wherever_its_worker_is_killed(
    desk: Desk, fleet: Fleet, point: str, call: int
) -> None:
    job = desk.put()
    killed(fleet.fail(point, call, signal.SIGKILL))
    if point in PUBLISHED:
        desk.check_whole(job)
        assert desk.attempt(timedelta(hours=1)) is None
        return
    assert desk.get(job).state is State.PROCESSING
    assert desk.content(job) is None
    left = desk.queue.parts(job.id)
    assert {part.key for part in left} <= desk.stored(job)
    assert desk.queue.claim(now() - timedelta(hours=1)) is None, "it holds its lease"
    again = desk.attempt(timedelta(hours=1))
    assert again is not None
    assert (again.id, again.attempts) == (job.id, 1 if left else 2)
    desk.check_whole(job)
    assert left == desk.queue.parts(job.id)[: len(left)], "what was there is rendered once"


@pytest.mark.parametrize(("point", "call"), [("publish_part:before", AMID), ("publish:before", 0)])
def test_a_worker_that_stands_still_for_too_long_cannot_publish(
    desk: Desk, fleet: Fleet, point: str, call: int
) -> None:
    job = desk.put()
    paused = fleet.fail(point, call, signal.SIGSTOP)
    wait_for(lambda: is_paused(paused))
    # Its lease runs out by itself.
    again = wait_for(desk.attempt)
    assert again.id == job.id
    desk.check_whole(job)
    before, parts = desk.get(job), desk.queue.parts(job.id)
    paused.send_signal(signal.SIGCONT)
    wait_for(lambda: paused.has_said("attempt stopped"))
    following = desk.put()
    wait_for(lambda: desk.get(following).state.ended)
    desk.check_whole(following)
    paused.end()
    desk.check_whole(job)
    assert (desk.get(job), desk.queue.parts(job.id)) == (before, parts)


def is_paused(process: Process) -> bool:
    assert process.runs, process.log.read_text()
    state = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[0]
    return state == "T"


def test_a_worker_that_has_to_end_hands_a_long_job_back_with_its_parts(
    desk: Desk, fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = desk.put()
    worker = fleet.work(OUTHAUL_PART_RECORDS=str(PART_RECORDS // 20))
    wait_for(lambda: desk.queue.parts(job.id))
    worker.end()
    handed_back = desk.get(job)
    assert (handed_back.state, handed_back.attempts) == (State.PROCESSING, 0)
    assert desk.content(job) is None
    kept = desk.queue.parts(job.id)
    assert desk.stored(job) == {part.key for part in kept}

    rendered: list[int] = []

    def noted(task: PartTask, *rest: Any) -> int:
        rendered.append(task.number)
        return render_part(task, *rest)

    monkeypatch.setattr(render, "render_part", noted)
    pinned = desk.queue.plan(job.id)
    assert pinned is not None
    again = desk.attempt()
    assert again is not None
    assert (again.id, again.attempts) == (job.id, 1)
    assert sorted(rendered) == list(range(len(kept), Plan.from_json(pinned).part_count))
    desk.check_whole(job)


def test_a_worker_ends_whichever_of_its_threads_the_signal_interrupts(
    desk: Desk, fleet: Fleet
) -> None:
    job = desk.put()
    worker = fleet.fail("render_part:before", AMID, signal.SIGTERM)
    assert worker.wait() == 0, worker.log.read_text()
    desk.attempt()  # unless the worker was done with it
    desk.check_whole(job)


def test_a_worker_that_is_told_twice_to_end_ends(fleet: Fleet) -> None:
    worker = fleet.work(first=stop_while_stopping)
    wait_for(worker.handles_signals)
    worker.end()


# The lake


@dataclass(frozen=True, kw_only=True)
class LakeFile:
    """A file of the activities, which can be gone or damaged for a while."""

    name: str
    content: bytes
    put: Callable[[bytes], object]
    delete: Callable[[], object]

    def spoil(self, how: str) -> None:
        if how == "gone":
            self.delete()
        else:
            self.put(self.content[: len(self.content) // 2] + b"something else")

    def mend(self) -> None:
        self.put(self.content)


@pytest.fixture
def lake_file(place: Site) -> Iterator[LakeFile]:
    where = place.lake("default").location / "activities"
    snapshot = place.lake("default").snapshot(ACTIVITIES.table)
    assert snapshot is not None
    path = snapshot.files[len(snapshot.files) // 2].path
    name = path.rpartition("/")[2]
    if where.folder is not None:
        file = where.folder / path
        found = LakeFile(
            name=name, content=file.read_bytes(), put=file.write_bytes, delete=file.unlink
        )
    else:
        bucket = where.bucket(timedelta(seconds=10))
        found = LakeFile(
            name=name,
            content=obstore.get(bucket, path).bytes().to_bytes(),
            put=lambda content: obstore.put(bucket, path, content),
            delete=lambda: obstore.delete(bucket, path),
        )
    yield found
    found.mend()


@pytest.mark.parametrize("how", ["gone", "damaged"])
def test_a_job_whose_records_cannot_be_read_fails_with_the_file_named(
    desk: Desk, lake_file: LakeFile, how: str
) -> None:
    lake_file.spoil(how)
    job, following = desk.put(), desk.put("leads", LEADS)
    for attempt in range(MAX_ATTEMPTS):
        begun = desk.attempt()
        assert begun is not None
        assert (begun.id, begun.attempts) == (job.id, attempt + 1)
    failed = desk.get(job)
    assert failed.state is State.FAILED
    assert failed.error_message is not None
    assert failed.error_message.startswith("Gave up after 3 attempts: ")
    assert lake_file.name in failed.error_message
    assert desk.stored(job) == set()
    assert desk.attempt() is not None
    assert desk.get(following).state is State.COMPLETED, "the queue goes on"


@pytest.mark.parametrize("how", ["gone", "damaged"])
def test_a_job_goes_on_when_its_records_are_back(desk: Desk, lake_file: LakeFile, how: str) -> None:
    lake_file.spoil(how)
    job = desk.put()
    for _ in range(MAX_ATTEMPTS - 1):
        assert desk.attempt() is not None
        assert desk.get(job).state is State.PROCESSING
    kept = desk.queue.parts(job.id)
    assert kept, "those before the file"
    lake_file.mend()
    desk.attempt()
    desk.check_whole(job)
    assert desk.queue.parts(job.id)[: len(kept)] == kept
