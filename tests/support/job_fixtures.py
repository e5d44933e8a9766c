from collections.abc import Callable
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

from outhaul.accounts.tokens import Caller
from outhaul.database.engine import Database
from outhaul.database.schema import api_user, subscription
from outhaul.export.formats import TSV
from outhaul.export.request import ExportRequest

MOMENT = datetime(2026, 1, 31, 12, tzinfo=UTC)


@pytest.fixture
def export_request() -> ExportRequest:
    return ExportRequest(
        fields=["id", "email"],
        headers=["id", "Mail"],
        format=TSV,
        filter={"createdAt": ["2026-01-01T00:00:00Z", "2026-01-31T00:00:00Z"]},
    )


@pytest.fixture
def make_caller(database: Database) -> Callable[..., Caller]:
    """Make an API user, and its subscription where there is none of the name."""

    def make(email: str = "etl@example.com", of: str = "default") -> Caller:
        with database.write() as connection:
            known = sa.select(subscription).where(subscription.c.name == of)
            if connection.execute(known).first() is None:
                connection.execute(
                    subscription.insert().values(name=of, limit_overrides={}, created_at=MOMENT)
                )
            user = connection.execute(
                api_user.insert()
                .values(subscription=of, email=email, created_at=MOMENT)
                .returning(api_user.c.id)
            ).scalar_one()
        return Caller(subscription=of, limit_overrides={}, user=user, permissions=frozenset())

    return make
