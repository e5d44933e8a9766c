"""Many who act on one subscription at the same moment, each by connections of its own."""

from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Barrier, Event

import pytest
import sqlalchemy as sa
from tests.support.waiting import PATIENCE

from outhaul.accounts.tokens import Caller
from outhaul.database import engine
from outhaul.database.engine import Database
from outhaul.database.schema import export_job
from outhaul.errors import ApiError, Error
from outhaul.export.request import ExportRequest
from outhaul.jobs.job import Job
from outhaul.jobs.queue import MAX_ATTEMPTS, LeaseLostError, Queue
from outhaul.jobs.retention import Retention
from outhaul.jobs.store import JobStore
from outhaul.limits import Limits
from outhaul.protocol.states import State
from outhaul.settings import Settings
from outhaul.storage.manifest import Manifest, Part

MOMENT = datetime(2026, 1, 31, 18, tzinfo=UTC)
LEASE = timedelta(seconds=30)
SETTINGS = Settings(data=Path("unused"), lease_seconds=LEASE.total_seconds())
OPEN = Limits(queued_jobs=None, daily_export_mb=None)
MANY = 6

MakeCaller = Callable[..., Caller]


@pytest.fixture
def machines(database: Database, database_url: str) -> Iterator[list[Database]]:
    """Databases that share nothing but the one that they are, as processes on machines do."""
    database.migrate()
    with ExitStack() as stack:
        opened = [Database(database_url) for _ in range(MANY)]
        for each in opened:
            stack.callback(each.close)
        yield opened


def manifest(job_id: str, megabytes: int = 0) -> Manifest:
    part = Part(number=0, key=f"{job_id}/0", size=megabytes * 1_000_000, records=1)
    return Manifest(parts=[part], checksum="abc")


def goes_well(refusal: Error, call: Callable[..., object], *given: object) -> bool:
    """Make a call; return false where it is refused with the error that it may be."""
    try:
        call(*given)
    except ApiError as error:
        if error.error is not refusal:
            raise
        return False
    return True


def states(database: Database) -> Counter[str]:
    with database.read() as connection:
        return Counter(connection.execute(sa.select(export_job.c.state)).scalars())


def test_a_queue_never_has_more_than_its_limit(
    machines: list[Database], make_caller: MakeCaller, export_request: ExportRequest
) -> None:
    callers = [make_caller(f"{n}@example.com") for n in range(2)]
    for _ in range(3):
        made = []
        for n in range(4 * MANY):
            store = JobStore(machines[n % MANY], callers[n % 2], Limits(queued_jobs=10))
            made.append((store, store.create("leads", export_request, MOMENT)))
        barrier = Barrier(MANY)

        def enqueue(n: int, made: list[tuple[JobStore, Job]] = made, at: Barrier = barrier) -> int:
            at.wait()
            return sum(
                goes_well(Error.QUEUE_FULL, store.enqueue, "leads", job.id, MOMENT)
                for store, job in made[n::MANY]
            )

        with ThreadPoolExecutor(MANY) as pool:
            assert sum(pool.map(enqueue, range(MANY))) == 10
        assert states(machines[0])["Queued"] == 10
        for store, job in made:
            store.cancel("leads", job.id, MOMENT)


def test_a_job_is_enqueued_once(
    machines: list[Database], make_caller: MakeCaller, export_request: ExportRequest
) -> None:
    caller = make_caller()
    for limits in (OPEN, Limits()):
        stores = [JobStore(machine, caller, limits) for machine in machines]
        job = stores[0].create("leads", export_request, MOMENT)
        barrier = Barrier(MANY)

        def enqueue(store: JobStore, job: Job = job, at: Barrier = barrier) -> bool:
            at.wait()
            return goes_well(Error.ALREADY_QUEUED, store.enqueue, "leads", job.id, MOMENT)

        with ThreadPoolExecutor(MANY) as pool:
            assert sum(pool.map(enqueue, stores)) == 1


@pytest.mark.parametrize("limit", [1, 2, None])
def test_no_job_is_claimed_twice_and_no_subscription_runs_more_than_its_limit(
    machines: list[Database],
    make_caller: MakeCaller,
    export_request: ExportRequest,
    limit: int | None,
) -> None:
    settings = SETTINGS.model_copy(update={"limit_overrides": {"processing_jobs": limit}})
    waiting = set()
    for n, of in enumerate(("default", "default", "north")):
        store = JobStore(machines[0], make_caller(f"{n}@example.com", of=of), OPEN)
        for _ in range(6):
            job = store.create("leads", export_request, MOMENT)
            waiting.add(store.enqueue("leads", job.id, MOMENT).id)
    barrier = Barrier(MANY)
    claimed: list[str] = []
    most: list[int] = []

    def work(n: int) -> None:
        queue = Queue(machines[n], settings, f"worker {n}")
        barrier.wait()
        while states(machines[n])["Queued"]:
            job = queue.claim(MOMENT)
            with machines[n].read() as connection:
                running = sa.select(export_job.c.subscription).where(
                    export_job.c.state == State.PROCESSING.value
                )
                most.extend(Counter(connection.execute(running).scalars()).values())
            if job is not None:
                claimed.append(job.id)
                queue.publish(job.id, manifest(job.id), MOMENT)

    with ThreadPoolExecutor(MANY) as pool:
        list(pool.map(work, range(MANY)))
    assert sorted(claimed) == sorted(waiting)
    assert limit is None or max(most) <= limit


