from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from outhaul.accounts.meter import Meter, Ticket
from outhaul.accounts.subscriptions import create_subscription
from outhaul.accounts.usage import CallCounts, ErrorCounts, UsageStore
from outhaul.database.engine import Database
from outhaul.database.schema import api_user, usage
from outhaul.errors import ApiError
from outhaul.settings import LIMIT_SETS, Limits

MOMENT = datetime(2026, 1, 20, 12, tzinfo=UTC)
TODAY = date(2026, 1, 20)
FREE = LIMIT_SETS["open"]
MakeUser = Callable[..., int]


class NoStore(UsageStore):
    """Keeps nothing: for rules that need no database."""

    def __init__(self) -> None:
        pass

    def add(self, calls: CallCounts, errors: ErrorCounts) -> dict[tuple[str, date], int]:  # noqa: ARG002
        return {}

    def total(self, subscription: str, day: date) -> int:  # noqa: ARG002
        return 0


@pytest.fixture
def make_user(database: Database) -> MakeUser:
    def make(email: str = "etl@example.com", of: str = "default") -> int:
        with database.write() as connection:
            made = connection.execute(
                api_user.insert()
                .values(subscription=of, email=email, created_at=MOMENT)
                .returning(api_user.c.id)
            )
            return int(made.scalar_one())

    return make


@pytest.fixture
def meter(database: Database) -> Meter:
    return Meter(UsageStore(database))


def limits(**single: Any) -> Limits:
    return FREE.model_copy(update=single)


def enter(
    meter: Meter, of: Limits, moment: datetime = MOMENT, *, name: str = "default", user: int = 1
) -> Ticket:
    return meter.enter(name, user, of, moment)


def refused(meter: Meter, of: Limits, moment: datetime = MOMENT, *, name: str = "default") -> str:
    with pytest.raises(ApiError) as caught:
        enter(meter, of, moment, name=name)
    return str(caught.value)


def call(meter: Meter, user: int, moment: datetime = MOMENT, code: str | None = None) -> None:
    meter.leave(enter(meter, FREE, moment, user=user), code)


def after(seconds: float) -> datetime:
    return MOMENT + timedelta(seconds=seconds)


# The rules


def test_so_many_calls_in_20_seconds_whatever_they_are_answered() -> None:
    meter, two = Meter(NoStore()), limits(calls_in_20_seconds=2)
    meter.leave(enter(meter, two), "1003")
    enter(meter, two, after(5))
    for seconds in (5, 19.999):
        message = "606 Max rate limit '2' exceeded with in '20' secs"
        assert refused(meter, two, after(seconds)) == message
    enter(meter, two, after(20))  # refused calls do not count: whoever tries again gets in
    assert refused(meter, two, after(24.999)).startswith("606")
    enter(meter, two, after(25))


def test_so_many_calls_at_once() -> None:
    meter, two = Meter(NoStore()), limits(calls_at_once=2)
    tickets = [enter(meter, two), enter(meter, two)]
    assert refused(meter, two) == "615 Concurrent access limit reached"
    meter.leave(tickets[0], None)
    enter(meter, two)
    assert refused(meter, two).startswith("615")


def test_so_many_calls_a_day_but_for_errors() -> None:
    meter, two = Meter(NoStore()), limits(calls_per_day=2)
    for _ in range(5):
        meter.leave(enter(meter, two), "1003")
    meter.leave(enter(meter, two), None)
    going_on = enter(meter, two)
    assert refused(meter, two) == "607 Daily quota reached"
    meter.leave(going_on, "404")
    meter.leave(enter(meter, two), None)
    assert refused(meter, two).startswith("607")


def test_the_day_begins_at_midnight_in_chicago() -> None:
    meter, one = Meter(NoStore()), limits(calls_per_day=1)
    midnight = datetime(2026, 1, 21, 6, tzinfo=UTC)
    meter.leave(enter(meter, one, midnight - timedelta(seconds=1)), None)
    assert refused(meter, one, midnight - timedelta(microseconds=1)).startswith("607")
    late = enter(meter, one, midnight)
    meter.leave(late, None)
    assert refused(meter, one, midnight).startswith("607")


