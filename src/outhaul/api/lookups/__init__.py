"""Look-ups: what exporters ask before, between and beside exports; a module for each family."""

from outhaul.api.calls import Call
from outhaul.api.lookups.activities import ACTIVITIES
from outhaul.api.lookups.answering import lookup_calls
from outhaul.api.lookups.assets import ASSETS
from outhaul.api.lookups.campaigns import CAMPAIGNS
from outhaul.api.lookups.fields import FIELDS
from outhaul.api.lookups.leads import LEADS
from outhaul.api.lookups.lists import LISTS
from outhaul.api.lookups.objects import OBJECTS
from outhaul.api.lookups.smart_lists import SMART_LISTS
from outhaul.api.service import Service

FAMILIES = {
    "activities": ACTIVITIES,
    "leads": LEADS,
    "objects": OBJECTS,
    "fields": FIELDS,
    "lists": LISTS,
    "campaigns": CAMPAIGNS,
    "assets": ASSETS,
    "smart lists": SMART_LISTS,
}
"""All look-ups, by what they are about."""


def all_lookups(service: Service) -> list[Call]:
    """Return the calls of all look-ups."""
    return [
        call for name, lookups in FAMILIES.items() for call in lookup_calls(service, name, lookups)
    ]


__all__ = ["FAMILIES", "all_lookups"]
