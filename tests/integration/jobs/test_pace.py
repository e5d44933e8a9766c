"""A pace keeps jobs from leaving Queued and Processing."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from tests.support.activities import BODY, Template, fill
from tests.support.waiting import wait_for

from outhaul.accounts.tokens import Caller
from outhaul.catalog.store import Catalog
from outhaul.clock import now
from outhaul.database.engine import Database
from outhaul.database.schema import api_user
from outhaul.export.request import read_request
from outhaul.jobs.job import Job
from outhaul.jobs.pace import FailedByOrderError
from outhaul.jobs.store import JobStore
from outhaul.kinds import find_kind
from outhaul.kinds.filter import Context
from outhaul.limits import Limits
from outhaul.protocol.states import State
from outhaul.settings import Settings
from outhaul.worker import Worker


class Gate:
    """A pace that a test opens, job by job."""

    def __init__(self) -> None:
        self.started: set[str] = set()
        self.held: set[str] = set()
        self.go_on = threading.Event()
        self.message: str | None = None

    def may_start(self, job_id: str, subscription: str) -> bool:
        assert subscription == "default"
        return job_id in self.started

    def hold(self, job: Job, stop: threading.Event) -> None:
        self.held.add(job.id)
        while not self.go_on.wait(0.01) and not stop.is_set():
            pass
        if self.message is not None:
            raise FailedByOrderError(self.message)


class Bench:
    """A running worker, and jobs of one caller."""

    def __init__(self, settings: Settings, gate: Gate) -> None:
        self.gate = gate
        self.database = Database(settings.database_url)
        with self.database.read() as connection:
            user = connection.execute(sa.select(api_user.c.id)).scalar_one()
        caller = Caller(
            subscription="default", limit_overrides={}, user=user, permissions=frozenset()
        )
        self.jobs = JobStore(self.database, caller, Limits())
        self.worker = Worker(settings, pace=gate)
        self._thread = threading.Thread(target=self.worker.run)
        self._thread.start()

    def put(self) -> str:
        context = Context(catalog=Catalog(self.database, "default"), limits=Limits(), moment=now())
        request = read_request(find_kind("activities", context), BODY, context)
        job = self.jobs.create("activities", request, now())
        return self.jobs.enqueue("activities", job.id, now()).id

    def get(self, job_id: str) -> Job:
        return self.jobs.get("activities", job_id, now())

    def wait_for(self, job_id: str, state: State) -> None:
        wait_for(lambda: self.get(job_id).state is state)

    def close(self) -> None:
        self.worker.stop()
        self._thread.join()
        self.database.close()


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Template:
    return fill(tmp_path_factory.mktemp("small"), 20)


@pytest.fixture
def bench(small: Template, tmp_path: Path) -> Iterator[Bench]:
    data = small.copy(tmp_path / "data")
    made = Bench(Settings(data=data, poll_seconds=0.01), Gate())
    yield made
    made.close()


def test_the_first_job_that_may_start_starts(bench: Bench) -> None:
    first, second, third = (bench.put() for _ in range(3))
    bench.gate.started.add(second)
    bench.wait_for(second, State.PROCESSING)
    assert bench.get(first).state is bench.get(third).state is State.QUEUED
    bench.gate.started.add(first)
    bench.wait_for(first, State.PROCESSING)
    bench.gate.go_on.set()
    bench.wait_for(first, State.COMPLETED)
    bench.wait_for(second, State.COMPLETED)
    assert bench.get(third).state is State.QUEUED


def test_a_held_job_is_failed_at_once_by_an_order(bench: Bench) -> None:
    job = bench.put()
    bench.gate.message = "the disk is full"
    bench.gate.started.add(job)
    bench.wait_for(job, State.PROCESSING)
    bench.gate.go_on.set()
    bench.wait_for(job, State.FAILED)
    assert bench.get(job).error_message == "the disk is full"


def test_a_held_job_can_be_cancelled(bench: Bench) -> None:
    job = bench.put()
    bench.gate.started.add(job)
    wait_for(lambda: job in bench.gate.held)
    bench.jobs.cancel("activities", job, now())
    following = bench.put()
    bench.gate.started.add(following)
    wait_for(lambda: following in bench.gate.held)
    assert bench.get(job).state is State.CANCELLED


def test_a_held_job_goes_back_to_the_queue_when_the_worker_stops(bench: Bench) -> None:
    job = bench.put()
    bench.gate.started.add(job)
    wait_for(lambda: job in bench.gate.held)
    bench.worker.stop()
    bench._thread.join()
    assert bench.get(job).state is State.PROCESSING
    with bench.database.read() as connection:
        owners = connection.execute(sa.text("SELECT lease_owner FROM export_job")).scalars()
        assert list(owners) == [None]