def test_a_call_belongs_to_the_day_that_it_began_in(meter: Meter, make_user: MakeUser) -> None:
    user, midnight = make_user(), datetime(2026, 1, 21, 6, tzinfo=UTC)
    ticket = enter(meter, FREE, midnight - timedelta(seconds=1), user=user)
    enter(meter, FREE, midnight, user=user)
    meter.leave(ticket, None)
    counted = meter.calls("default", midnight, 2)
    assert counted == {date(2026, 1, 21): {}, TODAY: {"etl@example.com": 1}}


def test_subscriptions_are_counted_apart() -> None:
    meter = Meter(NoStore())
    one = limits(calls_in_20_seconds=1, calls_at_once=1, calls_per_day=1)
    enter(meter, one, name="default")
    enter(meter, one, name="emea")
    assert refused(meter, one, name="default").startswith("615")
    assert refused(meter, one, name="emea").startswith("615")


def test_without_limits_all_calls_get_in() -> None:
    meter = Meter(NoStore())
    for _ in range(300):
        enter(meter, FREE)


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("enter"), st.sampled_from(["a", "b"])),
        st.tuples(st.just("leave"), st.booleans()),
        st.tuples(st.just("wait"), st.sampled_from([0.5, 5, 19, 20, 40_000])),
    ),
    max_size=60,
)
LIMIT = st.none() | st.integers(1, 4)


@given(steps=STEPS, rate=LIMIT, at_once=LIMIT, a_day=LIMIT)
def test_who_gets_in_is_what_a_list_of_all_calls_says(
    steps: list[tuple[str, Any]], rate: int | None, at_once: int | None, a_day: int | None
) -> None:
    meter = Meter(NoStore())
    of = limits(calls_in_20_seconds=rate, calls_at_once=at_once, calls_per_day=a_day)
    moment = MOMENT
    calls: list[dict[str, Any]] = []
    for step, argument in steps:
        going = [each for each in calls if each["open"]]
        if step == "wait":
            moment += timedelta(seconds=argument)
        elif step == "leave" and going:
            meter.leave(going[0]["ticket"], "1003" if argument else None)
            going[0].update(open=False, error=argument)
        elif step == "enter":
            ours = [each for each in calls if each["name"] == argument]
            running = sum(each["open"] for each in ours)
            lately = sum(each["at"] > moment - timedelta(seconds=20) for each in ours)
            day = (moment - timedelta(hours=6)).date()  # Chicago, in winter
            today = sum(each["open"] or (each["day"] == day and not each["error"]) for each in ours)
            expected = None
            if at_once is not None and running >= at_once:
                expected = "615"
            elif rate is not None and lately >= rate:
                expected = "606"
            elif a_day is not None and today >= a_day:
                expected = "607"
            if expected is not None:
                assert refused(meter, of, moment, name=argument).startswith(expected)
                continue
            ticket = enter(meter, of, moment, name=argument)
            calls.append(
                {
                    "name": argument,
                    "ticket": ticket,
                    "at": moment,
                    "day": day,
                    "open": True,
                    "error": False,
                }
            )


def test_threads_do_not_get_in_beyond_the_limit() -> None:
    meter, of = Meter(NoStore()), limits(calls_per_day=50)

    def attempt(_: int) -> int:
        try:
            meter.leave(enter(meter, of), None)
        except ApiError:
            return 0
        return 1

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(attempt, range(400))) == 50


# What is kept


