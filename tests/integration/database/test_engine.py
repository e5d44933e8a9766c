import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, suppress
from datetime import UTC, datetime, timedelta, timezone
from threading import Event
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.waiting import PATIENCE

from outhaul.database.engine import Database
from outhaul.database.schema import Instant, api_user, subscription

ZONES = st.integers(-23 * 60, 23 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
MOMENTS = st.datetimes(
    datetime(1900, 1, 1),  # noqa: DTZ001 - hypothesis adds the zone
    datetime(2200, 1, 1),  # noqa: DTZ001 - same
    timezones=ZONES,
)
MOMENT = datetime(2026, 1, 31, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def shared(database_url_of_module: str) -> Iterator[Database]:
    opened = Database(database_url_of_module)
    opened.migrate()
    yield opened
    opened.close()


def add(connection: sa.Connection, *names: str, moment: datetime = MOMENT) -> None:
    for name in names:
        connection.execute(
            subscription.insert().values(name=name, limit_overrides={}, created_at=moment)
        )


def names(connection: sa.Connection) -> set[str]:
    return set(connection.execute(sa.select(subscription.c.name)).scalars())


@settings(deadline=None)
@given(moment=MOMENTS, other=MOMENTS)
def test_aware_datetimes_come_back_in_utc_and_compare_as_moments(
    shared: Database, moment: datetime, other: datetime
) -> None:
    found = sa.select(subscription.c.created_at).where(subscription.c.name == "moment")
    with shared.write() as connection:
        add(connection, "moment", moment=moment)
        kept = connection.execute(found).scalar_one()
        earlier = connection.execute(found.where(subscription.c.created_at < other)).first()
        connection.execute(subscription.delete().where(subscription.c.name == "moment"))
    assert kept == moment
    assert kept.tzinfo is UTC
    assert (earlier is not None) == (moment < other)


def test_a_moment_in_the_time_zone_of_a_session_comes_back_in_utc() -> None:
    # So PostgreSQL answers.
    dialect = sa.create_mock_engine("sqlite://", lambda *_: None).dialect
    answered = MOMENT.astimezone(timezone(timedelta(hours=2)))
    kept = Instant().process_result_value(answered, dialect)
    assert kept == MOMENT
    assert kept is not None
    assert kept.tzinfo is UTC


@pytest.mark.parametrize("begin", [Database.read, Database.write])
def test_a_connection_that_is_in_use_is_closed_after_the_database(
    database_url: str, begin: Callable[[Database], AbstractContextManager[sa.Connection]]
) -> None:
    opened = Database(database_url)
    with begin(opened) as connection:
        raw: Any = connection.connection.dbapi_connection
        opened.close()
        assert connection.execute(sa.select(1)).scalar_one() == 1
    with pytest.raises(Exception, match="closed"):
        raw.cursor()


def test_a_datetime_without_a_time_zone_is_refused(database: Database) -> None:
    with (
        pytest.raises(sa.exc.StatementError, match="without a time zone"),
        database.write() as connection,
    ):
        add(connection, "naive", moment=MOMENT.replace(tzinfo=None))


def test_a_write_transaction_is_committed_at_its_end(database: Database) -> None:
    with database.write() as connection:
        add(connection, "one", "two")
    with database.read() as connection:
        assert names(connection) == {"default", "one", "two"}


def test_a_write_transaction_that_fails_leaves_nothing(database: Database) -> None:
    def write() -> None:
        with database.write() as connection:
            add(connection, "one")
            connection.execute(sa.text("CREATE TABLE made (id INTEGER)"))
            raise RuntimeError("power cut")

    with pytest.raises(RuntimeError, match="power cut"):
        write()
    with database.read() as connection:
        assert names(connection) == {"default"}
        assert not sa.inspect(connection).has_table("made")


def test_a_statement_that_fails_undoes_those_before_it(database: Database) -> None:
    with pytest.raises(sa.exc.IntegrityError), database.write() as connection:
        add(connection, "one", "default")
    with database.read() as connection:
        assert names(connection) == {"default"}


def test_rows_that_hang_on_nothing_are_refused(database: Database) -> None:
    with pytest.raises(sa.exc.IntegrityError), database.write() as connection:
        connection.execute(
            api_user.insert().values(subscription="missing", email="a@b.c", created_at=MOMENT)
        )


def test_a_read_transaction_keeps_nothing(database: Database) -> None:
    # PostgreSQL refuses it.
    with suppress(sa.exc.InternalError), database.read() as connection:
        add(connection, "one")
    with database.read() as connection:
        assert names(connection) == {"default"}


def test_what_a_reader_sees_does_not_change_and_does_not_stop_a_writer(
    database: Database,
) -> None:
    with database.read() as reader:
        assert names(reader) == {"default"}
        with database.write() as writer:
            add(writer, "one")
            assert names(reader) == {"default"}
        assert names(reader) == {"default"}
    with database.read() as reader:
        assert names(reader) == {"default", "one"}


def lock_default(connection: sa.Connection) -> dict[str, Any]:
    """Lock a row, as writers do whose rules it stands for; return what it holds."""
    row = sa.select(subscription.c.limit_overrides).where(subscription.c.name == "default")
    held: dict[str, Any] = connection.execute(row.with_for_update()).scalar_one()
    return held


def test_a_writer_waits_for_the_one_before_it_and_sees_what_it_wrote(database: Database) -> None:
    begun = Event()

    def second() -> set[str]:
        begun.set()
        with database.write() as connection:
            lock_default(connection)
            return names(connection)

    with ThreadPoolExecutor(1) as pool:
        with database.write() as connection:
            lock_default(connection)
            waiting = pool.submit(second)
            assert begun.wait(PATIENCE)
            time.sleep(0.1)
            assert not waiting.done()
            add(connection, "one")
        assert waiting.result(PATIENCE) == {"default", "one"}


def test_writers_wait_also_for_those_of_other_processes(
    database: Database, database_url: str
) -> None:
    # Two engines share nothing but the database, as two processes do.
    other = Database(database_url)
    of_default = subscription.c.name == "default"
    rounds = 25

    def count(opened: Database) -> None:
        for _ in range(rounds):
            with opened.write() as connection:
                held = lock_default(connection).get("n", 0)
                connection.execute(
                    subscription.update().where(of_default).values(limit_overrides={"n": held + 1})
                )

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(count, [database, other, database, other]))
    with database.read() as connection:
        overrides = connection.execute(sa.select(subscription.c.limit_overrides)).scalar_one()
    other.close()
    assert overrides == {"n": 4 * rounds}
