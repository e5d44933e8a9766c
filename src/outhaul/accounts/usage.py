"""The store of usage: calls by day and user, and errors by day and code."""

from collections.abc import Collection, Mapping
from datetime import date
from typing import Any, TypeAlias

import sqlalchemy as sa

from outhaul.database.engine import Database, insert
from outhaul.database.schema import api_user, error_count, usage

CallCounts: TypeAlias = Mapping[tuple[str, date, int], int]
"""Calls by subscription, day and API user."""

ErrorCounts: TypeAlias = Mapping[tuple[str, date, str], int]
"""Errors by subscription, day and code."""

Totals: TypeAlias = Mapping[date, Mapping[str, int]]
"""Counts by day, and then by the e-mail address of a user or by the code of an error."""

# The calls of all users of a subscription in one day.
_TOTAL = sa.select(sa.func.coalesce(sa.func.sum(usage.c.calls), 0)).where(
    usage.c.subscription == sa.bindparam("subscription"), usage.c.day == sa.bindparam("day")
)


class UsageStore:
    """The tables of calls and errors, of all subscriptions."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, calls: CallCounts, errors: ErrorCounts) -> Mapping[tuple[str, date], int]:
        """Add to the counts in one transaction; return the new totals of the days in `calls`.

        Other processes add to the same rows. The database does the addition, so that no count is
        lost, and the rows are sorted, so that two processes cannot deadlock.
        """
        with self._database.write() as connection:
            for (subscription, day, user), count in sorted(calls.items()):
                keys = {"subscription": subscription, "day": day, "api_user": user}
                _add(connection, usage, keys, "calls", count)
            for (subscription, day, code), count in sorted(errors.items()):
                keys = {"subscription": subscription, "day": day, "code": code}
                _add(connection, error_count, keys, "count", count)
            days = {(subscription, day) for subscription, day, _ in calls}
            return {key: _total(connection, *key) for key in days}

    def total(self, subscription: str, day: date) -> int:
        """Return the stored number of calls of a day."""
        with self._database.read() as connection:
            return _total(connection, subscription, day)

    def calls(self, subscription: str, days: Collection[date]) -> Totals:
        """Return the calls of some days, by the e-mail address of the API user."""
        statement = (
            sa.select(usage.c.day, api_user.c.email, usage.c.calls)
            .join(api_user, api_user.c.id == usage.c.api_user)
            .where(usage.c.subscription == subscription, usage.c.day.in_(days))
            .order_by(api_user.c.email)
        )
        return self._by_day(statement, days)

    def errors(self, subscription: str, days: Collection[date]) -> Totals:
        """Return the errors of some days, by their code."""
        statement = (
            sa.select(error_count.c.day, error_count.c.code, error_count.c["count"])
            .where(error_count.c.subscription == subscription, error_count.c.day.in_(days))
            .order_by(error_count.c.code)
        )
        return self._by_day(statement, days)

    def forget(self, subscription: str, before: date) -> None:
        """Delete the counts of a subscription of all days before a day."""
        with self._database.write() as connection:
            for table in (usage, error_count):
                connection.execute(
                    table.delete().where(table.c.subscription == subscription, table.c.day < before)
                )

    def drop(self, subscription: str) -> None:
        """Delete all counts of a subscription."""
        with self._database.write() as connection:
            for table in (usage, error_count):
                connection.execute(table.delete().where(table.c.subscription == subscription))

    def _by_day(self, statement: sa.Select[Any], days: Collection[date]) -> Totals:
        found: dict[date, dict[str, int]] = {day: {} for day in days}
        with self._database.read() as connection:
            for day, name, count in connection.execute(statement):
                found[day][name] = count
        return found


def _total(connection: sa.Connection, subscription: str, day: date) -> int:
    found = connection.execute(_TOTAL, {"subscription": subscription, "day": day})
    return int(found.scalar_one())


def _add(
    connection: sa.Connection, table: sa.Table, keys: Mapping[str, Any], column: str, count: int
) -> None:
    connection.execute(
        insert(connection, table)
        .values({**keys, column: count})
        .on_conflict_do_update(index_elements=list(keys), set_={column: table.c[column] + count})
    )
