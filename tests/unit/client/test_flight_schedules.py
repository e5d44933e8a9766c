"""Whatever the sizes, the quota, the day and the other runs: every task lands once, in time."""

from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import chain, repeat
from random import Random

import httpx2
from hypothesis import given
from hypothesis import strategies as st
from tests.support.examples import examples
from tests.support.simulated import Simulated, SimulatedJob

from outhaul.client import Flight, Forecast, Pace, Quota, Task, Watch

MB = 1_000_000
MOST_CALLS = 5_000
KINDS = ("leads", "activities")

BEGINS = st.sampled_from(
    [
        datetime(2026, 1, 20, 18, tzinfo=UTC),
        datetime(2026, 1, 20, 5, 59, 50, tzinfo=UTC),  # just before midnight
        datetime(2026, 1, 20, 6, tzinfo=UTC),
        datetime(2026, 3, 8, 5, 30, tzinfo=UTC),  # a day of 23 hours follows
        datetime(2026, 10, 31, 23, tzinfo=UTC),  # a day of 25 hours follows
    ]
)


@dataclass(frozen=True)
class Family:
    """Tasks of one kind. A unit of span has `rate` bytes."""

    kind: str
    rate: int
    spans: Sequence[int]
    seconds: int


FAMILIES = st.lists(
    st.builds(
        Family,
        kind=st.sampled_from(KINDS),
        rate=st.integers(0, 20) | st.sampled_from([100, 400]),
        spans=st.lists(st.integers(1, 6), min_size=1, max_size=6),
        seconds=st.sampled_from([0, 5, 600, 5_000]),
    ),
    min_size=1,
    max_size=3,
)


class Calls:
    """Ends a flight that does not end by itself."""

    def __init__(self) -> None:
        self.left = MOST_CALLS

    def __call__(self, _name: str, _nth: int) -> None:
        self.left -= 1
        assert self.left > 0, "the flight goes on for ever"


def tasks_of(families: Sequence[Family]) -> list[Task]:
    return [
        Task(
            kind_path=family.kind,
            request={
                "size": family.rate * span * MB,
                "seconds": family.seconds,
                "family": number,
            },
            name=f"{family.kind} {number} {index}",
            family=f"{family.kind} {number}",
            span=span,
            key=(number, index),
        )
        for number, family in enumerate(families)
        for index, span in enumerate(family.spans)
    ]


def fly(
    endpoint: Simulated, tasks: Sequence[Task], *, lazily: bool, watch: Watch
) -> Counter[object]:
    limit = None if endpoint.quota_mb is None else endpoint.quota_mb * MB
    with endpoint.session() as session:
        quota = Quota(session, KINDS, limit)
        pace = Pace(poll_seconds=1_000, queue_wait=1e7)
        with Flight(
            session,
            quota=quota,
            at_once=endpoint.queue_limit,
            pace=pace,
            watch=watch,
            wait=True,
        ) as flight:
            keys: Counter[object] = Counter()
            for landed in flight.landed(iter(tasks) if lazily else tasks):
                assert landed.error is None, landed
                assert landed.job is not None
                keys[landed.task.key] += 1
            return keys


class Watching(Watch):
    def __init__(self) -> None:
        self.forecasts: list[Forecast] = []

    def planned(self, forecast: Forecast) -> None:
        self.forecasts.append(forecast)


ENDPOINTS = st.builds(
    Simulated,
    quota_mb=st.integers(5, 500) | st.none(),
    queue_limit=st.integers(1, 10),
    lanes=st.integers(1, 3),
    begin=BEGINS,
)


@given(families=FAMILIES, endpoint=ENDPOINTS, lazily=st.booleans())
def test_alone(families: Sequence[Family], endpoint: Simulated, lazily: bool) -> None:
    """No call is refused, and no job is begun that is known not to fit."""
    endpoint.after = Calls()
    endpoint.queued = partial(check_room, endpoint)
    watch = Watching()
    tasks = tasks_of(families)
    assert fly(endpoint, tasks, lazily=lazily, watch=watch) == Counter(task.key for task in tasks)
    assert endpoint.codes() <= {"ok"}
    assert len(endpoint.jobs) == len(tasks)
    assert watch.forecasts[-1].tasks == 0


def check_room(endpoint: Simulated, job: SimulatedJob) -> None:
    """Raise `AssertionError` if a job was begun that is known not to fit."""
    if endpoint.quota_mb is None:
        return
    limit = endpoint.quota_mb * MB
    others = [each for each in endpoint.open("me") if each is not job]
    alike = [
        each
        for each in endpoint.jobs
        if each.state == "Completed"
        and (each.kind, each.request["family"]) == (job.kind, job.request["family"])
    ]
    if not any(each.size for each in alike) and len(alike) < 3:
        assert not others, "a sample was not begun alone"
    elif job.size * 1.1 > limit:
        assert not others
        assert endpoint.used() == 0, "a job larger than the quota was not begun on a fresh day"
    else:
        assert endpoint.used() + job.size + sum(each.size for each in others) <= limit


