"""The current time."""

from datetime import UTC, datetime


def now() -> datetime:
    """Return the current time, in UTC and aware."""
    return datetime.now(UTC)
