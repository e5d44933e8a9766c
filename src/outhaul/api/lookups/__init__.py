"""Look-ups: calls that read a few records or the catalog at once, without an export job."""

from collections.abc import Mapping

from outhaul.api.calls import Call
from outhaul.api.lookups.activities import ACTIVITIES
from outhaul.api.lookups.answering import Lookup, lookup_calls
from outhaul.api.lookups.assets import ASSETS
from outhaul.api.lookups.campaigns import CAMPAIGNS
from outhaul.api.lookups.custom_objects import CUSTOM_OBJECTS
from outhaul.api.lookups.describing import describe_lookups
from outhaul.api.lookups.leads import LEADS
from outhaul.api.lookups.lists import LISTS
from outhaul.api.lookups.members import MEMBERS
from outhaul.api.lookups.memberships import MEMBERSHIPS
from outhaul.api.lookups.smart_lists import SMART_LISTS
from outhaul.api.lookups.stored import stored_lookups
from outhaul.api.lookups.unstored import UNSTORED
from outhaul.api.service import Service
from outhaul.kinds import KINDS


def families() -> Mapping[str, tuple[Lookup, ...]]:
    """Return all look-ups, by the name of their family."""
    stored = {
        "activities": ACTIVITIES,
        "leads": LEADS,
        "program members": MEMBERS,
        "memberships": MEMBERSHIPS,
        "custom objects": CUSTOM_OBJECTS,
        "fields": tuple(lookup for kind in KINDS.values() for lookup in describe_lookups(kind)),
        "lists": LISTS,
        "campaigns": CAMPAIGNS,
        "assets": ASSETS,
        "smart lists": SMART_LISTS,
        "what is stored": stored_lookups(),
    }
    taken = {lookup.path for lookups in stored.values() for lookup in lookups}
    return {
        **stored,
        "what is not stored": tuple(lookup for lookup in UNSTORED if lookup.path not in taken),
    }


def all_lookups(service: Service) -> list[Call]:
    """Return the calls of all look-ups."""
    return [
        call
        for name, lookups in families().items()
        for call in lookup_calls(service, name, lookups)
    ]


__all__ = ["all_lookups", "families"]
