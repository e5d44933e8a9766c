"""Streams: what a mirror reads of an endpoint, each with an account of its own.

The activities are in three streams, because an endpoint forgets them at different ages (page
"Marketo Activities Data Retention Policy").
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import timedelta

from outhaul.kinds.expiry import FREQUENT
from outhaul.lake.tables import DELETE_LEAD

DELETIONS = "deletions"
FREQUENT_ACTIVITIES = "frequent-activities"
OTHER_ACTIVITIES = "activities"
ACTIVITIES = (DELETIONS, FREQUENT_ACTIVITIES, OTHER_ACTIVITIES)
"""The streams of activities, in the order in which their records perish."""

LEADS = "leads"
"""Leads by the moment of their latest change."""

NEW_LEADS = "new-leads"
"""Leads by the moment of their creation, at an endpoint without the filter `updatedAt`."""

LEAD_CHANGES = "lead-changes"
"""The leads that were changed since, at such an endpoint."""

STATIC_LISTS = "static-lists"
PROGRAM_MEMBERS = "program-members"

_OBJECTS = "custom-objects/"
_BACKFILL = "/fields-"

LEAD_PATH = "leads"
ACTIVITY_PATH = "activities"
MEMBER_PATH = "program/members"

PERISH: Mapping[str, timedelta] = {
    DELETIONS: timedelta(days=14),
    FREQUENT_ACTIVITIES: timedelta(days=90),
    OTHER_ACTIVITIES: timedelta(days=25 * 365 // 12),
}
"""The age at which a live instance deletes the records of a stream."""


@dataclass(frozen=True, kw_only=True)
class Stream:
    """A stream that is read by windows of time."""

    name: str
    kind_path: str
    filter: str
    """The filter that takes the window: `createdAt` or `updatedAt`."""

    @property
    def perish(self) -> timedelta | None:
        """The age at which a live instance deletes its records; `None`: it never does."""
        return PERISH.get(self.name)


def activity_stream(name: str) -> Stream:
    """Return one of the streams of activities."""
    return Stream(name=name, kind_path=ACTIVITY_PATH, filter="createdAt")


def lead_stream(*, by_updates: bool) -> Stream:
    """Return the stream of leads."""
    name, of = (LEADS, "updatedAt") if by_updates else (NEW_LEADS, "createdAt")
    return Stream(name=name, kind_path=LEAD_PATH, filter=of)


def object_stream(api_name: str) -> Stream:
    """Return the stream of the records of a custom object type."""
    return Stream(
        name=f"{_OBJECTS}{api_name}", kind_path=f"customobjects/{api_name}", filter="updatedAt"
    )


def backfill_name(stream: str, number: int) -> str:
    """Return the name of a stream that brings the past of fields that came later."""
    return f"{stream}{_BACKFILL}{number}"


def is_backfill(stream: str) -> bool:
    """Return whether a stream brings the past of fields that came later."""
    return _BACKFILL in stream


def object_type(stream: str) -> str | None:
    """Return the custom object type of a stream, or `None`."""
    return stream.removeprefix(_OBJECTS).partition(_BACKFILL)[0] if _OBJECTS in stream else None


def types_of(streams: Collection[str], known: Collection[int]) -> list[int] | None:
    """Return the activity types of some streams of activities; `None` means all types."""
    if set(streams) >= set(ACTIVITIES):
        return None
    of = {
        DELETIONS: {DELETE_LEAD},
        FREQUENT_ACTIVITIES: set(FREQUENT),
        OTHER_ACTIVITIES: set(known) - {DELETE_LEAD, *FREQUENT},
    }
    return sorted(set(known) & set().union(*(of[name] for name in streams)))
