"""Jobs end well, whatever ends first: the worker, the server, or an attempt by an error."""

import hashlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import httpx2
import polars as pl
import pytest
import sqlalchemy as sa
from polars.exceptions import PanicException
from tests.support.postgres import Server as PostgreSQL
from tests.support.postgres import transfer

from outhaul.accounts.services import Credentials, create_service
from outhaul.accounts.tokens import Caller
from outhaul.catalog.store import Catalog
from outhaul.clock import now
from outhaul.database.engine import Database
from outhaul.database.schema import api_user, export_job
from outhaul.export import executors
from outhaul.export import render as render_module
from outhaul.jobs.job import Job
from outhaul.jobs.queue import MAX_ATTEMPTS, Queue
from outhaul.jobs.store import JobStore
from outhaul.kinds import KINDS
from outhaul.kinds.kind import Context
from outhaul.lake.snapshot import Lake
from outhaul.loading.loads import load_activities
from outhaul.protocol.states import State
from outhaul.settings import Limits, Settings
from outhaul.storage.folder import FolderStore
from outhaul.worker import Worker

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks at /proc")

PATIENCE = 60
"""Seconds after which something that should happen is said not to."""

LEASE = timedelta(seconds=30)
RECORDS = 250_000
DAYS = {"startAt": "2026-01-01T00:00:00Z", "endAt": "2026-01-20T23:59:59Z"}
BODY = {"filter": {"createdAt": DAYS}}


def wait_for(what: Callable[[], Any], seconds: float = PATIENCE) -> Any:
    """Return what a function gives as soon as it is true."""
    last = time.monotonic() + seconds
    while time.monotonic() < last:
        found = what()
        if found:
            return found
        time.sleep(0.005)
    return pytest.fail(f"not within {seconds} s")


