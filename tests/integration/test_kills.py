"""Many jobs at once, while workers and servers are killed: none is lost, none is done twice.

In a run of all tests it takes a quarter of a minute; `make kills` takes the whole of it.
"""

import hashlib
import os
import signal
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest
import sqlalchemy as sa
from tests.support.sites import SUBSCRIPTIONS, Fleet, Process, Site, killed, site
from tests.support.waiting import wait_for

from outhaul.accounts.services import Credentials
from outhaul.client import (
    Backoff,
    Exports,
    ProtocolError,
    QueueFullError,
    Session,
    UnreachableError,
)
from outhaul.client import session as client_session
from outhaul.client.jobs import Job
from outhaul.clock import now
from outhaul.database.engine import Database
from outhaul.database.schema import export_job, export_part
from outhaul.janitor import Janitor
from outhaul.jobs.queue import MAX_ATTEMPTS
from outhaul.protocol.states import State
from outhaul.storage.opening import open_files

SECONDS = int(os.environ.get("OUTHAUL_KILL_SECONDS", "4"))
JOBS = SECONDS * 200 // 60
USERS = 3
"""API users of each subscription: its jobs take turns."""

BURSTS = 3 * max(1, SECONDS // 30)
"""How often each user wants some jobs at once: together more than the queue takes.

A server is killed at the beginning of the second and of the third third: amid such calls.
"""

JITTER_SECONDS = 0.15

WORKERS = 4
GIVEN_UP = "Gave up after 3 attempts: each time the worker stopped before the export was done"
PATIENCE = 240
"""Seconds after the last kill in which all is to be done."""

LOOK_SECONDS = 0.005
POLL_SECONDS = 0.1

MARK = "MARK"
"""The name of a column in the header of a file, which differs from job to job."""

WINDOW = {"startAt": "2025-12-22T00:00:00Z", "endAt": "2026-01-20T23:59:59Z"}
WEEK = {"startAt": "2026-01-01T00:00:00Z", "endAt": "2026-01-07T23:59:59Z"}
BEFORE = {"startAt": "2025-11-22T00:00:00Z", "endAt": "2025-11-25T00:00:00Z"}
MEMBER_FIELDS = ["leadId", "statusName", "email"]
REQUESTS: Sequence[tuple[str, Mapping[str, Any]]] = (
    ("activities", {"filter": {"createdAt": WINDOW}}),
    ("activities", {"filter": {"createdAt": WEEK}, "format": "TSV"}),
    ("activities", {"filter": {"createdAt": WINDOW, "activityTypeIds": [1, 6, 12]}}),
    ("activities", {"filter": {"createdAt": BEFORE}}),
    ("leads", {"fields": ["id", "email", "company"], "filter": {"createdAt": WINDOW}}),
    ("leads", {"fields": ["id", "updatedAt"], "filter": {"updatedAt": WINDOW}, "format": "SSV"}),
    ("leads", {"fields": ["id", "lastName"], "filter": {"staticListId": 1001}}),
    ("program-members", {"fields": MEMBER_FIELDS, "filter": {"programId": 1004}}),
)
# Most of the time is to be spent on those that have many parts.
WEIGHTS = (6, 3, 6, 1, 1, 1, 1, 1)
KEYS = {"activities": "marketoGUID", "leads": "id", "program-members": "leadId"}
PATHS = {"activities": "activities", "leads": "leads", "program-members": "program/members"}


@dataclass(kw_only=True)
class Order:
    """An export that a client wants, and how far it has come with it."""

    number: int
    kind: str
    request: Mapping[str, Any]
    content: bytes
    records: int
    begins: float
    """When it is asked for, in seconds from the first."""
    cancelled_after: float | None
    """Seconds between the job's being made and its being cancelled, if it is to be."""
    export_id: str = ""
    made: float = 0.0
    state: State = State.CREATED
    answer: Job | None = None

    @property
    def mark(self) -> str:
        """The name of a column that no other job's file has: a job tells by it whose it is."""
        return f"{MARK}{self.number:04}"

    @property
    def body(self) -> dict[str, Any]:
        return {**self.request, "columnHeaderNames": {KEYS[self.kind]: self.mark}}

    @property
    def expected(self) -> bytes:
        return self.content.replace(MARK.encode(), self.mark.encode(), 1)


@dataclass(kw_only=True)
class Client:
    """One who wants exports, all of one API user, and does not give up."""

    url: str
    credentials: Credentials
    orders: Sequence[Order]
    refused: int = 0
    """How often the queue was full."""
    resolved: int = 0
    """How often an answer was lost that would have named a new job."""

    def session(self) -> Session:
        # It comes back soon after a server was killed, so that the server has much to do.
        backoff = Backoff(attempts=1_000_000, seconds=PATIENCE, first_wait=0.1, longest_wait=0.5)
        credentials = self.credentials
        return Session(self.url, credentials.client_id, credentials.client_secret, backoff=backoff)

    def run(self, began: float, until: float) -> None:
        """See all orders to their ends."""
        with self.session() as session:
            exports = {kind: Exports(session, path) for kind, path in PATHS.items()}
            while open_orders := [order for order in self.orders if not order.state.ended]:
                assert time.monotonic() < until, [vars(order) for order in open_orders]
                for order in open_orders:
                    if time.monotonic() - began >= order.begins:
                        self._go_on(exports[order.kind], order)
                time.sleep(POLL_SECONDS)

    def _go_on(self, exports: Exports, order: Order) -> None:
        if not order.export_id:
            self._create(exports, order)
            return
        after = order.cancelled_after
        if after is not None and time.monotonic() - order.made >= after:
            try:
                order.answer = exports.cancel(order.export_id)
                assert order.answer.status is State.CANCELLED
            except ProtocolError as error:
                if error.code != "1003":
                    raise
                order.answer = exports.status(order.export_id)
                assert order.answer.status in {State.COMPLETED, State.FAILED}
        elif order.state is State.CREATED:
            try:
                order.answer = exports.enqueue(order.export_id)
            except QueueFullError:
                self.refused += 1
                return
        else:
            order.answer = exports.status(order.export_id)
        order.state = State(order.answer.status)

    def _create(self, exports: Exports, order: Order) -> None:
        """Make a job; where the answer is lost, look whether there is one more than is known."""
        try:
            order.export_id = exports.create(order.body).export_id
        except UnreachableError:
            known = {each.export_id for each in self.orders}
            found = [job.export_id for job in exports.jobs() if job.export_id not in known]
            self.resolved += 1
            if not found:
                return  # to be made again
            (order.export_id,) = found
        order.made = time.monotonic()


@dataclass(kw_only=True)
class Observer:
    """Looks into the database all the while."""

    database: Database
    looks: int = 0
    most: Counter[str] = field(default_factory=Counter)
    """The most jobs in Processing, by subscription."""
    attempts: set[tuple[str, str]] = field(default_factory=set)
    """Who held which job."""
    ended: dict[str, Any] = field(default_factory=dict)
    """Jobs that have ended: as they were when that was seen."""

    def run(self, stop: threading.Event) -> None:
        while not stop.wait(LOOK_SECONDS):
            self.look()
        self.look()

    def look(self) -> None:
        with self.database.read() as connection:
            jobs = connection.execute(_LOOK).all()
            parts = {row.job: row.parts for row in connection.execute(_PARTS)}
        processing = Counter(
            job.subscription for job in jobs if job.state == State.PROCESSING.value
        )
        assert all(count <= 2 for count in processing.values()), processing
        self.most |= processing
        there = {job.id for job in jobs}
        assert self.ended.keys() <= there, "a job is lost"
        for job in jobs:
            if job.lease_owner is not None:
                self.attempts.add((job.id, job.lease_owner))
            if State(job.state).ended:
                now_it_is = (*job, parts.get(job.id) if job.state == "Completed" else None)
                assert self.ended.setdefault(job.id, now_it_is) == now_it_is
        self.looks += 1


_LOOK = sa.select(
    export_job.c.id,
    export_job.c.subscription,
    export_job.c.state,
    export_job.c.lease_owner,
    export_job.c.records,
    export_job.c.file_size,
    export_job.c.checksum,
    export_job.c.finished_at,
)
_PARTS = sa.select(export_part.c.job, sa.func.count().label("parts")).group_by(export_part.c.job)


@dataclass(kw_only=True)
class Storm:
    """A service at work, and what ends its processes."""

    fleet: Fleet
    random: Random
    ports: Sequence[int]
    part_records: int
    kills: int = 0
    server_kills: int = 0
    workers: list[Process] = field(default_factory=list)
    servers: list[Process] = field(default_factory=list)

    def start(self) -> None:
        self.workers = [self._work() for _ in range(WORKERS)]
        self.servers = [self.fleet.serve(port) for port in self.ports]
        wait_for(lambda: all(server.is_serving() for server in self.servers))

    def kill(self, began: float, others: Sequence[Future[None]]) -> None:
        """Kill a worker every second, and a server twice; others are started at once."""
        for second in range(1, SECONDS + 1):
            time.sleep(max(0.0, began + second - time.monotonic()))
            for other in others:
                if other.done():
                    other.result()
            self.workers = [worker for worker in self.workers if worker.poll() is None]
            assert len(self.workers) == WORKERS
            # One of the older half, as the others may not be at work yet.
            victim = self.workers.pop(self.random.randrange(WORKERS // 2))
            victim.kill()
            killed(victim)
            self.kills += 1
            self.workers.append(self._work())
            if second in {SECONDS // 3, SECONDS * 2 // 3}:
                place = self.server_kills % len(self.servers)
                self.servers[place].kill()
                killed(self.servers[place])
                self.servers[place] = self.fleet.serve(self.ports[place])
                self.server_kills += 1

    def _work(self) -> Process:
        return self.fleet.work(OUTHAUL_PART_RECORDS=str(self.part_records))

    def end(self) -> None:
        for process in (*self.workers, *self.servers):
            process.terminate()
        for process in (*self.workers, *self.servers):
            # The youngest may not have come so far that it takes note of the signal.
            assert process.wait(PATIENCE) in {0, -signal.SIGTERM}, process.log.read_text()


@contextmanager
def ports(count: int) -> Iterator[list[int]]:
    """Hold some ports, for servers that listen there and are started again there."""
    with ExitStack() as stack:
        held = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in held:
            # Bound but not listening, it keeps the port from all that ask for any.
            each.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            each.bind(("127.0.0.1", 0))
        yield [each.getsockname()[1] for each in held]


def clients_of(place: Site, random: Random, urls: Sequence[str]) -> list[Client]:
    """Return who wants the jobs: some users of each subscription, in bursts."""
    contents = {}
    for name in SUBSCRIPTIONS:
        for index, (kind, request) in enumerate(REQUESTS):
            body = {**request, "columnHeaderNames": {KEYS[kind]: MARK}}
            contents[name, index] = place.rendered(name, kind, body)
    orders: dict[tuple[str, int], list[Order]] = {
        (name, user): [] for name in SUBSCRIPTIONS for user in range(USERS)
    }
    for number in range(JOBS):
        whose = [*orders][number % len(orders)]
        name = whose[0]
        index = random.choices(range(len(REQUESTS)), WEIGHTS)[0]
        kind, request = REQUESTS[index]
        content, records = contents[name, index]
        burst = len(orders[whose]) * len(orders) * BURSTS // JOBS
        orders[whose].append(
            Order(
                number=number,
                kind=kind,
                request=request,
                content=content,
                records=records,
                begins=burst * SECONDS / BURSTS - random.uniform(0, JITTER_SECONDS),
                cancelled_after=random.uniform(0, 2) if random.random() < 0.15 else None,
            )
        )
    return [
        Client(
            url=urls[user % len(urls)],
            credentials=place.service(f"{user}@{name}.example.com", name),
            orders=wanted,
        )
        for (name, user), wanted in orders.items()
    ]


def check_file(session: Session, order: Order, random: Random) -> None:
    """Fetch a file, whole and a range of it, and hold it against what was asked for."""
    assert order.answer is not None
    exports = Exports(session, PATHS[order.kind])
    assert exports.status(order.export_id) == order.answer
    digest = hashlib.sha256(order.expected).hexdigest()
    assert order.answer.checksum == f"sha256:{digest}"
    assert order.answer.file_size == len(order.expected)
    assert order.answer.records == order.records
    path = exports.file_path(order.export_id)
    with session.stream(path) as answer:
        assert answer.read() == order.expected
    first, last = sorted(random.sample(range(len(order.expected)), 2))
    with session.stream(path, {"Range": f"bytes={first}-{last}"}) as answer:
        assert answer.status_code == 206
        assert answer.read() == order.expected[first : last + 1]


def check_jobs(place: Site, orders: Sequence[Order], kills: int) -> int:
    """See that there is one job for each order, in the state that its client was told.

    Return how many parts were left that belong to no file.
    """
    with place.database.read() as connection:
        rows = connection.execute(sa.select(export_job)).all()
        parts = connection.execute(sa.select(export_part.c.key, export_part.c.job)).all()
    wanted = {order.mark: order for order in orders}
    found = Counter(header for row in rows for header in row.request["headers"] if header in wanted)
    assert found == dict.fromkeys(wanted, 1)
    assert len(rows) == len(orders)
    states = {row.id: State(row.state) for row in rows}
    assert states == {order.export_id: order.state for order in orders}
    # Three kills in a row may meet one job before its first part is there, on a busy machine.
    failed = [row.error_message for row in rows if row.state == State.FAILED.value]
    assert set(failed) <= {GIVEN_UP}
    assert len(failed) * MAX_ATTEMPTS <= kills  # a worker has one job at a time

    completed = {part.key for part in parts if states[part.job] is State.COMPLETED}
    files = open_files(place.settings)
    stored = {entry.key for entry in files.list()}
    assert completed <= stored
    # Of a job that was cancelled or published just when its worker died, parts may be left;
    # the janitor takes them as soon as they are old enough, of which the clock is told here.
    janitor = Janitor(place.settings, place.database, files, lambda: now() + timedelta(hours=2))
    janitor.round()
    assert {entry.key for entry in files.list()} == completed
    return len(stored - completed)


def run(place: Site, folder: Path, *, servers: int, part_records: int) -> str:
    """Go through it; return what came of it, in a few lines."""
    seed = time.time_ns()
    random = Random(seed)  # noqa: S311 - it decides who is killed
    observer = Observer(database=place.database)
    with ExitStack() as stack:
        held = stack.enter_context(ports(servers))
        fleet = stack.enter_context(Fleet(place, folder))
        clients = clients_of(place, random, [f"http://127.0.0.1:{port}" for port in held])
        orders = [order for client in clients for order in client.orders]
        storm = Storm(fleet=fleet, random=random, ports=held, part_records=part_records)
        storm.start()
        pool = stack.enter_context(ThreadPoolExecutor(len(clients) + 1))
        over = threading.Event()
        stack.callback(over.set)
        observing = pool.submit(observer.run, over)
        began = time.monotonic()
        running = [pool.submit(each.run, began, began + SECONDS + PATIENCE) for each in clients]
        storm.kill(began, [observing, *running])
        for each in running:
            each.result()
        seconds = time.monotonic() - began
        over.set()
        observing.result()
        for client in clients:
            with client.session() as session:
                for order in client.orders:
                    if order.state is State.COMPLETED:
                        check_file(session, order, random)
        storm.end()
    left = check_jobs(place, orders, storm.kills)
    states = Counter(order.state.value for order in orders)
    assert observer.ended.keys() == {order.export_id for order in orders}
    again = Counter(Counter(job for job, _ in observer.attempts).values())
    # In a short run on a fast machine no kill may meet a job.
    assert len(again) > 1 or SECONDS < 60
    took = ", ".join(f"{jobs} jobs {count}" for count, jobs in sorted(again.items()))
    return (
        f"{JOBS} jobs in {seconds:.0f} s: {states['Completed']} Completed, "
        f"{states['Cancelled']} Cancelled, {states['Failed']} Failed\n"
        f"{storm.kills} workers of {WORKERS} killed, {storm.server_kills} times an API server "
        f"of {servers}\n"
        f"attempts: {took}; most in Processing: {dict(observer.most)}, in {observer.looks} looks\n"
        f"queue full {sum(client.refused for client in clients)} times, "
        f"answers lost that name a job {sum(client.resolved for client in clients)}, "
        f"parts left to the janitor {left}; seed {seed}"
    )


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a session begin just when its server was killed, before the next one is there."""
    monkeypatch.setattr(client_session, "_FIRST_CONTACT_ATTEMPTS", 1_000_000)


@pytest.mark.timeout(SECONDS + 2 * PATIENCE)
def test_all_jobs_end_well_over_sqlite_and_a_folder(tmp_path: Path, record_property: Any) -> None:
    with site(tmp_path) as place:
        record_property("result", run(place, tmp_path, servers=1, part_records=70))


@pytest.mark.timeout(SECONDS + 2 * PATIENCE)
def test_all_jobs_end_well_over_postgresql_and_s3_with_two_servers(
    tmp_path: Path, record_property: Any, postgresql: Any, bucket: Any
) -> None:
    url = postgresql.create()
    with site(tmp_path, url, bucket) as place:
        record_property("result", run(place, tmp_path, servers=2, part_records=140))
    postgresql.drop(url)
