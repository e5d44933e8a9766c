"""While the database is away calls are answered 713, and all goes on when it is back."""

import hashlib
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.support import postgres
from tests.support.instance import TOKEN, Clock, Instance, Serve, base, only, refusal
from tests.support.schemas import Contract
from tests.support.template import Template
from tests.support.waiting import PATIENCE

from outhaul.database import engine
from outhaul.jobs.queue import Queue
from outhaul.settings import Settings
from outhaul.worker import Worker

AWAY = ("713", "Transient error: the database cannot be reached")


@pytest.fixture(scope="module")
def server() -> Iterator[postgres.Server]:
    """A server of these tests' own, which they stop and start."""
    with postgres.serving() as running:
        yield running


@pytest.fixture
def running(
    server: postgres.Server, template: Template, tmp_path: Path, contract: Contract | None
) -> Iterator[Instance]:
    url = server.create()
    postgres.transfer(Settings(data=template.folder).database_url, url)
    data = tmp_path / "data"
    data.mkdir()
    (data / "lake").symlink_to(template.folder / "lake")
    settings = Settings(
        data=data,
        database_url=url,
        workers=1,
        part_threads=2,
        listen_seconds=3_600,
        limits="open",
    )
    with Instance(settings, Clock(), template.credentials, contract).running() as instance:
        yield instance
    server.drop(url)


@contextmanager
def away(server: postgres.Server) -> Iterator[None]:
    server.stop()
    try:
        yield
    finally:
        server.start()


@contextmanager
def at_work(instance: Instance) -> Iterator[None]:
    worker = Worker(instance.settings, clock=instance.clock)
    thread = threading.Thread(target=worker.run)
    thread.start()
    try:
        yield
    finally:
        worker.stop()
        thread.join(PATIENCE)
        assert not thread.is_alive()


def wait_for(what: Callable[[], Any]) -> None:
    last = time.monotonic() + PATIENCE
    while not what():
        assert time.monotonic() < last, "it does not happen"
        time.sleep(0.01)


def ended(instance: Instance, job: str) -> Callable[[], bool]:
    return lambda: only(instance.status(job))["status"] not in {"Queued", "Processing"}


def check_whole(instance: Instance, job: str) -> None:
    status = only(instance.status(job))
    assert status["status"] == "Completed", status
    content = instance.file(job).content
    assert status["fileSize"] == len(content)
    assert status["fileChecksum"] == f"sha256:{hashlib.sha256(content).hexdigest()}"


def test_calls_are_answered_713_and_go_on_when_it_is_back(
    server: postgres.Server, running: Instance
) -> None:
    job = running.created()
    grant = running.grant("writer")
    for _ in range(2):
        with away(server):
            for answer in (
                running.jobs(),
                running.create(),
                running.status(job),
                running.enqueue(job),
                running.cancel(job),
                running.file(job),
                running.get("/rest/v1/leads/describe.json"),
                running.get("/rest/v1/stats/usage.json"),
                running.get("/nothing"),
                running.client.get(TOKEN, params=grant),
            ):
                assert refusal(answer) == AWAY
        assert only(running.status(job))["status"] == "Created"
    assert running.client.get(TOKEN, params=grant).json()["token_type"] == "bearer"


def test_a_worker_that_waits_is_woken_when_it_is_back(
    server: postgres.Server, running: Instance
) -> None:
    with at_work(running):
        first = running.queued()
        wait_for(ended(running, first))
        with away(server):
            assert refusal(running.jobs()) == AWAY
        second = running.queued()
        wait_for(ended(running, second))
    check_whole(running, first)
    check_whole(running, second)


@pytest.mark.parametrize("step", ["publish_part", "publish"])
def test_a_job_outlives_an_outage_while_it_runs(
    server: postgres.Server, running: Instance, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    begun, go_on, tried = threading.Event(), threading.Event(), threading.Event()
    publish = getattr(Queue, step)

    def held(*given: Any) -> None:
        begun.set()
        assert go_on.wait(PATIENCE)
        try:
            publish(*given)
        finally:
            tried.set()

    monkeypatch.setattr(Queue, step, held)
    with at_work(running):
        job = running.queued()
        assert begun.wait(PATIENCE)
        with away(server):
            # Its lease cannot be renewed, and it gets on before the database is back.
            go_on.set()
            assert tried.wait(PATIENCE)
        wait_for(ended(running, job))
    check_whole(running, job)
    with running.database.read() as connection:
        attempts = connection.exec_driver_sql("SELECT attempts FROM export_job").scalar_one()
    assert attempts == 0, "the first one was enough: it left parts, and none came after it"


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "BUSY_MILLISECONDS", 20)


def sqlite_file(instance: Instance) -> sqlite3.Connection:
    return sqlite3.connect(
        instance.settings.lake_folder.parent / "outhaul.db", isolation_level=None
    )


def test_a_file_that_another_process_keeps_locked(impatient: None, serve: Serve) -> None:  # noqa: ARG001
    instance = serve()
    job = instance.created()
    other = sqlite_file(instance)
    other.execute("BEGIN IMMEDIATE")
    assert refusal(instance.create()) == AWAY
    assert refusal(instance.cancel(job)) == AWAY
    assert only(instance.status(job))["status"] == "Created", "to read it is no problem"
    other.execute("ROLLBACK")
    other.close()
    assert only(instance.cancel(job))["status"] == "Cancelled"


@pytest.mark.parametrize("pragma", ["query_only = ON", "max_page_count = 1"])
def test_a_file_that_takes_no_more(serve: Serve, pragma: str) -> None:
    instance = serve(daily_export_mb=None)
    instance.token("etl")
    with instance.database.read() as connection:
        raw: Any = connection.connection.dbapi_connection
        raw.execute(f"PRAGMA {pragma}")
        # All that a job is: it needs a page of its own.
    headers = {name: name * 1_000 for name in ("id", "email")}
    assert refusal(instance.create(columnHeaderNames=headers)) == AWAY
    assert instance.get(f"{base('leads')}.json").json()["success"]