def test_whoever_finds_a_free_place_takes_it_though_others_look_at_once(
    machines: list[Database], make_caller: MakeCaller, export_request: ExportRequest
) -> None:
    # A worker that gave up because another was looking would wait for nothing.
    store = JobStore(machines[0], make_caller(), OPEN)
    settings = SETTINGS.model_copy(update={"limits": "open"})
    for _ in range(3):
        for _ in range(MANY):
            job = store.create("leads", export_request, MOMENT)
            store.enqueue("leads", job.id, MOMENT)
        barrier = Barrier(MANY)

        def claim(n: int, at: Barrier = barrier) -> Job | None:
            at.wait()
            return Queue(machines[n], settings, f"worker {n}").claim(MOMENT)

        with ThreadPoolExecutor(MANY) as pool:
            found = [job.id for job in pool.map(claim, range(MANY)) if job is not None]
        assert len(set(found)) == MANY


def test_abandoned_jobs_are_taken_up_once_each_and_given_up_once(
    machines: list[Database], make_caller: MakeCaller, export_request: ExportRequest
) -> None:
    store = JobStore(machines[0], make_caller(), OPEN)
    settings = SETTINGS.model_copy(update={"limits": "open"})
    dead = Queue(machines[0], settings, "dead")
    for _ in range(MANY):
        job = store.create("leads", export_request, MOMENT)
        store.enqueue("leads", job.id, MOMENT)
        assert dead.claim(MOMENT) is not None
    with machines[0].write() as connection:
        spent = sa.select(export_job.c.id).order_by(export_job.c.id).limit(2).scalar_subquery()
        connection.execute(export_job.update().where(export_job.c.id.in_(spent)).values(attempts=3))
    barrier = Barrier(MANY)

    def take(n: int) -> list[str]:
        queue = Queue(machines[n], settings, f"worker {n}")
        barrier.wait()
        found = []
        while (job := queue.claim(MOMENT + timedelta(seconds=30))) is not None:
            found.append(job.id)
        return found

    with ThreadPoolExecutor(MANY) as pool:
        taken = [job for found in pool.map(take, range(MANY)) for job in found]
    assert len(taken) == len(set(taken)) == MANY - 2
    assert states(machines[0]) == {"Processing": MANY - 2, "Failed": 2}


