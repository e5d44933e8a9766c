"""What a row lock keeps others from on PostgreSQL, and what it does not.

Rows that refer to a locked row are inserted all the same: the locks are FOR NO KEY UPDATE. With
FOR UPDATE each insert would wait for the lock's transaction, and could deadlock with it.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from outhaul.accounts import subscriptions as subscriptions_module
from outhaul.accounts.services import create_service
from outhaul.accounts.subscriptions import Subscription, override_limits
from outhaul.accounts.tokens import issue_token
from outhaul.database.engine import Database
from outhaul.database.schema import api_user, subscription, token
from outhaul.jobs.store import lock_subscription

MOMENT = datetime(2026, 1, 31, 12, tzinfo=UTC)

pytestmark = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)


def execute(database: Database, statement: sa.Executable) -> None:
    """Run a statement that fails where it has to wait for a lock."""
    with database.write() as connection:
        connection.execute(sa.text("SET LOCAL lock_timeout = '50ms'"))
        connection.execute(statement)


@pytest.fixture
def add_user(database: Database) -> Callable[[], None]:
    """Return a function that inserts a row that refers to the subscription."""
    row = api_user.insert().values(subscription="default", email="a@b.c", created_at=MOMENT)
    return lambda: execute(database, row)


def is_locked(database: Database) -> bool:
    free = sa.select(subscription.c.name).with_for_update(key_share=True, skip_locked=True)
    with database.write() as connection:
        return connection.execute(free).first() is None


def test_a_locked_subscription_can_be_referred_to(
    database: Database, add_user: Callable[[], None]
) -> None:
    with database.write() as connection:
        assert lock_subscription(connection, "default")
        assert is_locked(database)
        add_user()
        with database.write() as other:
            assert not lock_subscription(other, "default", wait=False)
    assert not is_locked(database)


def test_a_subscription_whose_limits_are_changed_can_be_referred_to(
    database: Database, add_user: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    read, held = subscriptions_module._named, list[bool]()

    def meanwhile(connection: sa.Connection, name: str) -> Subscription:
        if not held:  # it reads the limits that it is about to change
            held.append(is_locked(database))
            add_user()
        return read(connection, name)

    monkeypatch.setattr(subscriptions_module, "_named", meanwhile)
    override_limits(database, "default", {"list_page": 1})
    assert held == [True]


def test_a_service_whose_token_is_made_can_be_referred_to(database: Database) -> None:
    made = create_service(database, "x", email="a@b.c", permissions=[], moment=MOMENT)
    row = token.insert().values(
        token_hash="another", client_id=made.client_id, nonce="", expires_at=MOMENT
    )

    def meanwhile(*_: object) -> int:
        execute(database, row)
        return 60

    issued = issue_token(
        database,
        client_id=made.client_id,
        client_secret=made.client_secret,
        life_seconds=meanwhile,
        real=MOMENT + timedelta(seconds=1),
    )
    assert issued.seconds == 60