OTHER_JOBS = st.lists(
    st.tuples(
        st.integers(0, 300_000),  # seconds from the begin
        st.sampled_from(KINDS),
        st.sampled_from(["me", "another"]),
        st.integers(0, 300),
        st.sampled_from([10, 3_000, 30_000]),
    ),
    max_size=6,
)


@given(families=FAMILIES, endpoint=ENDPOINTS, other_jobs=OTHER_JOBS)
def test_among_others(
    families: Sequence[Family],
    endpoint: Simulated,
    other_jobs: Sequence[tuple[int, str, str, int, int]],
) -> None:
    """Jobs of the same API user are seen and those of another are not: all tasks land."""
    endpoint.after = Calls()
    for seconds, kind, user, size, long in other_jobs:
        add = partial(endpoint.add, "Queued", kind, user, size=size * MB, seconds=long)
        endpoint.at(endpoint.begin + timedelta(seconds=seconds), add)
    tasks = tasks_of(families)
    keys = fly(endpoint, tasks, lazily=False, watch=Watching())
    assert keys == Counter(task.key for task in tasks)
    own = [job for job in endpoint.jobs if "family" in job.request]
    assert all(job.state in ("Completed", "Cancelled") for job in own)
    assert sum(job.state == "Completed" for job in own) == len(tasks)


@examples(20)
@given(
    seed=st.integers(0, 2**32),
    share=st.sampled_from([0.05, 0.2]),
    quota_mb=st.sampled_from([None, 60]),
)
def test_calls_that_break_lose_and_double_nothing(
    seed: int, share: float, quota_mb: int | None
) -> None:
    """Calls break at random, before or after their effect, or are answered by a proxy."""
    endpoint = Simulated(quota_mb=quota_mb)
    chance = Random(seed)  # noqa: S311 - no secret

    def fault(_name: str, _nth: int) -> httpx2.Response | None:
        # An endpoint that has never answered gets three attempts only.
        if not endpoint.journal or chance.random() >= share:
            return None
        if chance.random() < 0.5:
            raise httpx2.ReadError("broken off")
        return httpx2.Response(chance.choice([502, 503, 429]), text="a proxy")

    def after(name: str, _nth: int) -> None:
        if name != "token" and chance.random() < share / 2:
            raise httpx2.ReadError("broken off")

    endpoint.fault, endpoint.after = fault, after
    tasks = tasks_of([Family("leads", 10, [1] * 8, 100)])
    with endpoint.session(attempts=30) as session:
        quota = Quota(session, ["leads"], None if quota_mb is None else quota_mb * MB)
        with Flight(session, quota=quota, wait=True) as flight:
            landed = list(flight.landed(tasks))
    assert Counter(each.task.key for each in landed) == Counter(task.key for task in tasks)
    assert all(each.error is None for each in landed)
    assert endpoint.open() == []
    assert sum(job.state == "Completed" for job in endpoint.jobs) == len(tasks)


@examples(10)
@given(
    sizes=st.lists(st.integers(1, 60), min_size=2, max_size=5),
    queue_limit=st.integers(1, 4),
    quota_mb=st.integers(20, 200),
)
def test_two_programs_of_one_user_share_queue_and_quota(
    sizes: Sequence[int], queue_limit: int, quota_mb: int
) -> None:
    endpoint = Simulated(queue_limit=queue_limit, quota_mb=quota_mb)
    endpoint.after = Calls()
    tasks = tasks_of([Family("leads", 1, sizes, 100)])
    keys: list[Counter[object]] = [Counter(), Counter()]
    with ExitStack() as stack:
        flights = []
        for _ in keys:
            session = stack.enter_context(endpoint.session())
            quota = Quota(session, KINDS, quota_mb * MB)
            pace = Pace(queue_wait=1e7)
            flight = Flight(session, quota=quota, at_once=queue_limit, pace=pace, wait=True)
            flights.append(stack.enter_context(flight).landed(tasks))
        # While the one is waited for, the other's jobs go on, but nobody takes note of their ends.
        for turn in chain.from_iterable(repeat(range(2))):
            landed = next(flights[turn], None)
            if landed is not None:
                assert landed.error is None
                keys[turn][landed.task.key] += 1
            if all(sum(each.values()) == len(tasks) for each in keys):
                break
    assert keys == [Counter(task.key for task in tasks)] * 2
    assert endpoint.open() == []
