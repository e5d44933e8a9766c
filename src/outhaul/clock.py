"""The present moment, and the day that the export quota is counted in."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

QUOTA_ZONE = ZoneInfo("America/Chicago")


def now() -> datetime:
    """Return the present moment, aware, in UTC."""
    return datetime.now(UTC)


def quota_day(moment: datetime) -> tuple[datetime, datetime]:
    """Return the first moment of the quota day that `moment` is in, and of the next, in UTC.

    The day goes from midnight to midnight in America/Chicago, so it has 23 or 25 hours when
    daylight saving begins or ends (bulk-extract.md, limits).
    """
    day = quota_date(moment)
    return day_begin(day), day_begin(day + timedelta(days=1))


def quota_date(moment: datetime) -> date:
    """Return the date of the quota day that `moment` is in."""
    return moment.astimezone(QUOTA_ZONE).date()


def day_begin(day: date) -> datetime:
    """Return the first moment of a quota day, in UTC."""
    return datetime.combine(day, time(), QUOTA_ZONE).astimezone(UTC)
