from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Barrier, Lock

import pytest
import sqlalchemy as sa

from outhaul.accounts.tokens import Caller
from outhaul.database.engine import Database
from outhaul.database.schema import export_job, export_part, export_plan, subscription
from outhaul.errors import ApiError
from outhaul.export.request import ExportRequest
from outhaul.jobs.job import Job
from outhaul.jobs.queue import MAX_ATTEMPTS, LeaseLostError, Queue
from outhaul.jobs.store import JobStore
from outhaul.limits import Limits
from outhaul.protocol.states import State
from outhaul.settings import Settings
from outhaul.storage.manifest import Manifest, Part

MOMENT = datetime(2026, 1, 31, 12, tzinfo=UTC)
SETTINGS = Settings(data=Path("unused"), lease_seconds=30)
OPEN = Limits(queued_jobs=None, daily_export_mb=None)
MakeCaller = Callable[..., Caller]


def later(seconds: float) -> datetime:
    return MOMENT + timedelta(seconds=seconds)


@pytest.fixture
def jobs(database: Database, make_caller: MakeCaller) -> JobStore:
    return JobStore(database, make_caller(), OPEN)


@pytest.fixture
def queue(database: Database) -> Queue:
    return Queue(database, SETTINGS, "first")


@pytest.fixture
def other(database: Database) -> Queue:
    return Queue(database, SETTINGS, "second")


@pytest.fixture
def put(jobs: JobStore, export_request: ExportRequest) -> Callable[[float], Job]:
    """Put a job into the queue so many seconds after noon."""

    def make(seconds: float = 0) -> Job:
        job = jobs.create("leads", export_request, MOMENT)
        return jobs.enqueue("leads", job.id, later(seconds))

    return make


Put = Callable[..., Job]


def manifest(job: Job, attempt: str = "a") -> Manifest:
    parts = [
        Part(number=n, key=f"{job.id}/{attempt}/{n:06}", size=10 + n, records=n) for n in range(3)
    ]
    return Manifest(parts=parts, checksum="abc")


def claimed(queue: Queue, moment: datetime = MOMENT) -> Job:
    job = queue.claim(moment)
    assert job is not None
    return job


def row(database: Database, job: Job) -> sa.Row[tuple[object, ...]]:
    with database.read() as connection:
        found = sa.select(export_job).where(export_job.c.id == job.id)
        return connection.execute(found).one()


def plans(database: Database) -> set[str]:
    with database.read() as connection:
        return set(connection.execute(sa.select(export_plan.c.job)).scalars())


def parts(database: Database) -> list[str]:
    with database.read() as connection:
        return list(connection.execute(sa.select(export_part.c.key)).scalars())


def test_an_empty_queue_gives_nothing(queue: Queue, jobs: JobStore) -> None:
    assert queue.claim(MOMENT) is None
    assert jobs.page("leads", MOMENT) == ([], None)


def test_a_job_that_was_only_created_is_left_alone(
    queue: Queue, jobs: JobStore, export_request: ExportRequest
) -> None:
    jobs.create("leads", export_request, MOMENT)
    assert queue.claim(MOMENT) is None


def test_a_claimed_job_is_in_processing(queue: Queue, put: Put) -> None:
    waiting = put()
    job = claimed(queue, later(5))
    assert (job.id, job.state, job.started_at) == (waiting.id, State.PROCESSING, later(5))
    assert (job.attempts, job.request) == (1, waiting.request)
    assert queue.plan(job.id) is None


def test_the_moments_of_a_job_are_in_order_though_a_worker_has_a_slow_clock(
    queue: Queue, jobs: JobStore, put: Put
) -> None:
    put(5)
    job = claimed(queue, later(3))
    assert (job.queued_at, job.started_at) == (later(5), later(5))
    queue.publish(job.id, manifest(job), later(4))
    assert jobs.get("leads", job.id, later(9)).finished_at == later(5)


def test_jobs_are_claimed_in_the_order_in_which_they_were_queued(queue: Queue, put: Put) -> None:
    waiting = [put(seconds) for seconds in (3, 1, 2, 1)]
    expected = sorted(waiting, key=lambda job: (job.queued_at, job.id))
    found = []
    for _ in waiting:
        job = claimed(queue, later(9))
        found.append(job.id)
        queue.publish(job.id, manifest(job), later(9))
    assert found == [job.id for job in expected]
    assert queue.claim(later(9)) is None


