"""How the records of a stream are loaded, and into which table."""

from outhaul.catalog.store import Catalog
from outhaul.kinds.activities import ACTIVITIES as ACTIVITY_KIND
from outhaul.kinds.custom_objects import CUSTOM_OBJECTS
from outhaul.kinds.leads import LEADS as LEAD_KIND
from outhaul.kinds.list_members import LIST_MEMBERS
from outhaul.kinds.loading import Loading
from outhaul.kinds.program_members import PROGRAM_MEMBERS as MEMBER_KIND
from outhaul.mirror.streams import ACTIVITIES, PROGRAM_MEMBERS, STATIC_LISTS, object_type


def loading_of(stream: str, catalog: Catalog) -> Loading:
    """Return how the records of a stream are loaded."""
    if stream == STATIC_LISTS:
        return LIST_MEMBERS.loading
    if stream == PROGRAM_MEMBERS:
        return MEMBER_KIND.loading
    if stream in ACTIVITIES:
        return ACTIVITY_KIND.loading
    api_name = object_type(stream)
    if api_name is None:
        return LEAD_KIND.loading
    return CUSTOM_OBJECTS.loading_of(catalog, api_name)
