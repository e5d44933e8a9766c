"""The sample subscription: generated records, and loading them."""

from outhaul.sample.objects import BOATS, boats, program_members
from outhaul.sample.records import (
    DELETE_LEAD,
    FIRST_LEAD_ID,
    Record,
    activities,
    catalog,
    deletions,
    leads,
    list_members,
)

__all__ = [
    "BOATS",
    "DELETE_LEAD",
    "FIRST_LEAD_ID",
    "Record",
    "activities",
    "boats",
    "catalog",
    "deletions",
    "leads",
    "list_members",
    "program_members",
]