def test_calls_and_errors_are_told_by_day(meter: Meter, make_user: MakeUser) -> None:
    etl, writer = make_user("etl@example.com"), make_user("writer@example.com")
    for user in (etl, etl, writer):
        call(meter, user)
    call(meter, etl, MOMENT - timedelta(days=1))
    for code in ("1003", "1003", "404"):
        call(meter, etl, code=code)
    yesterday = TODAY - timedelta(days=1)
    assert meter.calls("default", MOMENT) == {
        TODAY: {"etl@example.com": 2, "writer@example.com": 1}
    }
    assert meter.errors("default", MOMENT) == {TODAY: {"1003": 2, "404": 1}}
    week = meter.calls("default", MOMENT, 7)
    assert list(week) == [TODAY - timedelta(days=n) for n in range(7)]
    assert week[yesterday] == {"etl@example.com": 1}
    assert meter.errors("default", MOMENT, 7)[yesterday] == {}


def test_a_refused_call_is_an_error_and_no_call(meter: Meter) -> None:
    refused(meter, limits(calls_per_day=0))
    assert meter.calls("default", MOMENT) == {TODAY: {}}
    assert meter.errors("default", MOMENT) == {TODAY: {"607": 1}}


def test_another_process_goes_on_where_this_one_was(
    database: Database, make_user: MakeUser
) -> None:
    user, two = make_user(), limits(calls_per_day=2)
    before = Meter(UsageStore(database))
    call(before, user)
    call(before, user)
    before.flush()
    assert refused(Meter(UsageStore(database)), two).startswith("607")


def test_processes_learn_of_each_other_when_they_keep_their_counts(
    database: Database, make_user: MakeUser
) -> None:
    user, three = make_user(), limits(calls_per_day=3)
    meters = [Meter(UsageStore(database)) for _ in range(2)]
    for meter in meters:
        call(meter, user)
    for meter in meters:
        meter.flush()
    call(meters[1], user)
    assert refused(meters[1], three).startswith("607")
    assert meters[1].calls("default", MOMENT) == {TODAY: {"etl@example.com": 3}}


def test_nothing_is_counted_twice_or_lost_while_threads_count_and_keep(
    database: Database, make_user: MakeUser
) -> None:
    meter, user = Meter(UsageStore(database)), make_user()

    def some(n: int) -> None:
        for _ in range(25):
            call(meter, user)
            if n % 2:
                meter.flush()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(some, range(4)))
    assert meter.calls("default", MOMENT) == {TODAY: {"etl@example.com": 100}}
    assert refused(meter, limits(calls_per_day=100)).startswith("607")
    enter(meter, limits(calls_per_day=101))


def test_counts_wait_until_the_database_is_back(
    database: Database, make_user: MakeUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, user = UsageStore(database), make_user()
    meter = Meter(store)
    call(meter, user)
    call(meter, user, code="1003")
    with monkeypatch.context() as patch:
        patch.setattr(store, "add", lambda *_: (_ for _ in ()).throw(OSError("away")))
        with pytest.raises(OSError, match="away"):
            meter.flush()
    call(meter, user)
    assert meter.calls("default", MOMENT) == {TODAY: {"etl@example.com": 2}}
    assert meter.errors("default", MOMENT) == {TODAY: {"1003": 1}}


def test_keeping_nothing_writes_nothing(
    database: Database, meter: Meter, make_user: MakeUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    call(meter, make_user())
    meter.flush()
    monkeypatch.setattr(database, "write", None)
    meter.flush()
    with database.read() as connection:
        assert connection.execute(sa.select(usage.c.calls)).scalars().all() == [1]


def test_what_is_kept_of_one_subscription_is_not_told_to_another(
    database: Database, meter: Meter, make_user: MakeUser
) -> None:
    create_subscription(database, "emea", MOMENT)
    call(meter, make_user(), code="1003")
    meter.leave(enter(meter, FREE, name="emea", user=make_user(of="emea")), None)
    assert meter.calls("default", MOMENT) == {TODAY: {}}
    assert meter.errors("default", MOMENT) == {TODAY: {"1003": 1}}
    assert meter.calls("emea", MOMENT) == {TODAY: {"etl@example.com": 1}}
    assert meter.errors("emea", MOMENT) == {TODAY: {}}
