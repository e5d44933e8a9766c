"""Creating and listing subscriptions, and overriding their limits."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from pydantic import ValidationError

from outhaul.accounts.clocks import REAL, SubscriptionClock
from outhaul.accounts.services import SubscriptionUnknownError
from outhaul.database.engine import Database, insert
from outhaul.database.schema import subscription
from outhaul.database.wakeups import wake_workers
from outhaul.limits import Limits

NAME = re.compile(r"[a-z0-9-]{1,40}")
"""The names that a subscription may have. Its folder in the lake has the same name."""


class SubscriptionNameError(ValueError):
    """The name of a new subscription is not valid, or another subscription has it."""


class LimitError(ValueError):
    """A limit does not exist, or cannot have the value."""


@dataclass(frozen=True, kw_only=True)
class Subscription:
    """A tenant: it has its own users, limits, catalog and lake."""

    name: str
    limit_overrides: Mapping[str, Any]
    """The limits that differ from those of the settings, by name."""
    created_at: datetime
    clock: SubscriptionClock = REAL


def create_subscription(database: Database, name: str, moment: datetime) -> Subscription:
    """Create an empty subscription. Raises `SubscriptionNameError`."""
    if not NAME.fullmatch(name):
        raise SubscriptionNameError(
            f"a subscription cannot be called {name!r}: a name is 1 to 40 characters of a-z, "
            "0-9 and -"
        )
    made = Subscription(name=name, limit_overrides={}, created_at=moment)
    with database.write() as connection:
        # If two commands create the same subscription at once, the second waits here, and fails.
        new = connection.execute(
            insert(connection, subscription)
            .values(name=name, limit_overrides={}, created_at=moment)
            .on_conflict_do_nothing()
            .returning(subscription.c.name)
        )
        if new.first() is None:
            raise SubscriptionNameError(f"the subscription {name!r} exists already")
    return made


def subscriptions(database: Database) -> list[Subscription]:
    """Return all subscriptions, by name."""
    with database.read() as connection:
        rows = connection.execute(sa.select(subscription).order_by(subscription.c.name))
        return [_subscription(row) for row in rows]


def subscription_named(database: Database, name: str) -> Subscription:
    """Return a subscription. Raises `SubscriptionUnknownError`."""
    with database.read() as connection:
        return _named(connection, name)


def override_limits(
    database: Database, name: str, given: Mapping[str, Any], lifted: Collection[str] = ()
) -> Subscription:
    """Override limits of a subscription, and remove the overrides of the `lifted` limits.

    Values may be texts, with `none` for no limit. Raises `SubscriptionUnknownError` and
    `LimitError`, and then changes nothing.
    """
    for limit in (*given, *lifted):
        if limit not in Limits.model_fields:
            known = ", ".join(Limits.model_fields)
            raise LimitError(f"there is no limit {limit!r}; there are: {known}")
    if both := set(given) & set(lifted):
        raise LimitError(f"{', '.join(sorted(both))} cannot be both set and unset")
    values = {limit: _value(limit, value) for limit, value in given.items()}
    # The overrides are read and written under one lock, so that no concurrent change is lost.
    with database.write() as connection:
        connection.execute(
            sa.select(subscription.c.name)
            .where(subscription.c.name == name)
            .with_for_update(key_share=True)
        )
        before = _named(connection, name).limit_overrides
        overrides = {limit: of for limit, of in before.items() if limit not in lifted} | values
        connection.execute(
            subscription.update()
            .where(subscription.c.name == name)
            .values(limit_overrides=overrides)
        )
        wake_workers(connection)  # the new limits may allow more jobs to run
        return _named(connection, name)


def _value(limit: str, given: Any) -> Any:  # noqa: ANN401 - limits are of several types
    try:
        return getattr(Limits.model_validate({limit: given}), limit)
    except ValidationError as error:
        problem = error.errors()[0]["msg"]
        raise LimitError(f"limit {limit!r} cannot be {given!r}: {problem}") from None


def _find(connection: sa.Connection, name: str) -> Subscription | None:
    statement = sa.select(subscription).where(subscription.c.name == name)
    row = connection.execute(statement).first()
    return None if row is None else _subscription(row)


def _named(connection: sa.Connection, name: str) -> Subscription:
    found = _find(connection, name)
    if found is None:
        raise SubscriptionUnknownError(f"there is no subscription {name!r}")
    return found


def _subscription(row: sa.Row[Any]) -> Subscription:
    return Subscription(
        name=row.name,
        limit_overrides=row.limit_overrides,
        created_at=row.created_at,
        clock=SubscriptionClock.from_json(row.clock),
    )
