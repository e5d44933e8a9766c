"""Whose job is next: held against a model that is a few lists."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import example, given
from hypothesis import strategies as st
from tests.support.examples import examples

from outhaul.database.engine import Database
from outhaul.database.schema import api_user, export_job, subscription
from outhaul.jobs.queue import Queue
from outhaul.protocol.states import State
from outhaul.settings import Settings

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
SETTINGS = Settings(data=Path("unused"))
LIMITS = {"default": 2, "north": 1, "south": None}
USERS = 3
REQUEST = '{"format": "CSV", "filter": {}, "fields": [], "headers": []}'


def queued_at(number: int) -> datetime:
    """Return when a job was queued: some are in the same moment."""
    return NOON + timedelta(seconds=number // 2)


@dataclass
class User:
    """What a model knows of an API user: jobs are numbered as they were queued."""

    id: int
    of: str
    queue: list[int] = field(default_factory=list)
    running: list[int] = field(default_factory=list)
    turn: int = 0


class Model:
    """Subscriptions and users take turns, as `outhaul.jobs.turns` says it in words."""

    def __init__(self, users: list[User]) -> None:
        self.users = users
        self.turns = dict.fromkeys(LIMITS, 0)

    def running(self, name: str) -> int:
        return sum(len(user.running) for user in self.users if user.of == name)

    def claim(self) -> int | None:
        waiting = [user for user in self.users if user.queue]
        free = {
            user.of
            for user in waiting
            if (limit := LIMITS[user.of]) is None or self.running(user.of) < limit
        }
        if not free:
            return None
        name = min(free, key=lambda name: (self.running(name), self.turns[name], name))
        user = min(
            (user for user in waiting if user.of == name),
            key=lambda user: (len(user.running), user.turn, queued_at(user.queue[0]), user.id),
        )
        user.turn = self.turns[name] = max(self.turns.values()) + 1
        user.running.append(user.queue.pop(0))
        return user.running[-1]


@pytest.fixture(scope="module")
def shared(database_url_of_module: str) -> Iterator[Database]:
    opened = Database(database_url_of_module)
    opened.migrate()
    with opened.write() as connection:
        for name, limit in LIMITS.items():
            values = {"limit_overrides": {"processing_jobs": limit}, "created_at": NOON}
            if name == "default":
                connection.execute(subscription.update().values(**values))
            else:
                connection.execute(subscription.insert().values(name=name, **values))
            for n in range(USERS):
                connection.execute(
                    api_user.insert().values(subscription=name, email=f"{n}", created_at=NOON)
                )
    yield opened
    opened.close()


def begin(database: Database) -> list[User]:
    """Take away all jobs, and the memory of turns; return the users."""
    with database.write() as connection:
        connection.execute(export_job.delete())
        connection.execute(subscription.update().values(turn=0))
        connection.execute(api_user.update().values(turn=0))
        rows = connection.execute(sa.select(api_user).order_by(api_user.c.id))
        return [User(id=row.id, of=row.subscription) for row in rows]


def put(connection: sa.Connection, user: User, number: int) -> None:
    connection.execute(
        export_job.insert().values(
            id=f"{number:06}",
            subscription=user.of,
            api_user=user.id,
            kind="leads",
            state=State.QUEUED.value,
            request=json.loads(REQUEST),
            created_at=NOON,
            queued_at=queued_at(number),
            attempts=0,
        )
    )


STEPS = st.lists(
    st.tuples(st.just("put"), st.integers(0, len(LIMITS) * USERS - 1))
    | st.tuples(st.just("claim"), st.just(0))
    | st.tuples(st.just("end"), st.integers(0, 5)),
    max_size=40,
)


@examples(40)
@given(steps=STEPS)
@example(steps=[("put", 7), ("put", 6)])
def test_users_and_subscriptions_take_turns_as_in_the_model(
    shared: Database, steps: list[tuple[str, int]]
) -> None:
    queue = Queue(shared, SETTINGS, "worker")
    model = Model(begin(shared))
    running: list[int] = []
    # What is left is claimed in the end.
    for number, (step, which) in enumerate([*steps, *[("claim", 0), ("end", 0)] * len(steps)]):
        if step == "put":
            user = model.users[which]
            with shared.write() as connection:
                put(connection, user, number)
            user.queue.append(number)
        elif step == "claim":
            expected = model.claim()
            job = queue.claim(NOON)
            assert (None if job is None else int(job.id)) == expected
            if expected is not None:
                running.append(expected)
        elif running:
            ended = running.pop(which % len(running))
            queue.fail(f"{ended:06}", "over", NOON)
            for user in model.users:
                user.running = [job for job in user.running if job != ended]


def test_a_thousand_jobs_of_one_user_do_not_keep_another_waiting(shared: Database) -> None:
    many, few, *_ = begin(shared)
    with shared.write() as connection:
        for number in range(1_000):
            put(connection, many, number)
        for number in range(1_000, 1_003):
            put(connection, few, number)
    queue = Queue(shared, SETTINGS, "worker")
    started = []
    for _ in range(8):
        job = queue.claim(NOON)
        assert job is not None
        started.append(int(job.id))
        queue.fail(job.id, "over", NOON)
    assert started == [0, 1_000, 1, 1_001, 2, 1_002, 3, 4]


def explained(connection: sa.Connection, statement: str, parameters: Any) -> str:
    word = "EXPLAIN" if connection.dialect.name == "postgresql" else "EXPLAIN QUERY PLAN"
    rows = connection.exec_driver_sql(f"{word} {statement}", parameters)
    return "\n".join(str(row) for row in rows)


def test_claiming_reads_no_table_of_jobs_from_end_to_end(shared: Database) -> None:
    users = begin(shared)
    columns = (
        "id, subscription, api_user, kind, state, request, created_at, queued_at, attempts, "
        "finished_at"
    )
    rows = [
        (f"{n:06}", users[n % 4].of, users[n % 4].id, "leads", state, REQUEST, NOON, NOON, 0, end)
        for n, (state, end) in enumerate(
            [("Queued", None)] * 20_000 + [("Completed", NOON)] * 20_000
        )
    ]
    mark = "%s" if shared.is_postgresql else "?"
    with shared.write() as connection:
        marks = ", ".join([mark] * 10)
        connection.exec_driver_sql(
            f"INSERT INTO export_job ({columns}) VALUES ({marks})",  # noqa: S608 - no input
            [row if shared.is_postgresql else tuple(map(_plain, row)) for row in rows],
        )
    with shared.write() as connection:
        connection.exec_driver_sql("ANALYZE")
    seen: list[tuple[str, Any]] = []

    @sa.event.listens_for(shared._engine, "before_cursor_execute")
    def note(_c: Any, _k: Any, statement: str, parameters: Any, *_: Any) -> None:
        seen.append((statement, parameters))

    job = Queue(shared, SETTINGS, "worker").claim(NOON)
    sa.event.remove(shared._engine, "before_cursor_execute", note)
    assert job is not None
    about_jobs = [each for each in seen if "export_job" in each[0]]
    assert len(about_jobs) >= 5
    scan = "Seq Scan on export_job" if shared.is_postgresql else "SCAN export_job"
    with shared.write() as connection:
        for statement, parameters in about_jobs:
            assert scan not in explained(connection, statement, parameters), statement
    begin(shared)


def _plain(value: object) -> object:
    return f"{value:%Y-%m-%d %H:%M:%S.%f}" if isinstance(value, datetime) else value


def test_turns_are_taken_also_where_the_clock_stands_still(shared: Database) -> None:
    users = begin(shared)[:USERS]
    with shared.write() as connection:
        for number in range(30):
            put(connection, users[number // 10], number)
    queue = Queue(shared, SETTINGS, "worker")
    order = []
    for _ in range(30):
        job = queue.claim(NOON)
        assert job is not None
        order.append(job.user)
        queue.fail(job.id, "over", NOON)
    assert all(one != other for one, other in pairwise(order))
    assert sorted(order) == sorted([user.id for user in users] * 10)
