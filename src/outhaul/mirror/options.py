"""The options of a mirror."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from outhaul.client import Pace
from outhaul.protocol.windows import Period

FIRST_MOMENT = datetime(2006, 1, 1, tzinfo=UTC)
"""No instance of the original is older."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """How a mirror reads its endpoint."""

    since: datetime = FIRST_MOMENT
    overlap: timedelta = timedelta(hours=2)
    """How much of what was read last is read again, for records that came late."""
    again: Period | None = None
    """A period that is read again, whatever was read of it."""
    snapshots_every: timedelta = timedelta(days=7)
    """How often static lists and programs without a sign of change are read again."""
    at_once: int = 10
    """Most jobs in flight."""
    window_days: int | None = None
    """The longest window, in days; `None`: what the endpoint allows."""
    daily_bytes: int | None = None
    """The quota of a day, in bytes."""
    is_quota_told: bool = True
    """Whether the quota is the one that the endpoint tells, or else the published one."""
    pace: Pace = field(default_factory=Pace)
    wait: bool = False
    """Whether to go on when the quota of a day is spent."""
