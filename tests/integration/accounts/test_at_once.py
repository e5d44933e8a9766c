"""Several processes that make or change the same rows at the same moment."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, date, datetime
from functools import partial
from threading import Barrier
from typing import TypeVar

import pytest
import sqlalchemy as sa

from outhaul.accounts.services import create_service
from outhaul.accounts.subscriptions import (
    SubscriptionNameError,
    create_subscription,
    override_limits,
    subscription_named,
)
from outhaul.accounts.tokens import issue_token
from outhaul.accounts.usage import UsageStore
from outhaul.catalog.entries import Entries
from outhaul.catalog.objects import CustomObjectType
from outhaul.catalog.store import Catalog
from outhaul.database.engine import Database
from outhaul.database.schema import api_user, permission, token

MOMENT = datetime(2026, 1, 31, 12, tzinfo=UTC)
DAY = date(2026, 1, 31)
MANY = 5

Result = TypeVar("Result")


@pytest.fixture
def machines(database: Database, database_url: str) -> Iterator[list[Database]]:
    database.migrate()
    with ExitStack() as stack:
        opened = [Database(database_url) for _ in range(MANY)]
        for each in opened:
            stack.callback(each.close)
        yield opened


def at_once(machines: list[Database], call: Callable[[int, Database], Result]) -> list[Result]:
    """Make a call on every machine at the same moment; return what they return."""
    barrier = Barrier(MANY)

    def begin(n: int) -> Result:
        barrier.wait()
        return call(n, machines[n])

    with ThreadPoolExecutor(MANY) as pool:
        return list(pool.map(begin, range(MANY)))


def count(database: Database, table: sa.Table) -> int:
    with database.read() as connection:
        return connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()


def test_all_who_ask_for_a_token_are_given_the_same(machines: list[Database]) -> None:
    made = create_service(machines[0], "x", email="a@b.c", permissions=[], moment=MOMENT)
    texts = at_once(
        machines,
        lambda _, database: (
            issue_token(
                database,
                client_id=made.client_id,
                client_secret=made.client_secret,
                life_seconds=lambda *_: 3_600,
                real=MOMENT,
            ).text
        ),
    )
    assert len(set(texts)) == 1
    assert count(machines[0], token) == 1


def test_one_user_is_made_for_the_services_of_an_address(machines: list[Database]) -> None:
    names = ["Read-Only Lead", "Read-Only Activity"]
    make = partial(create_service, email="a@b.c", permissions=names, moment=MOMENT)
    made = at_once(machines, lambda n, database: make(database, f"service {n}").client_id)
    assert len(set(made)) == MANY
    assert count(machines[0], api_user) == 1
    assert count(machines[0], permission) == len(names)


def test_a_subscription_is_made_once(machines: list[Database]) -> None:
    def make(_: int, database: Database) -> bool:
        try:
            create_subscription(database, "emea", MOMENT)
        except SubscriptionNameError:
            return False
        return True

    assert sum(at_once(machines, make)) == 1


def test_limits_that_are_changed_at_once_are_all_changed(machines: list[Database]) -> None:
    names = ["file_days", "list_days", "list_page", "status_days", "uri_bytes"]
    at_once(machines, lambda n, database: override_limits(database, "default", {names[n]: n + 1}))
    kept = subscription_named(machines[0], "default").limit_overrides
    assert kept == {name: n + 1 for n, name in enumerate(names)}


def test_every_call_is_counted(machines: list[Database]) -> None:
    for n in range(MANY):
        create_service(machines[0], "x", email=f"{n}@b.c", permissions=[], moment=MOMENT)
    with machines[0].read() as connection:
        users = list(connection.execute(sa.select(api_user.c.id)).scalars())
    rounds = 10

    def add(n: int, database: Database) -> None:
        # Each in an order of its own.
        order = users[n:] + users[:n]
        for _ in range(rounds):
            calls = {("default", DAY, user): 1 for user in order}
            errors = {("default", DAY, str(600 + user)): 1 for user in order}
            UsageStore(database).add(calls, errors)

    at_once(machines, add)
    assert UsageStore(machines[0]).total("default", DAY) == MANY * MANY * rounds
    errors = UsageStore(machines[0]).errors("default", [DAY])[DAY]
    assert set(errors.values()) == {MANY * rounds}


def test_what_several_say_of_a_type_is_put_together(machines: list[Database]) -> None:
    def load(n: int, database: Database) -> None:
        # The order of each is another: loads wait for each other, and not for each other's rows.
        names = [f"type{k}_c" for k in range(MANY)]
        types = tuple(
            CustomObjectType(api_name=name, description={f"said{n}": n})
            for name in names[n:] + names[:n]
        )
        Catalog(database, "default").store(Entries(custom_object_types=types))

    at_once(machines, load)
    found = Catalog(machines[0], "default").custom_object_types()
    assert len(found) == MANY
    for each in found.values():
        assert each.description == {f"said{n}": n for n in range(MANY)}
