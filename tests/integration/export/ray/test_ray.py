"""Exports by a Ray cluster: what ends, and what goes on, when something of it is away."""

import hashlib
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest
import sqlalchemy as sa
from tests.support.activities import BODY, fill, on_disk
from tests.support.processes import children
from tests.support.ray_cluster import RayNodes
from tests.support.waiting import PATIENCE, wait_for

from outhaul.accounts.tokens import Caller
from outhaul.catalog.store import Catalog
from outhaul.clock import now
from outhaul.conformance.executors import LONG, SHORT, Bench, make_lake, plan_of
from outhaul.database.engine import Database
from outhaul.database.schema import api_user
from outhaul.export.executor import StoppedError
from outhaul.export.ray import cluster, driver
from outhaul.export.ray.cluster import ClusterError, PartError
from outhaul.export.ray.executor import RayExecutor
from outhaul.export.request import ExportRequest, read_request
from outhaul.jobs.job import Job
from outhaul.jobs.store import JobStore
from outhaul.kinds import find_kind
from outhaul.kinds.filter import Context
from outhaul.lake.snapshot import Lake
from outhaul.limits import Limits
from outhaul.protocol.states import State
from outhaul.settings import Settings
from outhaul.worker import Worker

RECORDS = 36_000
PART_RECORDS = 300


@contextmanager
def working(data: Path, log: Path, *options: str) -> Iterator[None]:
    """Run `outhaul worker` meanwhile."""
    command = (sys.executable, "-m", "outhaul", "worker", "--data", str(data), *options)
    with log.open("wb") as stderr:
        process = subprocess.Popen(
            command, env=os.environ | {"OUTHAUL_PART_RECORDS": str(PART_RECORDS)}, stderr=stderr
        )
    try:
        yield
    finally:
        process.terminate()
        status = process.wait(PATIENCE)
    assert status == 0, log.read_text()


def family(process: int) -> list[int]:
    """Return a process and all that come from it."""
    return [process, *(one for child in children(process) for one in family(child))]


def renders(node: int) -> bool:
    names = [Path(f"/proc/{process}/cmdline").read_bytes() for process in children(node)]
    return any(name.startswith(b"ray::render") for name in names)


@dataclass(frozen=True)
class Asker:
    """A user of a data folder that `fill` has made."""

    jobs: JobStore
    request: ExportRequest

    def put(self) -> str:
        made = self.jobs.create("activities", self.request, now())
        return self.jobs.enqueue("activities", made.id, now()).id

    def get(self, job: str) -> Job:
        return self.jobs.get("activities", job, now())

    def ended(self, job: str) -> bool:
        return self.get(job).state.ended


@contextmanager
def asking(data: Path) -> Iterator[Asker]:
    database = Database(Settings(data=data).database_url)
    context = Context(catalog=Catalog(database, "default"), limits=Limits(), moment=now())
    with database.read() as connection:
        user = connection.execute(sa.select(api_user.c.id)).scalar_one()
    caller = Caller(subscription="default", limit_overrides={}, user=user, permissions=frozenset())
    request = read_request(find_kind("activities", context), BODY, context)
    yield Asker(JobStore(database, caller, Limits()), request)
    database.close()


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks at /proc")
def test_a_node_that_is_killed_costs_its_parts_and_not_the_job(
    ray_nodes: RayNodes, tmp_path: Path
) -> None:
    fill(tmp_path, RECORDS)
    log = tmp_path / "ray.log"
    node = ray_nodes.add()
    with asking(tmp_path) as asker:
        alone = asker.put()
        with working(tmp_path, tmp_path / "local.log"):
            wait_for(partial(asker.ended, alone))
        job = asker.put()

        def amid() -> bool:
            nonlocal job
            if asker.ended(job):  # the node's first process was not up in time to take part
                job = asker.put()
            return len(on_disk(tmp_path, job)) > 3 and renders(node) and not asker.ended(job)

        with working(tmp_path, log, "--executor", "ray", "--ray-address", ray_nodes.address):
            wait_for(amid, 200)
            for process in family(node):
                os.kill(process, signal.SIGKILL)
            # Ray takes half a minute to be sure that a node is dead.
            wait_for(partial(asker.ended, job), 200)
        done = asker.get(job)
        assert done.state is State.COMPLETED, log.read_text()
        assert (done.checksum, done.records) == (asker.get(alone).checksum, RECORDS)
        assert done.attempts == 0, "none that counts"
        _, parts = asker.jobs.file("activities", job, now())
    assert len(parts) > 100
    content = [(tmp_path / "files" / key).read_bytes() for key, _ in parts]
    assert [len(each) for each in content] == [size for _, size in parts]
    assert hashlib.sha256(b"".join(content)).hexdigest() == done.checksum


