"""The sets of records, by name."""

from collections.abc import Mapping

from outhaul.sample.sets.declaration import RecordSet, SetError
from outhaul.sample.sets.large import LARGE
from outhaul.sample.sets.nasty import NASTY
from outhaul.sample.sets.small import SMALL

EMPTY = RecordSet(
    name="empty", help="No records, and no entries of the catalog but the standard ones."
)

SETS: Mapping[str, RecordSet] = {each.name: each for each in (EMPTY, SMALL, LARGE, NASTY)}


def set_named(name: str) -> RecordSet:
    """Return a set. Raises `SetError`, which lists the sets."""
    found = SETS.get(name)
    if found is None:
        raise SetError(f"there is no set {name!r}; the sets are {', '.join(SETS)}")
    return found
