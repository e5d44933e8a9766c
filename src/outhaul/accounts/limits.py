"""The limits of a subscription, including its overrides."""

from datetime import datetime

import sqlalchemy as sa

from outhaul.database.engine import Database
from outhaul.database.schema import subscription
from outhaul.limits import Limits
from outhaul.settings import Settings


def limits_of(database: Database, settings: Settings, name: str, moment: datetime) -> Limits:
    """Return the limits of a subscription at a moment.

    Raises `LookupError` if the subscription does not exist.
    """
    with database.read() as connection:
        row = connection.execute(
            sa.select(subscription.c.limit_overrides).where(subscription.c.name == name)
        ).first()
    if row is None:
        raise LookupError(f"there is no subscription {name!r}")
    return settings.limits_of(row.limit_overrides, moment)