@pytest.fixture
def bench(ray_nodes: RayNodes, tmp_path: Path) -> Iterator[Bench]:
    settings = Settings(data=tmp_path, executor="ray", ray_address=ray_nodes.address)
    executor = RayExecutor(settings)
    yield Bench(executor, settings, make_lake(settings))
    executor.close()


def test_a_lost_connection_fails_the_attempt_and_the_next_connects_anew(bench: Bench) -> None:
    # Ray ends this process when it has not heard of the cluster for a while.
    assert bench.export(plan_of(SHORT), "first/a").records == 1_000
    assert isinstance(bench.executor, RayExecutor)
    assert bench.executor._cluster is not None
    driver = bench.executor._cluster._process
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(bench.export, plan_of(LONG, LONG), "lost/a")
        wait_for(lambda: bench.on_disk("lost/a"))
        driver.kill()
        assert isinstance(running.exception(PATIENCE), ClusterError)
        assert "the connection to the Ray cluster at 127.0.0.1:" in str(running.exception())
    assert bench.export(plan_of(SHORT), "next/a").records == 1_000


def test_a_node_with_other_versions_says_so(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    here = driver.versions()
    monkeypatch.setattr(driver, "versions", lambda: "outhaul 0.0.1, polars 0.9")
    with pytest.raises(PartError) as raised:
        bench.export(plan_of(SHORT), "versions/a")
    said = str(raised.value)
    assert f"the worker has outhaul 0.0.1, polars 0.9; this node has {here}" in said
    assert on_disk(bench.settings.lake_folder.parent) == []


@pytest.fixture
def nobody(tmp_path: Path) -> Iterator[Settings]:
    """Settings that name an address where nothing is."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and does not listen
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        yield Settings(data=tmp_path, executor="ray", ray_address=address)


def test_a_cluster_that_does_not_answer_is_named(
    nobody: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster, "REACH_SECONDS", 0.0)
    task = plan_of(SHORT).task(0, "a/a")
    with pytest.raises(ClusterError, match=f"no Ray cluster answers at {nobody.ray_address}: "):
        RayExecutor(nobody).submit(task, Lake(Path()), threading.Event())


def test_stop_is_obeyed_while_a_cluster_is_tried(nobody: Settings) -> None:
    stop = threading.Event()
    stop.set()
    with pytest.raises(StoppedError):
        RayExecutor(nobody).submit(plan_of(SHORT).task(0, "a/a"), Lake(Path()), stop)


def test_a_job_whose_cluster_is_away_fails_and_the_queue_goes_on(
    nobody: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(cluster, "REACH_SECONDS", 0.0)
    fill(tmp_path, 200)
    worker = Worker(nobody)
    with asking(tmp_path) as asker:
        working = threading.Thread(target=worker.run)
        working.start()
        try:
            for job in (asker.put(), asker.put()):
                wait_for(partial(asker.ended, job))
                done = asker.get(job)
                assert done.state is State.FAILED
                assert f"no Ray cluster answers at {nobody.ray_address}" in str(done.error_message)
        finally:
            worker.stop()
            working.join(PATIENCE)
    assert on_disk(tmp_path) == []


# The commands


def run(command: str, data: Path, *options: str, before: str = "pass") -> tuple[int, str]:
    """Run a command that ends by itself; return its exit status and what it said."""
    code = f"import sys; {before}; from outhaul.cli import main; main()"
    ended = subprocess.run(
        [sys.executable, "-c", code, command, "--data", str(data), *options],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    return ended.returncode, ended.stderr


@pytest.mark.parametrize("command", ["serve", "worker"])
def test_without_ray_the_extra_is_named(tmp_path: Path, command: str) -> None:
    options = ("--executor", "ray", "--ray-address", "127.0.0.1:1")
    # As if it was not installed.
    status, said = run(command, tmp_path, *options, before="sys.modules['ray'] = None")
    assert (status, said) == (1, "error: --executor ray needs Ray: pip install 'outhaul[ray]'\n")


@pytest.mark.parametrize("command", ["serve", "worker"])
def test_ray_needs_an_address(tmp_path: Path, command: str) -> None:
    status, said = run(command, tmp_path, "--executor", "ray")
    assert status == 1
    assert "--executor ray needs --ray-address: the head node, as host:port" in said
