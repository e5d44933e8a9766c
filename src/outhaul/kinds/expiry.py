"""The age up to which activities are shown, as a live instance deletes them.

The groups are those of the original's page "Marketo Activities Data Retention Policy". outhaul
deletes nothing: an activity that is too old is only left out of exports and look-ups.
"""

import calendar
from datetime import UTC, datetime, timedelta

from outhaul.kinds.filter import Context
from outhaul.lake.clauses import AllOf, AnyOf, Clause, NoneOf, OneOf, Within
from outhaul.lake.tables import DELETE_LEAD

NEW_LEAD = 12
"""The type of activities that never expire."""

FREQUENT = (
    1,  # Visit Webpage
    3,  # Click Link
    6,  # Send Email
    7,  # Email Delivered
    13,  # Change Data Value
    19,  # Sync Lead to SFDC
    22,  # Change Score
    24,  # Add to List
    28,  # Sync Lead Updates to SFDC
    36,  # Update Opportunity
    47,  # Request Campaign
    300,  # Sync Lead to Microsoft
)
"""The twelve types whose activities a live instance deletes after 90 days."""

_TYPE, _DATE = "activityTypeId", "activityDate"
_FIRST = datetime(1, 1, 1, tzinfo=UTC)
_LAST = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)


def unexpired(context: Context) -> list[Clause]:
    """Return the clause for activities that are young enough to be shown.

    There is none if no limit is set. The age counts from the moment of the context.
    """
    limits, now = context.limits, context.moment.replace(microsecond=0)
    groups: list[tuple[Clause, datetime | None]] = [
        (OneOf(_TYPE, (NEW_LEAD,)), None),
        (OneOf(_TYPE, (DELETE_LEAD,)), _days_before(now, limits.delete_lead_days)),
        (OneOf(_TYPE, FREQUENT), _days_before(now, limits.frequent_activity_days)),
        (
            NoneOf(_TYPE, (NEW_LEAD, DELETE_LEAD, *FREQUENT)),
            _months_before(now, limits.activity_months),
        ),
    ]
    if all(oldest is None for _, oldest in groups):
        return []
    shown = (
        types if oldest is None else AllOf((types, Within(_DATE, oldest, _LAST)))
        for types, oldest in groups
    )
    return [AnyOf(tuple(shown))]


def _days_before(moment: datetime, days: int | None) -> datetime | None:
    return None if days is None else moment - timedelta(days=days)


def _months_before(moment: datetime, months: int | None) -> datetime | None:
    """Return the same day of an earlier month, or its last day if that month is shorter."""
    if months is None:
        return None
    year, month = divmod(moment.year * 12 + moment.month - 1 - months, 12)
    if year < 1:
        return _FIRST
    last = calendar.monthrange(year, month + 1)[1]
    return moment.replace(year=year, month=month + 1, day=min(moment.day, last))
