import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from outhaul.accounts.tokens import Caller
from outhaul.database.engine import Database
from outhaul.database.schema import export_job, export_part
from outhaul.errors import ApiError, Error
from outhaul.export.request import ExportRequest
from outhaul.jobs.job import Job
from outhaul.jobs.store import JobStore
from outhaul.limits import Limits
from outhaul.protocol.states import State

# Noon in America/Chicago: six hours later it is another quota day in UTC, but not there.
MOMENT = datetime(2026, 1, 31, 18, tzinfo=UTC)
MakeCaller = Callable[..., Caller]


@pytest.fixture
def jobs(database: Database, make_caller: MakeCaller) -> JobStore:
    return JobStore(database, make_caller(), Limits())


def later(seconds: float = 0, **span: float) -> datetime:
    return MOMENT + timedelta(seconds=seconds, **span)


def refused(error: Error, call: Callable[[], object]) -> str:
    with pytest.raises(ApiError) as caught:
        call()
    assert caught.value.error is error
    return caught.value.message


def complete(database: Database, job: Job, moment: datetime, size: int = 10) -> None:
    with database.write() as connection:
        connection.execute(
            export_job.update()
            .where(export_job.c.id == job.id)
            .values(
                state="Completed", finished_at=moment, records=1, file_size=size, checksum="abc"
            )
        )
        connection.execute(
            export_part.insert(),
            [
                {"job": job.id, "number": n, "key": f"k{n}", "size": size // 2, "records": n}
                for n in (1, 0)
            ],
        )


def set_state(database: Database, job: Job, state: State) -> None:
    with database.write() as connection:
        connection.execute(
            export_job.update().where(export_job.c.id == job.id).values(state=state.value)
        )


def test_a_job_comes_back_as_it_was_made(jobs: JobStore, export_request: ExportRequest) -> None:
    made = jobs.create("leads", export_request, MOMENT)
    assert made.state is State.CREATED
    assert made.request == export_request
    assert str(uuid.UUID(made.id)) == made.id
    assert jobs.get("leads", made.id, MOMENT) == made


def test_a_job_is_of_its_kind_and_its_user(
    database: Database, jobs: JobStore, make_caller: MakeCaller, export_request: ExportRequest
) -> None:
    other = JobStore(database, make_caller("other@example.com"), Limits())
    job = jobs.create("leads", export_request, MOMENT)
    complete(database, job, MOMENT)
    for store, kind in ((other, "leads"), (jobs, "activities")):
        for method in (store.get, store.enqueue, store.cancel):
            message = refused(Error.JOB_UNKNOWN, lambda m=method, k=kind: m(k, job.id, MOMENT))  # type: ignore[misc]
            assert job.id in message
        with pytest.raises(LookupError):
            store.file(kind, job.id, MOMENT)
        assert store.page(kind, MOMENT) == ([], None)
    assert jobs.get("leads", job.id, MOMENT).state is State.COMPLETED


def test_a_job_is_queued_once(jobs: JobStore, export_request: ExportRequest) -> None:
    job = jobs.create("leads", export_request, MOMENT)
    queued = jobs.enqueue("leads", job.id, later(5))
    assert (queued.state, queued.queued_at) == (State.QUEUED, later(5))
    refused(Error.ALREADY_QUEUED, lambda: jobs.enqueue("leads", job.id, later(6)))
    assert jobs.get("leads", job.id, later(6)) == queued


@pytest.mark.parametrize("state", [State.PROCESSING, State.COMPLETED, State.FAILED])
def test_a_job_that_was_queued_before_is_not_queued_again(
    database: Database, jobs: JobStore, export_request: ExportRequest, state: State
) -> None:
    job = jobs.create("leads", export_request, MOMENT)
    set_state(database, job, state)
    refused(Error.ALREADY_QUEUED, lambda: jobs.enqueue("leads", job.id, MOMENT))
    assert jobs.get("leads", job.id, MOMENT).state is state


def test_a_cancelled_job_is_not_queued(jobs: JobStore, export_request: ExportRequest) -> None:
    job = jobs.create("leads", export_request, MOMENT)
    jobs.cancel("leads", job.id, MOMENT)
    message = refused(Error.JOB_STATE, lambda: jobs.enqueue("leads", job.id, MOMENT))
    assert "Cancelled" in message


@pytest.mark.parametrize("state", [State.CREATED, State.QUEUED, State.PROCESSING])
def test_a_job_that_has_not_ended_is_cancelled(
    database: Database, jobs: JobStore, export_request: ExportRequest, state: State
) -> None:
    job = jobs.create("leads", export_request, MOMENT)
    set_state(database, job, state)
    cancelled = jobs.cancel("leads", job.id, later(3))
    assert (cancelled.state, cancelled.finished_at) == (State.CANCELLED, later(3))
    assert jobs.cancel("leads", job.id, later(9)) == cancelled


@pytest.mark.parametrize("state", [State.COMPLETED, State.FAILED])
def test_a_job_that_has_ended_is_not_cancelled(
    database: Database, jobs: JobStore, export_request: ExportRequest, state: State
) -> None:
    job = jobs.create("leads", export_request, MOMENT)
    set_state(database, job, state)
    message = refused(Error.JOB_STATE, lambda: jobs.cancel("leads", job.id, MOMENT))
    assert state.value in message
    assert jobs.get("leads", job.id, MOMENT).state is state


def test_the_queue_is_of_a_subscription_and_not_of_a_user(
    database: Database, make_caller: MakeCaller, export_request: ExportRequest
) -> None:
    limits = Limits(queued_jobs=3)
    stores = [JobStore(database, make_caller(f"{n}@example.com"), limits) for n in range(2)]
    elsewhere = JobStore(database, make_caller("a@example.com", of="other"), limits)
    made = [(store, store.create("leads", export_request, MOMENT)) for store in stores * 2]
    for store, job in made[:3]:
        store.enqueue("leads", job.id, MOMENT)
    set_state(database, made[0][1], State.PROCESSING)  # still counts
    store, job = made[3]
    refused(Error.QUEUE_FULL, lambda: store.enqueue("leads", job.id, MOMENT))
    assert store.get("leads", job.id, MOMENT).state is State.CREATED
    own = elsewhere.create("leads", export_request, MOMENT)
    assert elsewhere.enqueue("leads", own.id, MOMENT).state is State.QUEUED
    set_state(database, made[0][1], State.FAILED)
    assert store.enqueue("leads", job.id, MOMENT).state is State.QUEUED


def test_the_quota_counts_what_was_finished_on_the_day_in_chicago(
    database: Database, jobs: JobStore, make_caller: MakeCaller, export_request: ExportRequest
) -> None:
    waiting = jobs.create("leads", export_request, MOMENT)
    mate = JobStore(database, make_caller("mate@example.com"), Limits())
    complete(database, mate.create("leads", export_request, MOMENT), MOMENT, 499_999_998)
    jobs.create("leads", export_request, MOMENT)
    complete(database, mate.create("activities", export_request, MOMENT), MOMENT, 2)
    for moment in (later(hours=-11), later(hours=11, minutes=59)):
        refused(
            Error.QUOTA_EXCEEDED,
            lambda m=moment: jobs.create("leads", export_request, m),  # type: ignore[misc]
        )
        refused(Error.QUOTA_EXCEEDED, lambda m=moment: jobs.enqueue("leads", waiting.id, m))  # type: ignore[misc]
    elsewhere = JobStore(database, make_caller(of="other"), Limits())
    elsewhere.create("leads", export_request, MOMENT)
    JobStore(database, make_caller("free@example.com"), Limits(daily_export_mb=None)).create(
        "leads", export_request, MOMENT
    )
    assert jobs.enqueue("leads", waiting.id, later(hours=12)).state is State.QUEUED


def test_the_file_is_there_from_completion_for_seven_days(
    database: Database, jobs: JobStore, export_request: ExportRequest
) -> None:
    job = jobs.create("leads", export_request, MOMENT)
    with pytest.raises(LookupError, match="Created"):
        jobs.file("leads", job.id, MOMENT)
    complete(database, job, MOMENT)
    found, parts = jobs.file("leads", job.id, later(days=7, seconds=-1))
    assert found.state is State.COMPLETED
    assert parts == [("k0", 5), ("k1", 5)]
    with pytest.raises(LookupError, match="7 days"):
        jobs.file("leads", job.id, later(days=7))


def test_pages_give_every_job_once_in_the_order_of_creation(
    jobs: JobStore, export_request: ExportRequest
) -> None:
    # Some are made in the same moment.
    made = [jobs.create("leads", export_request, later(n // 3)) for n in range(8)]
    made.sort(key=lambda job: (job.created_at, job.id))
    found: list[Job] = []
    token = None
    sizes = []
    while True:
        page, token = jobs.page("leads", later(60), size=3, token=token)
        found += page
        sizes.append(len(page))
        if token is None:
            break
    assert found == made
    assert sizes == [3, 3, 2]


def test_a_page_that_is_just_full_is_the_last(
    jobs: JobStore, export_request: ExportRequest
) -> None:
    for n in range(3):
        jobs.create("leads", export_request, later(n))
    page, token = jobs.page("leads", later(60), size=3)
    assert (len(page), token) == (3, None)


def test_a_page_is_never_larger_than_the_limit(
    database: Database, make_caller: MakeCaller, export_request: ExportRequest
) -> None:
    jobs = JobStore(database, make_caller(), Limits(list_page=2))
    for n in range(3):
        jobs.create("leads", export_request, later(n))
    assert len(jobs.page("leads", later(60), size=300)[0]) == 2
    assert len(jobs.page("leads", later(60))[0]) == 2


def test_jobs_are_listed_for_seven_days_and_by_state(
    jobs: JobStore, export_request: ExportRequest
) -> None:
    old = jobs.create("leads", export_request, later(days=-7, seconds=-1))
    new = jobs.create("leads", export_request, later(days=-7))
    gone = jobs.create("leads", export_request, MOMENT)
    jobs.cancel("leads", gone.id, MOMENT)

    def listed(*states: State) -> list[str]:
        return [job.id for job in jobs.page("leads", MOMENT, states=states)[0]]

    assert listed() == [new.id, gone.id]
    assert listed(State.CREATED) == [new.id]
    assert listed(State.CANCELLED, State.CREATED) == [new.id, gone.id]
    assert listed(State.FAILED) == []
    assert jobs.get("leads", old.id, MOMENT).id == old.id


def test_a_job_is_forgotten_thirty_days_after_its_end(
    jobs: JobStore, export_request: ExportRequest
) -> None:
    open_job = jobs.create("leads", export_request, MOMENT)
    ended = jobs.create("leads", export_request, MOMENT)
    jobs.cancel("leads", ended.id, MOMENT)
    assert jobs.get("leads", ended.id, later(days=30)).state is State.CANCELLED
    gone = later(days=30, seconds=1)
    refused(Error.JOB_UNKNOWN, lambda: jobs.get("leads", ended.id, gone))
    assert jobs.get("leads", open_job.id, gone).state is State.CREATED


@pytest.mark.parametrize("token", ["", "x", "bm90aGluZw", "W10", "é", "WzEsMl0"])
def test_a_token_of_another_list_is_refused(jobs: JobStore, token: str) -> None:
    refused(Error.INVALID, lambda: jobs.page("leads", MOMENT, token=token))


def test_no_call_about_jobs_or_files_reads_a_plan(
    database: Database, jobs: JobStore, export_request: ExportRequest
) -> None:
    job = jobs.create("leads", export_request, MOMENT)
    complete(database, job, MOMENT)
    statements: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        statements.append(statement)

    engine = database._engine
    sa.event.listen(engine, "before_cursor_execute", note)
    calls: list[Callable[[], object]] = [
        lambda: jobs.get("leads", job.id, MOMENT),
        lambda: jobs.page("leads", MOMENT),
        lambda: jobs.file("leads", job.id, MOMENT),
    ]
    for call in calls:
        statements.clear()
        call()
        read = " ".join(statements)
        assert "export_job" in read
        assert "plan" not in read


def test_no_row_is_left_by_a_job_that_was_refused(
    database: Database, make_caller: MakeCaller, export_request: ExportRequest
) -> None:
    jobs = JobStore(database, make_caller(), Limits(daily_export_mb=0))
    refused(Error.QUOTA_EXCEEDED, lambda: jobs.create("leads", export_request, MOMENT))
    with database.read() as connection:
        assert connection.execute(sa.select(export_job)).first() is None