def children(process: int) -> list[int]:
    """Return the processes that were started by one and are running."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, parent = path.read_text().rpartition(")")[2].split()[:2]
        except OSError:
            continue
        if int(parent) == process and state != "Z":
            found.append(int(path.parent.name))
    return found


def running(process: int) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def on_disk(data: Path, job_id: str = "") -> list[Path]:
    return [path for path in (data / "files" / job_id).rglob("*") if path.is_file()]


# Real processes


@dataclass
class Server:
    """`outhaul serve` in a process of its own, and one who calls it."""

    process: subprocess.Popen[bytes]
    data: Path
    log: Path
    credentials: Credentials
    url: str = ""
    calls: httpx2.Client = field(default_factory=httpx2.Client)

    def connect(self) -> None:
        self.url = wait_for(self._ready)
        self.calls = httpx2.Client(base_url=self.url, timeout=PATIENCE)
        token = self.calls.get(
            "/identity/oauth/token",
            params={
                "grant_type": "client_credentials",
                "client_id": self.credentials.client_id,
                "client_secret": self.credentials.client_secret,
            },
        ).json()["access_token"]
        self.calls.headers["Authorization"] = f"Bearer {token}"

    def _ready(self) -> str | None:
        assert self.process.poll() is None, self.log.read_text()
        for line in self.log.read_text().splitlines():
            if line.startswith("outhaul serves "):
                return line.removeprefix("outhaul serves ")
        return None

    @property
    def worker(self) -> int:
        """The process of its worker, when there is one."""
        return int(wait_for(lambda: children(self.process.pid))[0])

    def call(self, method: str, action: str, **request: Any) -> dict[str, Any]:
        answer = self.calls.request(method, f"/bulk/v1/activities/export/{action}.json", **request)
        return dict(answer.json())

    def start_job(self) -> str:
        made: str = self.call("POST", "create", json=BODY)["result"][0]["exportId"]
        assert self.call("POST", f"{made}/enqueue")["success"]
        return made

    def status(self, job: str) -> dict[str, Any]:
        return dict(self.call("GET", f"{job}/status")["result"][0])

    def writing(self) -> str:
        """Start jobs until one is caught with a part of its file begun; return it."""
        for _ in range(10):
            job = self.start_job()
            wait_for(partial(self.begun, job))
            if not self.ended(job):
                return job
        return pytest.fail("jobs are done too quickly")

    def begun(self, job: str) -> bool:
        return bool(on_disk(self.data, job)) or self.ended(job)

    def ended(self, job: str) -> bool:
        return State(self.status(job)["status"]).ended

    def completed(self, job: str) -> dict[str, Any]:
        """Wait for a job, and hold its file against what the job says of it."""
        wait_for(lambda: self.ended(job))
        status = self.status(job)
        assert status["status"] == "Completed", status
        content = self.calls.get(f"/bulk/v1/activities/export/{job}/file.json").content
        assert status["fileSize"] == len(content)
        assert status["numberOfRecords"] == RECORDS == content.count(b"\n") - 1
        assert status["fileChecksum"] == f"sha256:{hashlib.sha256(content).hexdigest()}"
        assert sum(path.stat().st_size for path in on_disk(self.data, job)) == len(content)
        return status

    def terminate(self) -> None:
        """End it as a service manager does; both processes must be gone in time."""
        worker = self.worker
        self.process.terminate()
        assert self.process.wait(10) == 0, self.log.read_text()
        assert not running(worker)


@dataclass(frozen=True)
class Template:
    """A data folder whose lake others may read, and what its user calls with."""

    folder: Path
    credentials: Credentials

    def copy(self, data: Path) -> Path:
        data.mkdir()
        (data / "outhaul.db").write_bytes((self.folder / "outhaul.db").read_bytes())
        (data / "lake").symlink_to(self.folder / "lake")
        return data


def fill(folder: Path, records: int) -> Template:
    """Make a data folder with activities of ten days."""
    settings = Settings(data=folder)
    database = Database(settings.database_url)
    database.migrate()
    credentials = create_service(
        database,
        "nightly",
        email="etl@example.com",
        permissions=["Read-Only Activity"],
        moment=now(),
    )
    number = pl.int_range(records)
    path = folder / "activities.parquet"
    pl.select(
        marketoGUID=number.cast(pl.String).str.zfill(9),
        leadId=number % 1_000 + 1,
        activityDate=pl.lit(datetime(2026, 1, 1, tzinfo=UTC))
        + pl.duration(seconds=number * 864_000 // records),
        activityTypeId=pl.lit(1),
        primaryAttributeValue=pl.lit("null"),  # takes longest to write
        attributes=pl.lit(json.dumps({"Text": "a, b; " * 20})),
    ).write_parquet(path)
    load_activities(
        Lake(settings.lake_folder / "default"),
        Catalog(database, "default"),
        path,
        now(),
        lambda _: None,
    )
    path.unlink()
    database.close()
    return Template(folder, credentials)


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
        with log.open("wb") as stderr:
            process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "outhaul", "serve", "--data", str(data)),
                    *("--port", str(port), "--limits", "open"),
                ],
                env=os.environ | {"OUTHAUL_LEASE_SECONDS": "1"},
                stderr=stderr,
            )
        server = Server(process, data, log, large.credentials)
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
    # A second or so, on a machine that has nothing else to do.
    wait_for(lambda: not (server.data / "files" / job).exists(), 10)
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
    wait_for(lambda: not running(worker), 10)
    serve().completed(job)


def test_a_port_that_is_in_use_is_named(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        ended = subprocess.run(
            [
                *(sys.executable, "-m", "outhaul", "serve", "--data", str(tmp_path / "data")),
                *("--port", str(port)),
            ],
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
    assert ended.returncode == 1
    assert ended.stderr == f"error: cannot listen on 127.0.0.1:{port}: Address already in use\n"
    assert ended.stdout == ""


# In this process


@dataclass
class Bench:
    """A worker whose attempts are run one by one, and the one who asks."""

    settings: Settings
    database: Database
    worker: Worker
    jobs: JobStore
    moment: datetime = datetime(2026, 1, 31, tzinfo=UTC)

    def put(self) -> Job:
        context = Context(catalog=Catalog(self.database, "default"), limits=Limits())
        job = self.jobs.create("activities", KINDS["activities"].read(BODY, context), self.moment)
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
    worker = Worker(settings, clock=lambda: made.moment, name="bench")
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
    (executors, "render_part"),
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

    def render_part(plan: Any, number: int, *rest: Any) -> int:
        if number in broken:
            broken.remove(number)
            raise OSError("failpoint")
        rendered.append(number)
        return render(plan, number, *rest)

    monkeypatch.setattr(executors, "render_part", render_part)
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
    bench.put()
    break_at(monkeypatch, Queue, "publish", times=2)
    plans = [bench.attempt().plan for _ in range(3)]  # type: ignore[union-attr]
    assert plans[0] is None, "the first one makes it"
    assert plans[1] == plans[2] is not None


def test_where_the_database_is_away_the_lease_runs_out(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = bench.put()
    for name in ("publish", "release", "kept"):
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
    break_at(monkeypatch, Queue, "kept", ConnectionError)
    with pytest.raises(ConnectionError):
        bench.attempt()
    bench.check_whole(job)


def test_a_worker_outlives_errors_of_the_queue_and_of_attempts(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = [bench.put() for _ in range(4)]
    break_at(monkeypatch, Queue, "claim", ConnectionError, times=5)
    break_at(monkeypatch, executors, "render_part", PanicException, call=3, times=2)
    break_at(monkeypatch, Queue, "kept", ConnectionError)
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

    monkeypatch.setattr(executors, "render_part", render)
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
            bench.moment += LEASE / 2
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
