"""Who waits is woken, and not by the clock: waits here last an hour at least."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Thread

import pytest
import sqlalchemy as sa
from tests.support import postgres
from tests.support.waiting import PATIENCE

from outhaul.database.engine import Database
from outhaul.database.wakeups import Wakeups, wake_workers

HOUR = 3_600


@pytest.fixture
def wakeups(database: Database) -> Iterator[Wakeups]:
    made = Wakeups(database)
    made.start()
    yield made
    made.close()


@pytest.fixture
def listening(wakeups: Wakeups) -> Wakeups:
    """One that listens already: it says so, as something may have been missed."""
    wakeups.wait(0, HOUR)
    assert wakeups.count == 1
    return wakeups


on_postgresql = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)


def wake(database: Database) -> None:
    with database.write() as connection:
        wake_workers(connection)


@on_postgresql
def test_who_waits_is_woken_by_a_transaction_of_anybody(
    database: Database, database_url: str, listening: Wakeups
) -> None:
    other = Database(database_url)
    for database_ in (database, other):
        seen = listening.count
        with ThreadPoolExecutor(3) as pool:
            waiting = [pool.submit(listening.wait, seen, HOUR) for _ in range(3)]
            wake(database_)
            for each in waiting:
                each.result()
        assert listening.count > seen
    other.close()


@on_postgresql
def test_what_came_before_the_wait_is_not_missed(database: Database, listening: Wakeups) -> None:
    seen = listening.count
    wake(database)
    listening.wait(seen, HOUR)
    listening.wait(seen, HOUR)
    assert listening.count == seen + 1


@on_postgresql
def test_a_transaction_that_is_not_committed_wakes_nobody(
    database: Database, listening: Wakeups
) -> None:
    seen = listening.count

    def fail() -> None:
        with database.write() as connection:
            wake_workers(connection)
            raise RuntimeError("power cut")

    with pytest.raises(RuntimeError, match="power cut"):
        fail()
    wake(database)
    listening.wait(seen, HOUR)
    assert listening.count == seen + 1


@on_postgresql
def test_the_listener_comes_back_and_wakes_for_what_it_missed(
    database: Database, database_url: str, listening: Wakeups, postgresql: postgres.Server
) -> None:
    for _ in range(2):
        seen = listening.count
        postgresql.disconnect(database_url)
        listening.wait(seen, HOUR)
        seen = listening.count
        wake(database)
        listening.wait(seen, HOUR)
        assert listening.count > seen


@pytest.mark.parametrize("end", [Wakeups.end, Wakeups.close])
def test_nobody_waits_after_the_end(wakeups: Wakeups, end: Callable[[Wakeups], None]) -> None:
    waiting = Thread(target=wakeups.wait, args=(wakeups.count, HOUR))
    waiting.start()
    end(wakeups)
    waiting.join(PATIENCE)
    assert not waiting.is_alive()
    wakeups.wait(wakeups.count, HOUR)


@on_postgresql
def test_the_listener_ends_when_it_is_closed(database: Database, listening: Wakeups) -> None:
    listener = listening._thread
    assert listener is not None
    listening.close()
    listener.join(PATIENCE)
    assert not listener.is_alive()
    statement = sa.text(
        "SELECT count(*) FROM pg_stat_activity "
        "WHERE datname = current_database() AND query LIKE 'LISTEN%'"
    )

    def listens() -> bool:
        with database.read() as connection:
            return bool(connection.execute(statement).scalar_one())

    while listens():
        pass  # the server takes a moment to notice that a connection was closed


def test_a_signal_handler_may_end_the_waits_of_the_thread_that_it_interrupts(
    database: Database,
) -> None:
    wakeups = Wakeups(database)

    def interrupted() -> None:
        with wakeups._changed:  # as in the midst of `wait`
            wakeups.end()

    thread = Thread(target=interrupted, daemon=True)
    thread.start()
    thread.join(PATIENCE)
    assert not thread.is_alive()
    wakeups.wait(wakeups.count, HOUR)


def test_without_news_the_wait_is_over_in_the_end(wakeups: Wakeups) -> None:
    wakeups.wait(wakeups.count, 0.01)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_sqlite_tells_nobody(database: Database, wakeups: Wakeups) -> None:
    wake(database)
    wakeups.wait(0, 0.01)
    assert wakeups.count == 0