def test_the_quota_is_exact_while_files_are_published(
    machines: list[Database], make_caller: MakeCaller, export_request: ExportRequest
) -> None:
    caller, limits = make_caller(), Limits(daily_export_mb=10)
    settings = SETTINGS.model_copy(update={"limits": "open"})
    queue = Queue(machines[0], settings, "worker")
    free = JobStore(machines[0], caller, OPEN)
    for _ in range(5):
        job = free.create("leads", export_request, MOMENT)
        free.enqueue("leads", job.id, MOMENT)
        assert queue.claim(MOMENT) is not None
    with machines[0].read() as connection:
        running = list(connection.execute(sa.select(export_job.c.id)).scalars())
    published = Event()

    def ask(n: int) -> tuple[int, int]:
        """Create jobs as fast as can be; return how many before and after the last file."""
        store = JobStore(machines[n], caller, limits)
        counts = [0, 0]
        for _ in range(200):
            over = published.is_set()
            if not goes_well(Error.QUOTA_EXCEEDED, store.create, "leads", export_request, MOMENT):
                break
            counts[over] += 1
        return counts[0], counts[1]

    with ThreadPoolExecutor(MANY) as pool:
        asked = [pool.submit(ask, n) for n in range(1, 4)]
        for job_id in running:
            queue.publish(job_id, manifest(job_id, megabytes=2), MOMENT)
        published.set()
        assert [each.result()[1] for each in asked] == [0, 0, 0]
    with pytest.raises(ApiError, match="Export daily quota 10MB exceeded"):
        JobStore(machines[5], caller, limits).create("leads", export_request, MOMENT)


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_a_file_is_not_published_between_a_look_at_the_quota_and_what_comes_of_it(
    machines: list[Database],
    make_caller: MakeCaller,
    export_request: ExportRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    store = JobStore(machines[0], make_caller(), Limits(daily_export_mb=10))
    queue = Queue(machines[1], SETTINGS, "worker")
    job = store.create("leads", export_request, MOMENT)
    store.enqueue("leads", job.id, MOMENT)
    assert queue.claim(MOMENT) is not None
    looked, go_on = Event(), Event()
    check = JobStore._check_quota

    def look(*given: object) -> None:
        check(*given)  # type: ignore[arg-type]
        looked.set()
        assert go_on.wait(PATIENCE)

    monkeypatch.setattr(JobStore, "_check_quota", look)
    with ThreadPoolExecutor(2) as pool:
        created = pool.submit(store.create, "leads", export_request, MOMENT)
        assert looked.wait(PATIENCE)
        publishing = pool.submit(queue.publish, job.id, manifest(job.id), MOMENT)
        waits = sa.text("SELECT count(*) FROM pg_locks WHERE NOT granted")
        with machines[2].write() as connection:
            while not connection.execute(waits).scalar_one():
                assert not publishing.done()
        go_on.set()
        assert created.result().state is State.CREATED
        publishing.result()


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_a_job_cannot_change_while_it_is_decided_whether_it_may(
    machines: list[Database],
    make_caller: MakeCaller,
    export_request: ExportRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    store = JobStore(machines[0], make_caller(), OPEN)
    job = store.create("leads", export_request, MOMENT)
    tried = []

    def change() -> None:
        with machines[1].write() as connection:
            connection.execute(sa.text("SET LOCAL lock_timeout = '50ms'"))
            connection.execute(export_job.update().values(state=State.CANCELLED.value))

    def meanwhile(*_: object) -> None:
        with pytest.raises(sa.exc.OperationalError):
            change()
        tried.append(job.id)

    # It is known by now in which state the job is.
    monkeypatch.setattr(JobStore, "_check_quota", meanwhile)
    assert store.enqueue("leads", job.id, MOMENT).state is State.QUEUED
    assert tried == [job.id]


@contextmanager
def locked(machine: Database, job: Job) -> Iterator[None]:
    """Hold the row of a job, as one does who is about to change it."""
    with machine.write() as connection:
        connection.execute(
            sa.select(export_job.c.id).where(export_job.c.id == job.id).with_for_update()
        )
        yield


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_nobody_waits_for_a_job_that_another_is_about_to_change(
    machines: list[Database],
    make_caller: MakeCaller,
    export_request: ExportRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(engine, "BUSY_MILLISECONDS", 200)  # whoever waits fails soon
    store = JobStore(machines[0], make_caller(), OPEN)
    first, second = (store.create("leads", export_request, MOMENT) for _ in range(2))
    for n, job in enumerate((first, second)):
        store.enqueue("leads", job.id, MOMENT + timedelta(seconds=n))
    queue = Queue(machines[1], SETTINGS, "worker")

    with locked(machines[0], first):  # by its owner, who cancels it
        claimed = queue.claim(MOMENT)
    assert claimed is not None
    assert claimed.id == second.id
    store.cancel("leads", first.id, MOMENT)

    with locked(machines[0], second):  # by its worker, which renews its lease
        assert queue.claim(MOMENT + LEASE) is None
    with machines[2].write() as connection:
        connection.execute(export_job.update().values(attempts=MAX_ATTEMPTS))
    with locked(machines[0], second):
        assert queue.claim(MOMENT + LEASE) is None
    assert store.get("leads", second.id, MOMENT).state is State.PROCESSING

    retention = Retention(machines[1], SETTINGS)
    days = timedelta(days=Limits().status_days)
    with locked(machines[0], first):  # by another janitor, which deletes it
        assert retention.forget(MOMENT + days) == 0
    assert retention.forget(MOMENT + days) == 1


def test_a_job_that_another_took_over_meanwhile_is_not_published(
    machines: list[Database], make_caller: MakeCaller, export_request: ExportRequest
) -> None:
    store = JobStore(machines[0], make_caller(), OPEN)
    for _ in range(5):
        job = store.create("leads", export_request, MOMENT)
        store.enqueue("leads", job.id, MOMENT)
        first, second = (Queue(machines[n], SETTINGS, f"worker {n}") for n in range(2))
        assert first.claim(MOMENT) is not None
        barrier = Barrier(2)

        def publish(queue: Queue, job: Job = job, at: Barrier = barrier) -> bool:
            at.wait()
            try:
                queue.publish(job.id, manifest(job.id), MOMENT)
            except LeaseLostError:
                return False
            return True

        def take(queue: Queue, at: Barrier = barrier) -> bool:
            at.wait()
            return queue.claim(MOMENT + timedelta(seconds=30)) is not None

        with ThreadPoolExecutor(2) as pool:
            published, taken = pool.submit(publish, first), pool.submit(take, second)
        assert published.result() != taken.result()
        if taken.result():
            second.fail(job.id, "over", MOMENT)
