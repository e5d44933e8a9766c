"""The tables of the state, as SQLAlchemy Core describes them.

Every row belongs to a subscription, directly or by what it hangs on. Migrations make the same
tables step by step; a test holds the two together.
"""

from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


class Instant(sa.types.TypeDecorator[datetime]):
    """A moment in UTC: aware in Python, also from a database that keeps no time zones."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:  # noqa: ARG002
        """Return the moment in UTC. Raises `ValueError` for one that is not aware."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value!r} names no moment without a time zone")
        return value.astimezone(UTC)

    def process_result_value(self, value: Any, dialect: sa.Dialect) -> datetime | None:  # noqa: ANN401, ARG002
        """Return the moment, aware, in UTC: PostgreSQL answers in the session's time zone."""
        if value is None:
            return None
        if value.tzinfo is None:
            return value.replace(tzinfo=UTC)  # type: ignore[no-any-return]
        return value.astimezone(UTC)  # type: ignore[no-any-return]


def _subscription(*, primary_key: bool = False) -> sa.Column[str]:
    return sa.Column(
        "subscription", sa.ForeignKey("subscription.name"), nullable=False, primary_key=primary_key
    )


subscription = sa.Table(
    "subscription",
    metadata,
    sa.Column("name", sa.String, primary_key=True),
    sa.Column("limit_overrides", sa.JSON, nullable=False),
    sa.Column("created_at", Instant, nullable=False),
)

api_user = sa.Table(
    "api_user",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    _subscription(),
    sa.Column("email", sa.String, nullable=False),
    sa.Column("created_at", Instant, nullable=False),
    sa.UniqueConstraint("subscription", "email"),
)

permission = sa.Table(
    "permission",
    metadata,
    sa.Column("api_user", sa.ForeignKey("api_user.id"), primary_key=True),
    sa.Column("name", sa.String, primary_key=True),
)

service = sa.Table(
    "service",
    metadata,
    sa.Column("client_id", sa.String, primary_key=True),
    sa.Column("api_user", sa.ForeignKey("api_user.id"), nullable=False),
    sa.Column("name", sa.String, nullable=False),
    sa.Column("secret_hash", sa.String, nullable=False),
    sa.Column("created_at", Instant, nullable=False),
)

token = sa.Table(
    "token",
    metadata,
    sa.Column("token_hash", sa.String, primary_key=True),
    sa.Column("client_id", sa.ForeignKey("service.client_id"), nullable=False, index=True),
    # With the client's secret, which is not kept, the nonce gives the token again.
    sa.Column("nonce", sa.String, nullable=False),
    sa.Column("expires_at", Instant, nullable=False),
)

usage = sa.Table(
    "usage",
    metadata,
    _subscription(primary_key=True),
    # The day in America/Chicago.
    sa.Column("day", sa.Date, primary_key=True),
    sa.Column("api_user", sa.ForeignKey("api_user.id"), primary_key=True),
    sa.Column("calls", sa.BigInteger, nullable=False),
)

error_count = sa.Table(
    "error_count",
    metadata,
    _subscription(primary_key=True),
    sa.Column("day", sa.Date, primary_key=True),
    sa.Column("code", sa.String, primary_key=True),
    sa.Column("count", sa.BigInteger, nullable=False),
)

export_job = sa.Table(
    "export_job",
    metadata,
    sa.Column("id", sa.String, primary_key=True),
    _subscription(),
    sa.Column("api_user", sa.ForeignKey("api_user.id"), nullable=False),
    sa.Column("kind", sa.String, nullable=False),
    sa.Column("state", sa.String, nullable=False),
    sa.Column("request", sa.JSON, nullable=False),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("queued_at", Instant),
    sa.Column("started_at", Instant),
    sa.Column("finished_at", Instant),
    sa.Column("records", sa.BigInteger),
    sa.Column("file_size", sa.BigInteger),
    sa.Column("checksum", sa.String),
    sa.Column("error_message", sa.String),
    sa.Column("plan", sa.JSON),
    sa.Column("attempts", sa.Integer, nullable=False, default=0),
    sa.Column("lease_owner", sa.String),
    sa.Column("lease_until", Instant),
    sa.Index("ix_export_job_queue", "subscription", "state", "queued_at", "id"),
    sa.Index("ix_export_job_list", "api_user", "kind", "created_at", "id"),
)

export_part = sa.Table(
    "export_part",
    metadata,
    sa.Column("job", sa.ForeignKey("export_job.id"), primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("key", sa.String, nullable=False),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("records", sa.BigInteger, nullable=False),
)

lead_field = sa.Table(
    "lead_field",
    metadata,
    _subscription(primary_key=True),
    sa.Column("name", sa.String, primary_key=True),
    sa.Column("id", sa.Integer, nullable=False),
    sa.Column("display_name", sa.String, nullable=False),
    sa.Column("data_type", sa.String, nullable=False),
    sa.Column("description", sa.JSON, nullable=False),
)

activity_type = sa.Table(
    "activity_type",
    metadata,
    _subscription(primary_key=True),
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("name", sa.String, nullable=False),
    sa.Column("description", sa.JSON, nullable=False),
)

asset = sa.Table(
    "asset",
    metadata,
    _subscription(primary_key=True),
    sa.Column("type", sa.String, primary_key=True),
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("name", sa.String, nullable=False),
    # The name of the program that holds it, where one does.
    sa.Column("program", sa.String),
    sa.Column("description", sa.JSON, nullable=False),
    sa.Index("ix_asset_name", "subscription", "type", "name"),
)

member_field = sa.Table(
    "member_field",
    metadata,
    _subscription(primary_key=True),
    sa.Column("name", sa.String, primary_key=True),
    sa.Column("data_type", sa.String, nullable=False),
    sa.Column("description", sa.JSON, nullable=False),
)

# The programs and statuses of the members that were loaded; a member may have no status: "".
member_status = sa.Table(
    "member_status",
    metadata,
    _subscription(primary_key=True),
    sa.Column("program", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("name", sa.String, primary_key=True),
)

custom_object_type = sa.Table(
    "custom_object_type",
    metadata,
    _subscription(primary_key=True),
    sa.Column("api_name", sa.String, primary_key=True),
    sa.Column("description", sa.JSON, nullable=False),
)