def test_two_jobs_of_a_subscription_are_in_processing_at_most(
    queue: Queue, other: Queue, put: Put
) -> None:
    waiting = [put(n) for n in range(4)]
    assert [claimed(queue).id, claimed(other).id] == [job.id for job in waiting[:2]]
    assert queue.claim(MOMENT) is None
    queue.publish(waiting[0].id, manifest(waiting[0]), MOMENT)
    assert claimed(queue).id == waiting[2].id
    assert queue.claim(MOMENT) is None


def test_a_subscription_does_not_wait_for_another(
    queue: Queue, put: Put, make_caller: MakeCaller, export_request: ExportRequest
) -> None:
    for n in range(3):
        put(n)
    assert [claimed(queue), claimed(queue), queue.claim(MOMENT)][2] is None
    elsewhere = JobStore(queue._database, make_caller("a@example.com", of="other"), OPEN)
    late = elsewhere.create("leads", export_request, MOMENT)
    elsewhere.enqueue("leads", late.id, later(99))
    assert claimed(queue).id == late.id


@pytest.mark.parametrize(("limit", "expected"), [(1, 1), (3, 3), (None, 5), ("none", 5)])
def test_a_subscription_has_its_own_limit(
    database: Database, queue: Queue, put: Put, limit: object, expected: int
) -> None:
    for n in range(5):
        put(n)
    with database.write() as connection:
        connection.execute(subscription.update().values(limit_overrides={"processing_jobs": limit}))
    claims = [queue.claim(MOMENT) for _ in range(6)]
    assert sum(job is not None for job in claims) == expected


def test_a_lease_that_is_held_keeps_others_away(queue: Queue, other: Queue, put: Put) -> None:
    job = put()
    claimed(queue)
    assert other.claim(later(29.9)) is None
    queue.renew(job.id, later(29.9))
    assert other.claim(later(59.8)) is None
    assert claimed(other, later(59.9)).id == job.id


def test_a_job_whose_lease_ran_out_is_taken_up_with_the_same_plan(
    queue: Queue, other: Queue, put: Put
) -> None:
    job = put()
    put(1)
    claimed(queue)
    plan = {"table": "leads", "parts": [{"ids": [1, 2]}]}
    queue.pin(job.id, plan)
    again = claimed(other, later(30))
    assert (again.id, again.attempts) == (job.id, 2)
    assert other.plan(job.id) == plan
    assert again.started_at == MOMENT, "it began when it first began"


def _ends_published(queue: Queue, jobs: JobStore, job: Job) -> None:  # noqa: ARG001
    queue.publish(job.id, manifest(job), MOMENT)


def _ends_failed(queue: Queue, jobs: JobStore, job: Job) -> None:  # noqa: ARG001
    queue.fail(job.id, "the disk is full", MOMENT)


def _ends_given_up(queue: Queue, jobs: JobStore, job: Job) -> None:  # noqa: ARG001
    for attempt in range(1, MAX_ATTEMPTS):
        assert claimed(queue, later(30 * attempt)).id == job.id
    assert queue.claim(later(30 * MAX_ATTEMPTS)) is None


def _ends_cancelled(queue: Queue, jobs: JobStore, job: Job) -> None:  # noqa: ARG001
    jobs.cancel("leads", job.id, MOMENT)


@pytest.mark.parametrize("end", [_ends_published, _ends_failed, _ends_given_up, _ends_cancelled])
def test_a_plan_is_stored_until_its_job_ends(
    database: Database,
    queue: Queue,
    jobs: JobStore,
    put: Put,
    end: Callable[[Queue, JobStore, Job], None],
) -> None:
    ending, going_on = put(), put(1)
    for job in (ending, going_on):
        claimed(queue)
        queue.pin(job.id, {"of": job.id})
        queue.renew(job.id, later(30 * MAX_ATTEMPTS + 1) if job is going_on else MOMENT)
    assert plans(database) == {ending.id, going_on.id}
    end(queue, jobs, ending)
    assert jobs.get("leads", ending.id, MOMENT).state.ended
    assert plans(database) == {going_on.id}
    assert queue.plan(ending.id) is None
    assert queue.plan(going_on.id) == {"of": going_on.id}


