"""The tables of the database, as tables of SQLAlchemy Core.

Every row belongs to a subscription, directly or through a foreign key. The migrations create the
same tables, and a test compares the two.
"""

import re
from collections.abc import Mapping
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


# PostgreSQL cannot store NUL bytes, and neither database can store halves of surrogate pairs.
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")


def storable(text: str) -> str:
    """Return a text in which U+FFFD replaces the characters that a database cannot store."""
    return _UNSTORABLE.sub("\N{REPLACEMENT CHARACTER}", text)


def storable_json(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    """Return a JSON value with `storable` texts, for columns that statements look into."""
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, Mapping):
        return {storable(name): storable_json(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [storable_json(inner) for inner in value]
    return value


class Text(sa.types.TypeDecorator[str]):
    """A column of texts, ordered by code points, whatever the language of the database.

    A text from a client that cannot be stored is not an error: a search does not find it.
    """

    impl = sa.String
    cache_ok = True

    def load_dialect_impl(self, dialect: sa.Dialect) -> sa.types.TypeEngine[Any]:
        """Return the type of the column. SQLite compares code points by default."""
        if dialect.name == "postgresql":
            return dialect.type_descriptor(sa.VARCHAR(collation="C"))
        return dialect.type_descriptor(sa.String())

    def process_bind_param(self, value: str | None, dialect: sa.Dialect) -> str | None:  # noqa: ARG002
        """Return the text to store."""
        return None if value is None else storable(value)


class Instant(sa.types.TypeDecorator[datetime]):
    """A column of moments: aware and in UTC in Python, also if the database has no time zones."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:  # noqa: ARG002
        """Return the moment in UTC. Raises `ValueError` if it is not aware."""
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


def _turn() -> sa.Column[int]:
    """Return a column for `outhaul.jobs.turns`: the number of the latest start of a job."""
    return sa.Column("turn", sa.BigInteger, nullable=False, server_default="0")


subscription = sa.Table(
    "subscription",
    metadata,
    sa.Column("name", Text, primary_key=True),
    sa.Column("limit_overrides", sa.JSON, nullable=False),
    sa.Column("created_at", Instant, nullable=False),
    _turn(),
    # How its time differs from real time; see `outhaul.accounts.clocks`.
    sa.Column("clock", sa.JSON(none_as_null=True)),
)

api_user = sa.Table(
    "api_user",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    _subscription(),
    sa.Column("email", Text, nullable=False),
    sa.Column("created_at", Instant, nullable=False),
    _turn(),
    sa.UniqueConstraint("subscription", "email"),
)

permission = sa.Table(
    "permission",
    metadata,
    sa.Column("api_user", sa.ForeignKey("api_user.id"), primary_key=True),
    sa.Column("name", Text, primary_key=True),
)

service = sa.Table(
    "service",
    metadata,
    sa.Column("client_id", Text, primary_key=True),
    sa.Column("api_user", sa.ForeignKey("api_user.id"), nullable=False),
    sa.Column("name", Text, nullable=False),
    sa.Column("secret_hash", Text, nullable=False),
    sa.Column("created_at", Instant, nullable=False),
)

token = sa.Table(
    "token",
    metadata,
    sa.Column("token_hash", Text, primary_key=True),
    sa.Column("client_id", sa.ForeignKey("service.client_id"), nullable=False, index=True),
    # The token follows from the nonce and the client's secret. Only the client has the secret.
    sa.Column("nonce", Text, nullable=False),
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
    sa.Column("code", Text, primary_key=True),
    sa.Column("count", sa.BigInteger, nullable=False),
)

export_job = sa.Table(
    "export_job",
    metadata,
    sa.Column("id", Text, primary_key=True),
    _subscription(),
    sa.Column("api_user", sa.ForeignKey("api_user.id"), nullable=False),
    sa.Column("kind", Text, nullable=False),
    sa.Column("state", Text, nullable=False),
    sa.Column("request", sa.JSON, nullable=False),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("queued_at", Instant),
    sa.Column("started_at", Instant),
    sa.Column("finished_at", Instant),
    sa.Column("records", sa.BigInteger),
    sa.Column("file_size", sa.BigInteger),
    sa.Column("checksum", Text),
    sa.Column("error_message", Text),
    sa.Column("attempts", sa.Integer, nullable=False, default=0),
    sa.Column("lease_owner", Text),
    sa.Column("lease_until", Instant),
    # For counting the jobs of a subscription by state, and for the first queued job of each user.
    sa.Index("ix_export_job_queue", "subscription", "state", "api_user", "queued_at", "id"),
    sa.Index("ix_export_job_finished", "subscription", "finished_at"),
    # Only jobs in Processing have a lease.
    sa.Index(
        "ix_export_job_lease",
        "lease_until",
        sqlite_where=sa.text("lease_until IS NOT NULL"),
        postgresql_where=sa.text("lease_until IS NOT NULL"),
    ),
    sa.Index("ix_export_job_list", "api_user", "kind", "created_at", "id"),
)

# The plans of jobs in Processing. They have a table of their own because a plan can be large, and
# calls about jobs never need one.
export_plan = sa.Table(
    "export_plan",
    metadata,
    sa.Column("job", sa.ForeignKey("export_job.id"), primary_key=True),
    sa.Column("plan", sa.JSON, nullable=False),
)

export_part = sa.Table(
    "export_part",
    metadata,
    sa.Column("job", sa.ForeignKey("export_job.id"), primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("key", Text, nullable=False),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("records", sa.BigInteger, nullable=False),
)

lead_field = sa.Table(
    "lead_field",
    metadata,
    _subscription(primary_key=True),
    sa.Column("name", Text, primary_key=True),
    sa.Column("id", sa.Integer, nullable=False),
    sa.Column("display_name", Text, nullable=False),
    sa.Column("data_type", Text, nullable=False),
    sa.Column("description", sa.JSON, nullable=False),
)

activity_type = sa.Table(
    "activity_type",
    metadata,
    _subscription(primary_key=True),
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("name", Text, nullable=False),
    sa.Column("description", sa.JSON, nullable=False),
)

asset = sa.Table(
    "asset",
    metadata,
    _subscription(primary_key=True),
    sa.Column("type", Text, primary_key=True),
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("name", Text, nullable=False),
    # The name of the program that the asset belongs to, if any.
    sa.Column("program", Text),
    sa.Column("description", sa.JSON, nullable=False),
    sa.Index("ix_asset_name", "subscription", "type", "name"),
)

member_field = sa.Table(
    "member_field",
    metadata,
    _subscription(primary_key=True),
    sa.Column("name", Text, primary_key=True),
    sa.Column("data_type", Text, nullable=False),
    sa.Column("description", sa.JSON, nullable=False),
)

# The statuses of loaded members, by program. A program with members without a status has "".
member_status = sa.Table(
    "member_status",
    metadata,
    _subscription(primary_key=True),
    sa.Column("program", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("name", Text, primary_key=True),
)

custom_object_type = sa.Table(
    "custom_object_type",
    metadata,
    _subscription(primary_key=True),
    sa.Column("api_name", Text, primary_key=True),
    sa.Column("description", sa.JSON, nullable=False),
)

# What a mirror of an endpoint has done (`outhaul.mirror`). The records are in the lake.
mirror = sa.Table(
    "mirror",
    metadata,
    _subscription(primary_key=True),
    sa.Column("url", Text, nullable=False),
    # The first moment that is mirrored.
    sa.Column("since", Instant, nullable=False),
    # What the endpoint refuses, such as the filter updatedAt, and what it has told of itself.
    sa.Column("facts", sa.JSON, nullable=False),
    # The number of the latest load; see `outhaul.lake.cursors`.
    sa.Column("loads", sa.BigInteger, nullable=False, server_default="0"),
)

# The seconds of a stream that are complete: `begin` and `end` are both included.
mirror_coverage = sa.Table(
    "mirror_coverage",
    metadata,
    _subscription(primary_key=True),
    sa.Column("stream", Text, primary_key=True),
    sa.Column("begin", Instant, primary_key=True),
    sa.Column("end", Instant, nullable=False),
)

# The export jobs of which the records are not all loaded yet.
mirror_job = sa.Table(
    "mirror_job",
    metadata,
    _subscription(primary_key=True),
    sa.Column("export_id", Text, primary_key=True),
    sa.Column("task", sa.JSON, nullable=False),
    sa.Column("created_at", Instant, nullable=False),
    # The number of the load that has begun. The lake has it too when the load is committed.
    sa.Column("load", sa.BigInteger),
)

# The loads of the last year, for the report.
mirror_load = sa.Table(
    "mirror_load",
    metadata,
    _subscription(primary_key=True),
    sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("stream", Text, nullable=False),
    sa.Column("begin", Instant),
    sa.Column("end", Instant),
    sa.Column("loaded_at", Instant, nullable=False),
    # What the endpoint announced, and what became of it.
    sa.Column("announced", sa.BigInteger),
    sa.Column("bytes", sa.BigInteger),
    sa.Column("added", sa.BigInteger, nullable=False),
    sa.Column("changed", sa.BigInteger, nullable=False),
    sa.Column("unchanged", sa.BigInteger, nullable=False),
    sa.Column("deleted", sa.BigInteger, nullable=False),
    sa.Column("removed", sa.BigInteger, nullable=False),
)

mirror_snapshot = sa.Table(
    "mirror_snapshot",
    metadata,
    _subscription(primary_key=True),
    sa.Column("stream", Text, primary_key=True),
    sa.Column("id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("read_at", Instant, nullable=False),
    sa.Column("records", sa.BigInteger, nullable=False),
)

# Fields that came later: their values of the time before are fetched.
mirror_backfill = sa.Table(
    "mirror_backfill",
    metadata,
    _subscription(primary_key=True),
    sa.Column("stream", Text, primary_key=True),
    sa.Column("of", Text, nullable=False),
    sa.Column("fields", sa.JSON, nullable=False),
    sa.Column("until", Instant, nullable=False),
)

mirror_run = sa.Table(
    "mirror_run",
    metadata,
    _subscription(primary_key=True),
    sa.Column("begun_at", Instant, primary_key=True),
    sa.Column("ended_at", Instant),
    sa.Column("outcome", Text),
    sa.Column("summary", sa.JSON, nullable=False),
)
