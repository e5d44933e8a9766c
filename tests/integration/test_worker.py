"""Jobs end well, whatever goes wrong with an attempt: a worker in this process."""

import hashlib
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from polars.exceptions import PanicException
from tests.support.activities import BODY, Template, fill, on_disk
from tests.support.postgres import Server as PostgreSQL
from tests.support.postgres import transfer
from tests.support.waiting import PATIENCE, wait_for

from outhaul.accounts.tokens import Caller
from outhaul.catalog.store import Catalog
from outhaul.database.engine import Database
from outhaul.database.schema import api_user, export_job
from outhaul.export import render as render_module
from outhaul.export.plan import PartTask
from outhaul.export.request import read_request
from outhaul.jobs.job import Job
from outhaul.jobs.queue import MAX_ATTEMPTS, Queue
from outhaul.jobs.store import JobStore
from outhaul.kinds import find_kind
from outhaul.kinds.filter import Context
from outhaul.limits import Limits
from outhaul.protocol.states import State
from outhaul.settings import Settings
from outhaul.storage.folder import FolderStore
from outhaul.worker import Worker

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks at /proc")

LEASE = timedelta(seconds=30)


@dataclass
class Bench:
    """A worker whose attempts are run one by one, and the one who asks."""

    settings: Settings
    database: Database
    worker: Worker
    jobs: JobStore
    moment: datetime = datetime(2026, 1, 31, tzinfo=UTC)
    seconds: float = 0

    def put(self) -> Job:
        context = Context(
            catalog=Catalog(self.database, "default"), limits=Limits(), moment=self.moment
        )
        job = self.jobs.create(
            "activities", read_request(find_kind("activities", context), BODY, context), self.moment
        )
        return self.jobs.enqueue("activities", job.id, self.moment)

    def attempt(self) -> Job | None:
        """Claim a job, and run it to the end of this attempt."""
        queue = Queue(self.database, self.settings, "bench")
        job = queue.claim(self.moment)
        if job is not None:
            self.worker._run(queue, job)
        return job

    def get(self, job: Job) -> Job:
        return self.jobs.get("activities", job.id, self.moment)

    def content(self, job: Job) -> bytes | None:
        """Return the file as it would be served, if one would be."""
        try:
            _, parts = self.jobs.file("activities", job.id, self.moment)
        except LookupError:
            return None
        files = FolderStore(self.settings.files_folder)
        return b"".join(files.read(key, 0, size) for key, size in parts if size)

    def check_whole(self, job: Job) -> None:
        """Hold a Completed job's file against what the job says of it."""
        done, content = self.get(job), self.content(job)
        assert content is not None
        assert done.state is State.COMPLETED
        assert done.checksum == hashlib.sha256(content).hexdigest()
        assert (done.file_size, done.records) == (len(content), 200)
        assert [line[:9] for line in content.splitlines()[1:]] == [b"%09d" % n for n in range(200)]
        stored = sum(
            path.stat().st_size for path in on_disk(self.settings.lake_folder.parent, job.id)
        )
        assert stored == len(content)

    def check_hidden(self, job: Job) -> None:
        """Hold what an attempt has left for the next one against what is known of it."""
        assert self.content(job) is None
        left = Queue(self.database, self.settings, "bench").parts(job.id)
        folder = self.settings.files_folder
        stored = {
            path.relative_to(folder).as_posix()
            for path in on_disk(self.settings.lake_folder.parent)
        }
        assert stored == {part.key for part in left}

    def check_nothing(self, job: Job) -> None:
        assert self.content(job) is None
        assert on_disk(self.settings.lake_folder.parent) == []


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Template:
    return fill(tmp_path_factory.mktemp("small"), 200)


@pytest.fixture(params=["sqlite", "postgresql"])
def bench(small: Template, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Bench]:
    data = small.copy(tmp_path / "data")
    url = Settings(data=data).database_url
    if request.param == "postgresql":
        server: PostgreSQL = request.getfixturevalue("postgresql")
        target = server.create()
        transfer(url, target)
        url = target
    settings = Settings(
        data=data,
        database_url=url,
        listen_seconds=3_600,
        part_records=20,
        part_threads=2,
        workers=2,
        poll_seconds=0.005,
        lease_seconds=LEASE.total_seconds(),
    )
    database = Database(settings.database_url)
    with database.read() as connection:
        user = connection.execute(sa.select(api_user.c.id)).scalar_one()
    caller = Caller(subscription="default", limit_overrides={}, user=user, permissions=frozenset())
    worker = Worker(settings, clock=lambda: made.moment, timer=lambda: made.seconds, name="bench")
    made = Bench(settings, database, worker, JobStore(database, caller, Limits()))
    yield made
    worker.close()
    database.close()
    if request.param == "postgresql":
        server.drop(url)


@contextmanager
def at_work(worker: Worker) -> Iterator[None]:
    """Run a worker beside."""
    thread = threading.Thread(target=worker.run)
    thread.start()
    try:
        yield
    finally:
        worker.stop()
        thread.join(PATIENCE)
        assert not thread.is_alive()