def test_a_plan_that_is_pinned_stays_as_it_is(queue: Queue, put: Put) -> None:
    job = put()
    claimed(queue)
    queue.pin(job.id, {"version": 1})
    with pytest.raises(sa.exc.IntegrityError):
        queue.pin(job.id, {"version": 2})
    assert queue.plan(job.id) == {"version": 1}


def test_an_abandoned_job_comes_before_those_that_wait(
    queue: Queue, other: Queue, put: Put
) -> None:
    first, second, third = put(0), put(1), put(2)
    claimed(queue)
    claimed(queue, later(1))
    taken = [claimed(other, later(60)).id, claimed(other, later(60)).id]
    assert taken == [first.id, second.id]
    assert other.claim(later(60)) is None, f"{third.id} has to wait"


def test_a_job_is_failed_after_three_attempts_that_ended_with_their_worker(
    database: Database, queue: Queue, jobs: JobStore, put: Put
) -> None:
    job, following = put(), put(1)
    for attempt in range(MAX_ATTEMPTS):
        assert claimed(queue, later(30 * attempt)).attempts == attempt + 1
    moment = later(30 * MAX_ATTEMPTS)
    assert claimed(queue, moment).id == following.id
    failed = jobs.get("leads", job.id, moment)
    assert (failed.state, failed.finished_at) == (State.FAILED, moment)
    assert failed.to_answer().error_msg == (
        "Gave up after 3 attempts: each time the worker stopped before the export was done"
    )
    assert (row(database, job).lease_owner, row(database, job).lease_until) == (None, None)


def test_a_worker_that_died_after_it_left_a_part_does_not_use_up_an_attempt(
    queue: Queue, jobs: JobStore, put: Put
) -> None:
    parts = manifest(put()).parts
    moments = (later(30 * number) for number in range(99))
    for part in parts:
        job = claimed(queue, next(moments))
        assert job.attempts == 1
        queue.publish_part(job, part)
    for attempt in range(MAX_ATTEMPTS):
        assert claimed(queue, next(moments)).attempts == attempt + 1, "nothing new is left"
    moment = next(moments)
    assert queue.claim(moment) is None
    assert jobs.get("leads", job.id, moment).state is State.FAILED


def test_an_error_uses_up_an_attempt_whatever_was_left(queue: Queue, put: Put) -> None:
    first, second, _ = manifest(put()).parts
    job = claimed(queue)
    queue.publish_part(job, first)
    queue.release(job, counts=True)
    again = claimed(queue)
    assert again.attempts == 2
    queue.publish_part(again, second)
    queue.release(again, counts=False)
    assert claimed(queue).attempts == 2, "one that is handed back does not count, nor twice less"


def test_a_job_that_is_handed_back_is_taken_up_at_once(
    queue: Queue, other: Queue, put: Put
) -> None:
    put()
    queue.release(claimed(queue), counts=False)
    second = claimed(other)
    assert second.attempts == 1, "a worker that stops does not use up an attempt"
    other.release(second, counts=True)
    assert claimed(queue).attempts == 2


def test_handing_back_does_not_end_a_job(queue: Queue, put: Put) -> None:
    job = put()
    for _ in range(3 * MAX_ATTEMPTS):
        again = claimed(queue)
        assert again.id == job.id
        queue.release(again, counts=False)


def _lost_by_expiry(queue: Queue, other: Queue, jobs: JobStore, job: Job) -> None:  # noqa: ARG001
    claimed(other, later(30))


def _lost_by_cancel(queue: Queue, other: Queue, jobs: JobStore, job: Job) -> None:  # noqa: ARG001
    jobs.cancel("leads", job.id, later(1))


def _lost_by_handing_back(queue: Queue, other: Queue, jobs: JobStore, job: Job) -> None:  # noqa: ARG001
    queue.release(job, counts=True)


def _lost_by_publishing(queue: Queue, other: Queue, jobs: JobStore, job: Job) -> None:  # noqa: ARG001
    queue.publish(job.id, manifest(job), later(1))


