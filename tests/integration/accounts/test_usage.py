from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta

import pytest
import sqlalchemy as sa
from tests.support.metering import FREE, MOMENT, TODAY, enter, limits, refused

from outhaul.accounts.meter import Meter
from outhaul.accounts.subscriptions import create_subscription
from outhaul.accounts.usage import UsageStore
from outhaul.database.engine import Database
from outhaul.database.schema import api_user, usage

MakeUser = Callable[..., int]


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


def call(meter: Meter, user: int, moment: datetime = MOMENT, code: str | None = None) -> None:
    meter.leave(enter(meter, FREE, moment, user=user), code)


def test_a_call_belongs_to_the_day_that_it_began_in(meter: Meter, make_user: MakeUser) -> None:
    user, midnight = make_user(), datetime(2026, 1, 21, 6, tzinfo=UTC)
    ticket = enter(meter, FREE, midnight - timedelta(seconds=1), user=user)
    enter(meter, FREE, midnight, user=user)
    meter.leave(ticket, None)
    counted = meter.calls("default", midnight, 2)
    assert counted == {date(2026, 1, 21): {}, TODAY: {"etl@example.com": 1}}


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