STEPS: list[tuple[Any, str]] = [
    (sys.modules["outhaul.worker"], "make_plan"),
    (Queue, "pin"),
    (render_module, "render_part"),
    (FolderStore, "read"),
    (Queue, "publish_part"),
    (Queue, "publish"),
]
"""What an attempt does, one after the other."""


def break_at(  # noqa: PLR0913 - where, when and how
    monkeypatch: pytest.MonkeyPatch,
    where: Any,
    name: str,
    error: type[BaseException] = OSError,
    *,
    after: bool = False,
    call: int = 0,
    times: int = 1,
) -> None:
    """Raise an error at some calls of a function: before it does its work, or after."""
    original = getattr(where, name)
    lock = threading.Lock()
    count = -1

    def broken(*args: Any, **kwargs: Any) -> Any:
        nonlocal count
        with lock:
            count += 1
            breaks = call <= count < call + times
        if breaks and not after:
            raise error("failpoint")
        result = original(*args, **kwargs)
        if breaks:
            raise error("failpoint")
        return result

    monkeypatch.setattr(where, name, broken)


@pytest.mark.parametrize("error", [OSError, PanicException])
@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("bench", ["sqlite"], indirect=True)  # test_deaths.py has both
@pytest.mark.parametrize(("where", "name"), STEPS, ids=lambda value: str(value)[:12])
def test_an_error_at_any_step_is_followed_by_another_attempt(  # noqa: PLR0913, PLR0917
    bench: Bench,
    monkeypatch: pytest.MonkeyPatch,
    where: Any,
    name: str,
    after: bool,
    error: type[BaseException],
) -> None:
    job = bench.put()
    # Not the first part, so that others are there.
    call = 4 if name in {"render_part", "read", "publish_part"} else 0
    break_at(monkeypatch, where, name, error, after=after, call=call)
    bench.attempt()
    if name == "publish" and after:
        bench.check_whole(job)  # it had been committed
        assert bench.attempt() is None
        return
    assert bench.get(job).state is State.PROCESSING
    bench.check_hidden(job)
    again = bench.attempt()
    assert again is not None
    assert (again.id, again.attempts) == (job.id, 2)
    bench.check_whole(job)


@pytest.mark.parametrize("bench", ["sqlite"], indirect=True)  # test_deaths.py has both
@pytest.mark.parametrize(("where", "name"), STEPS, ids=lambda value: str(value)[:12])
def test_a_job_is_given_up_after_three_attempts(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, where: Any, name: str
) -> None:
    job = bench.put()
    break_at(monkeypatch, where, name, times=10_000)
    for _ in range(MAX_ATTEMPTS):
        assert bench.get(job).state in (State.QUEUED, State.PROCESSING)
        bench.attempt()
        if bench.get(job).state is State.PROCESSING:
            bench.check_hidden(job)
    bench.check_nothing(job)
    failed = bench.get(job)
    assert failed.state is State.FAILED
    assert failed.error_message == "Gave up after 3 attempts: OSError: failpoint"
    assert bench.attempt() is None


