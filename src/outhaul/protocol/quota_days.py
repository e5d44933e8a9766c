"""The days for which quotas are counted: from midnight to midnight in America/Chicago."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

QUOTA_ZONE = ZoneInfo("America/Chicago")


def quota_day(moment: datetime) -> tuple[datetime, datetime]:
    """Return when the quota day of `moment` begins and when the next one begins, in UTC.

    A quota day goes from midnight to midnight in America/Chicago. It has 23 or 25 hours when
    daylight saving time begins or ends (bulk-extract.md, limits).
    """
    day = quota_date(moment)
    return day_begin(day), day_begin(day + timedelta(days=1))


def quota_date(moment: datetime) -> date:
    """Return the date, in America/Chicago, of the quota day of `moment`."""
    return moment.astimezone(QUOTA_ZONE).date()


def day_begin(day: date) -> datetime:
    """Return when a quota day begins, in UTC."""
    return datetime.combine(day, time(), QUOTA_ZONE).astimezone(UTC)
