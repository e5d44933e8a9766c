"""The order in which queued jobs start: subscriptions take turns, and so do the users in each.

The subscription or user with the fewest jobs in Processing comes first. Among equals, the one whose
latest start is longest ago comes first, and one that never started a job before all others. The
jobs of a user start in the order in which they were queued. A user thus waits for at most one start
of each other user, however many jobs these have queued. Starts are numbered and not timed, because
the clocks of several machines differ.
"""

from collections.abc import Collection
from typing import Any

import sqlalchemy as sa

from outhaul.database.schema import api_user, export_job, subscription
from outhaul.protocol.states import State


def subscriptions_in_turn(connection: sa.Connection) -> list[sa.Row[Any]]:
    """Return name, limits, clock and jobs in Processing of subscriptions with queued jobs."""
    processing = (
        sa.select(sa.func.count())
        .where(
            export_job.c.subscription == subscription.c.name,
            export_job.c.state == State.PROCESSING.value,
        )
        .scalar_subquery()
        .label("processing")
    )
    # One index look-up per subscription. The order makes PostgreSQL use the index: otherwise it may
    # scan the table from its beginning, past all jobs that have ended.
    waiting = (
        sa.select(export_job.c.id)
        .where(
            export_job.c.subscription == subscription.c.name,
            export_job.c.state == State.QUEUED.value,
        )
        .order_by(export_job.c.api_user, export_job.c.queued_at, export_job.c.id)
        .limit(1)
        .scalar_subquery()
    )
    statement = (
        sa.select(
            subscription.c.name, subscription.c.limit_overrides, subscription.c.clock, processing
        )
        .where(waiting.is_not(None))
        .order_by(processing, subscription.c.turn, subscription.c.name)
    )
    return list(connection.execute(statement))


def users_in_turn(connection: sa.Connection, name: str) -> list[int]:
    """Return the API users of a subscription that have queued jobs, the next one first."""
    processing = (
        sa.select(sa.func.count())
        .where(
            export_job.c.subscription == name,
            export_job.c.state == State.PROCESSING.value,
            export_job.c.api_user == api_user.c.id,
        )
        .scalar_subquery()
    )
    first = (
        sa.select(export_job.c.queued_at)
        .where(
            export_job.c.subscription == name,
            export_job.c.state == State.QUEUED.value,
            export_job.c.api_user == api_user.c.id,
        )
        .order_by(export_job.c.queued_at, export_job.c.id)
        .limit(1)
        .scalar_subquery()
        .label("first")
    )
    users = (
        sa.select(api_user.c.id, api_user.c.turn, processing.label("processing"), first)
        .where(api_user.c.subscription == name)
        .subquery()
    )
    statement = (
        sa.select(users.c.id)
        .where(users.c.first.is_not(None))
        .order_by(users.c.processing, users.c.turn, users.c.first, users.c.id)
    )
    return list(connection.execute(statement).scalars())


def first_waiting(name: str, user: int, *, but: Collection[str] = ()) -> sa.Select[str]:
    """Return a statement that selects the id of the job that a user queued first.

    The jobs with the ids in `but` are left out.
    """
    where = [
        export_job.c.subscription == name,
        export_job.c.state == State.QUEUED.value,
        export_job.c.api_user == user,
    ]
    if but:
        where.append(export_job.c.id.not_in(but))
    return (
        sa.select(export_job.c.id)
        .where(*where)
        .order_by(export_job.c.queued_at, export_job.c.id)
        .limit(1)
    )


def take_turn(connection: sa.Connection, name: str, user: int) -> None:
    """Record that a job of a user starts. The subscription's row is locked.

    Two subscriptions may get the same number at the same time. That is harmless: both have just had
    their turn.
    """
    latest = connection.execute(sa.select(sa.func.max(subscription.c.turn))).scalar_one()
    connection.execute(
        subscription.update().where(subscription.c.name == name).values(turn=latest + 1)
    )
    connection.execute(api_user.update().where(api_user.c.id == user).values(turn=latest + 1))
