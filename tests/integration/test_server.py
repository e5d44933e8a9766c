"""Jobs end well, whichever ends first, the worker or the server: real processes."""

import os
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from tests.support.activities import Template, fill, on_disk
from tests.support.forked import Forked, forked
from tests.support.processes import environment, running
from tests.support.serving import Server
from tests.support.waiting import PATIENCE, wait_for

from outhaul.database.engine import Database
from outhaul.database.schema import export_job
from outhaul.settings import Settings

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks at /proc")

RECORDS = 250_000


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Template:
    """Enough records for a job to take a while."""
    return fill(tmp_path_factory.mktemp("large"), RECORDS)


@pytest.fixture
def serve(large: Template, tmp_path: Path) -> Iterator[Callable[[], Server]]:
    """Start servers, one after the other, on one data folder."""
    data = large.copy(tmp_path / "data")
    started: list[Server] = []

    def start(port: int = 0) -> Server:
        log = tmp_path / f"serve-{len(started)}.log"
        process = Forked.start(
            ["serve", "--data", str(data), "--port", str(port), "--limits", "open"],
            err=log,
            variables=environment(OUTHAUL_LEASE_SECONDS="1"),
        )
        server = Server(process, data, log, large)
        started.append(server)
        server.connect()
        return server

    yield start
    for server in started:
        server.calls.close()
        if server.process.poll() is None:
            server.process.terminate()
            server.process.wait(PATIENCE)


Serve = Callable[[], Server]


def test_a_running_job_is_handed_back_when_the_server_ends(serve: Serve) -> None:
    server = serve()
    job = server.writing()
    server.terminate()
    database = Database(Settings(data=server.data).database_url)
    with database.read() as connection:
        state, attempts = connection.execute(
            sa.select(export_job.c.state, export_job.c.attempts).where(export_job.c.id == job)
        ).one()
    database.close()
    assert (state, attempts) in {("Processing", 0), ("Completed", 0)}
    assert bool(on_disk(server.data, job)) == (state == "Completed")
    serve().completed(job)


def test_the_job_of_a_worker_that_is_killed_is_taken_up_by_the_next(serve: Serve) -> None:
    server = serve()
    for _ in range(5):
        job = server.writing()
        # Once it stands still, there is no doubt whether it is amid the job.
        worker = server.worker
        os.kill(worker, signal.SIGSTOP)
        caught = not server.ended(job)
        if caught:
            break
        os.kill(worker, signal.SIGCONT)
    assert caught
    started = server.status(job)["startedAt"]
    left = on_disk(server.data, job)
    assert left
    os.kill(worker, signal.SIGKILL)
    wait_for(lambda: server.worker != worker)
    assert server.completed(job)["startedAt"] == started
    assert not set(left) & set(on_disk(server.data, job))
    assert "the worker ended; starting another" in server.log.read_text()


def test_a_running_job_that_is_cancelled_stops_and_leaves_nothing_behind(serve: Serve) -> None:
    server = serve()
    while True:
        job = server.writing()
        answer = server.call("POST", f"{job}/cancel")
        if answer["success"]:
            break
    wait_for(lambda: not (server.data / "files" / job).exists())
    assert server.status(job)["status"] == "Cancelled"
    file = server.calls.get(f"/bulk/v1/activities/export/{job}/file.json")
    assert file.status_code == 404
    server.completed(server.start_job())
    assert not on_disk(server.data, job)


def test_a_download_that_stalls_does_not_hold_up_the_end(serve: Serve) -> None:
    server = serve()
    job = server.start_job()
    wait_for(lambda: server.ended(job))
    path = f"/bulk/v1/activities/export/{job}/file.json"
    with server.calls.stream("GET", path) as answer:
        assert answer.status_code == 200
        server.terminate()
    assert "Traceback" not in server.log.read_text()


def test_the_worker_ends_with_a_server_that_is_killed(serve: Serve) -> None:
    server = serve()
    job = server.writing()
    worker = server.worker
    server.process.kill()
    server.process.wait(PATIENCE)
    wait_for(lambda: not running(worker))
    serve().completed(job)


def test_a_port_that_is_in_use_is_named(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        words = ["serve", "--data", str(tmp_path / "data"), "--port", str(port)]
        ended = forked(words, lambda _: None)
    assert ended.status == 1
    assert ended.err == f"error: cannot listen on 127.0.0.1:{port}: Address already in use\n"
    assert ended.out == b""