@pytest.mark.parametrize(
    "lose", [_lost_by_expiry, _lost_by_cancel, _lost_by_handing_back, _lost_by_publishing]
)
def test_a_worker_that_lost_its_lease_cannot_change_the_job(
    database: Database,
    jobs: JobStore,
    put: Put,
    lose: Callable[[Queue, Queue, JobStore, Job], None],
) -> None:
    queue, other = Queue(database, SETTINGS, "first"), Queue(database, SETTINGS, "second")
    put()
    job = claimed(queue)
    lose(queue, other, jobs, job)
    before, kept = row(database, job), parts(database)
    attempts: list[Callable[[], object]] = [
        lambda: queue.check(job.id),
        lambda: queue.renew(job.id, later(31)),
        lambda: queue.pin(job.id, {"other": "plan"}),
        lambda: queue.publish_part(job, manifest(job, "late").parts[0]),
        lambda: queue.drop_parts(job.id),
        lambda: queue.publish(job.id, manifest(job, "late"), later(31)),
        lambda: queue.fail(job.id, "late", later(31)),
        lambda: queue.release(job, counts=True),
    ]
    for attempt in attempts:
        with pytest.raises(LeaseLostError):
            attempt()
    assert row(database, job) == before
    assert parts(database) == kept
    assert plans(database) == set()


def test_a_lease_that_nobody_took_over_is_still_held(queue: Queue, put: Put) -> None:
    # The worker was away for a while; as nobody else has begun, its work is good.
    job = put()
    claimed(queue)
    queue.check(job.id)
    queue.renew(job.id, later(100))
    queue.publish(job.id, manifest(job), later(101))


def test_a_job_that_is_unknown_is_not_held(queue: Queue) -> None:
    with pytest.raises(LeaseLostError):
        queue.check("nothing")


def test_a_published_job_is_completed_and_has_its_file(
    database: Database, queue: Queue, jobs: JobStore, put: Put
) -> None:
    job = put()
    claimed(queue)
    assert queue.state_and_keys(job.id) == (State.PROCESSING, frozenset())
    queue.publish(job.id, manifest(job), later(7))
    done, kept = jobs.file("leads", job.id, later(8))
    assert (done.state, done.finished_at) == (State.COMPLETED, later(7))
    assert (done.records, done.file_size, done.checksum) == (3, 33, "abc")
    assert kept == [(part.key, part.size) for part in manifest(job).parts]
    keys = frozenset(part.key for part in manifest(job).parts)
    assert queue.state_and_keys(job.id) == (State.COMPLETED, keys)
    assert (row(database, job).lease_owner, row(database, job).lease_until) == (None, None)


def test_parts_are_left_for_the_attempts_to_come(
    queue: Queue, other: Queue, jobs: JobStore, put: Put
) -> None:
    put()
    job = claimed(queue)
    first, second, third = manifest(job).parts
    queue.publish_part(job, first)
    queue.publish_part(job, second)
    with pytest.raises(LookupError):
        jobs.file("leads", job.id, later(1))
    again = claimed(other, later(30))
    assert other.parts(job.id) == [first, second]
    assert other.state_and_keys(job.id) == (State.PROCESSING, frozenset({first.key, second.key}))
    other.drop_parts(job.id)
    assert other.parts(job.id) == []
    other.publish_part(again, third)
    done = manifest(job, "b")
    other.publish(job.id, done, later(31))
    assert other.parts(job.id) == list(done.parts), "the file is what it is published as"


def test_a_part_may_be_left_again_by_who_does_not_know_that_it_was(queue: Queue, put: Put) -> None:
    # The answer to a commit can be lost with the connection.
    put()
    job = claimed(queue)
    part = manifest(job).parts[0]
    queue.publish_part(job, part)
    queue.publish_part(job, part)
    assert queue.parts(job.id) == [part]


def test_publishing_is_one_transaction(
    database: Database, queue: Queue, jobs: JobStore, put: Put
) -> None:
    job = put()
    claimed(queue)
    good = manifest(job)
    twice = Manifest(parts=[*good.parts, good.parts[0]], checksum="abc")
    with pytest.raises(sa.exc.IntegrityError):
        queue.publish(job.id, twice, later(7))
    assert jobs.get("leads", job.id, MOMENT).state is State.PROCESSING
    assert parts(database) == []
    queue.publish(job.id, good, later(7))
    assert len(parts(database)) == 3