def test_an_attempt_renders_what_those_before_have_not(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = bench.put()
    render, rendered, broken = render_module.render_part, list[int](), set[int]()

    def render_part(task: PartTask, *rest: Any) -> int:
        if task.number in broken:
            broken.remove(task.number)
            raise OSError("failpoint")
        rendered.append(task.number)
        return render(task, *rest)

    monkeypatch.setattr(render_module, "render_part", render_part)
    for published in (4, 7):
        broken.add(published)
        bench.attempt()
        queue = Queue(bench.database, bench.settings, "bench")
        assert [part.number for part in queue.parts(job.id)] == list(range(published))
        bench.check_hidden(job)
        rendered.clear()
    bench.attempt()
    assert sorted(rendered) == [7, 8, 9]
    bench.check_whole(job)


def test_what_an_attempt_has_left_and_is_gone_is_rendered_again(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = bench.put()
    break_at(monkeypatch, Queue, "publish", times=1)
    bench.attempt()
    on_disk(bench.settings.lake_folder.parent, job.id)[3].unlink()
    bench.attempt()
    assert bench.content(job) is None, "this attempt finds it missing, and drops the rest"
    bench.attempt()
    bench.check_whole(job)


def test_every_attempt_reads_the_same(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    job = bench.put()
    queue = Queue(bench.database, bench.settings, "bench")
    break_at(monkeypatch, Queue, "publish", times=2)
    plans = []
    for _ in range(2):
        bench.attempt()
        plans.append(queue.plan(job.id))
    assert plans[0] == plans[1] is not None
    bench.attempt()
    bench.check_whole(job)


def test_where_the_database_is_away_the_lease_runs_out(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = bench.put()
    for name in ("publish", "release", "state_and_keys"):
        break_at(monkeypatch, Queue, name, ConnectionError)
    with pytest.raises(ConnectionError):
        bench.attempt()
    assert bench.get(job).state is State.PROCESSING
    assert bench.content(job) is None
    assert bench.attempt() is None
    bench.moment += LEASE
    bench.attempt()
    bench.check_whole(job)  # and what the first attempt could not remove is gone


def test_a_published_file_stays_where_the_database_cannot_say_that_it_is(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = bench.put()
    break_at(monkeypatch, Queue, "publish", ConnectionError, after=True)
    break_at(monkeypatch, Queue, "state_and_keys", ConnectionError)
    with pytest.raises(ConnectionError):
        bench.attempt()
    bench.check_whole(job)


def test_a_worker_outlives_errors_of_the_queue_and_of_attempts(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = [bench.put() for _ in range(4)]
    break_at(monkeypatch, Queue, "claim", ConnectionError, times=5)
    break_at(monkeypatch, render_module, "render_part", PanicException, call=3, times=2)
    break_at(monkeypatch, Queue, "state_and_keys", ConnectionError)
    with at_work(bench.worker):
        wait_for(lambda: all(bench.get(job).state.ended for job in jobs))
    for job in jobs:
        bench.check_whole(job)


def _hold(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Let parts be rendered without end; return what is set when one is begun."""
    begun = threading.Event()

    def render(*args: Any) -> int:
        *_, target, check = args
        target.write(bytes(20 * 2**20))
        begun.set()
        while True:
            check()
            time.sleep(0.005)

    monkeypatch.setattr(render_module, "render_part", render)
    return begun


def test_a_worker_that_is_stopped_hands_its_job_back(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = bench.put()
    with monkeypatch.context() as held:
        begun = _hold(held)
        with at_work(bench.worker):
            assert begun.wait(PATIENCE)
    bench.check_nothing(job)
    assert (bench.get(job).state, bench.get(job).attempts) == (State.PROCESSING, 0)
    other = Worker(bench.settings, clock=lambda: bench.moment)
    with at_work(other):
        wait_for(lambda: bench.get(job).state.ended)
    bench.check_whole(job)


def test_a_worker_goes_on_when_a_job_is_cancelled_or_taken_away(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    cancelled, taken = bench.put(), bench.put()
    begun = _hold(monkeypatch)
    with at_work(bench.worker):
        assert begun.wait(PATIENCE)
        wait_for(lambda: bench.get(taken).state is State.PROCESSING)
        bench.jobs.cancel("activities", cancelled.id, bench.moment)
        with bench.database.write() as connection:
            connection.execute(
                export_job.update()
                .where(export_job.c.id == taken.id)
                .values(lease_owner="another worker")
            )
        wait_for(lambda: on_disk(bench.settings.lake_folder.parent) == [])
        assert bench.content(cancelled) is None
        assert bench.get(taken).attempts == 1
        monkeypatch.undo()
        third = bench.put()
        wait_for(lambda: bench.get(third).state.ended)
    bench.check_whole(third)


def test_a_lease_is_renewed_for_as_long_as_the_job_runs(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = bench.put()
    begun = _hold(monkeypatch)

    def held_until() -> datetime:
        with bench.database.read() as connection:
            found: datetime = connection.execute(sa.select(export_job.c.lease_until)).scalar_one()
            return found

    with at_work(bench.worker):
        assert begun.wait(PATIENCE)
        for _ in range(3):
            # Whatever the clock says: it may be set back, and stays so for a while.
            bench.moment -= LEASE / 2
            bench.seconds += LEASE.total_seconds() / 2
            wait_for(lambda: held_until() - bench.moment == LEASE)
        assert bench.get(job).attempts == 1
        bench.jobs.cancel("activities", job.id, bench.moment)
        wait_for(lambda: on_disk(bench.settings.lake_folder.parent) == [])


def test_a_job_that_ends_every_worker_is_failed(bench: Bench) -> None:
    job = bench.put()
    queue = Queue(bench.database, bench.settings, "dying")
    for _ in range(MAX_ATTEMPTS):
        assert queue.claim(bench.moment) is not None
        bench.moment += LEASE
    assert bench.attempt() is None
    assert bench.get(job).state is State.FAILED
    bench.check_nothing(job)


def test_a_job_of_a_kind_that_the_worker_does_not_know_fails_and_says_so(bench: Bench) -> None:
    """The server has a package with a kind, and the worker has it not."""
    context = Context(
        catalog=Catalog(bench.database, "default"), limits=Limits(), moment=bench.moment
    )
    request = read_request(find_kind("activities", context), BODY, context)
    job = bench.jobs.create("opportunities", request, bench.moment)
    bench.jobs.enqueue("opportunities", job.id, bench.moment)
    for _ in range(MAX_ATTEMPTS):
        assert bench.attempt() is not None
    failed = bench.jobs.get("opportunities", job.id, bench.moment)
    assert failed.state is State.FAILED
    assert "KindError: the kind 'opportunities' is unknown here" in (failed.error_message or "")