def test_a_failed_job_says_why_and_makes_room(queue: Queue, jobs: JobStore, put: Put) -> None:
    job, _, third = put(), put(1), put(2)
    claimed(queue)
    claimed(queue)
    queue.fail(job.id, "the disk is full", later(7))
    failed = jobs.get("leads", job.id, MOMENT)
    assert (failed.state, failed.error_message) == (State.FAILED, "the disk is full")
    assert failed.finished_at == later(7)
    assert claimed(queue).id == third.id


def test_a_job_that_is_cancelled_while_it_runs_makes_room_and_stays_cancelled(
    queue: Queue, other: Queue, jobs: JobStore, put: Put
) -> None:
    first, second, third = put(), put(1), put(2)
    claimed(queue)
    claimed(queue)
    jobs.cancel("leads", first.id, later(5))
    assert claimed(other, later(6)).id == third.id
    assert claimed(other, later(60)).id == second.id
    assert jobs.get("leads", first.id, MOMENT).state is State.CANCELLED


def test_a_waiting_job_that_is_cancelled_is_not_claimed(
    queue: Queue, jobs: JobStore, put: Put
) -> None:
    jobs.cancel("leads", put().id, MOMENT)
    assert queue.claim(MOMENT) is None


def test_many_workers_never_share_a_job_nor_exceed_the_limit(
    database: Database, make_caller: MakeCaller, export_request: ExportRequest
) -> None:
    callers = [make_caller(of=name) for name in ("default", "north", "south")]
    waiting = set()
    for caller in callers:
        store = JobStore(database, caller, OPEN)
        for _ in range(8):
            job = store.create("leads", export_request, MOMENT)
            waiting.add(store.enqueue("leads", job.id, MOMENT).id)
    claims: Counter[str] = Counter()
    most: Counter[str] = Counter()
    lock = Lock()
    workers = 8
    barrier = Barrier(workers)

    def processing() -> Counter[str]:
        with database.read() as connection:
            found = sa.select(export_job.c.subscription).where(export_job.c.state == "Processing")
            return Counter(connection.execute(found).scalars())

    def work(number: int) -> None:
        queue = Queue(database, SETTINGS, f"worker {number}")
        barrier.wait()
        while True:
            job = queue.claim(MOMENT)
            seen = processing()
            with lock:
                for name, count in seen.items():
                    most[name] = max(most[name], count)
                if job is not None:
                    claims[job.id] += 1
                elif set(claims) == waiting:
                    return
            if job is not None:
                queue.publish(job.id, manifest(job), MOMENT)

    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(work, range(workers)))
    assert set(claims) == waiting
    assert set(claims.values()) == {1}
    assert max(most.values()) <= 2
    assert not processing()


def test_only_one_worker_takes_up_an_abandoned_job(database: Database, put: Put) -> None:
    put()
    claimed(Queue(database, SETTINGS, "dead"))
    workers = 8
    barrier = Barrier(workers)

    def take(number: int) -> Job | None:
        barrier.wait()
        return Queue(database, SETTINGS, f"worker {number}").claim(later(30))

    with ThreadPoolExecutor(workers) as pool:
        taken = [job for job in pool.map(take, range(workers)) if job is not None]
    assert [job.attempts for job in taken] == [2]


def test_cancel_and_publish_at_once_end_in_one_of_both(
    database: Database, queue: Queue, jobs: JobStore, put: Put
) -> None:
    for _ in range(10):
        job = put()
        claimed(queue)
        barrier = Barrier(2)

        def publish(job: Job, barrier: Barrier) -> bool:
            barrier.wait()
            try:
                queue.publish(job.id, manifest(job), MOMENT)
            except LeaseLostError:
                return False
            return True

        def cancel(job: Job, barrier: Barrier) -> bool:
            barrier.wait()
            try:
                jobs.cancel("leads", job.id, MOMENT)
            except ApiError:
                return False
            return True

        with ThreadPoolExecutor(2) as pool:
            published = pool.submit(publish, job, barrier)
            cancelled = pool.submit(cancel, job, barrier)
        ended = jobs.get("leads", job.id, MOMENT).state
        assert published.result() != cancelled.result()
        assert ended is (State.COMPLETED if published.result() else State.CANCELLED)
        assert any(key.startswith(job.id) for key in parts(database)) == published.result()
