"""What can be exported: one module declares one kind, and the rest follows from it."""

from outhaul.kinds.activities import ACTIVITIES
from outhaul.kinds.custom_objects import CUSTOM_OBJECTS
from outhaul.kinds.kind import Context, Kind
from outhaul.kinds.leads import LEADS
from outhaul.kinds.program_members import PROGRAM_MEMBERS

KINDS = {kind.name: kind for kind in (LEADS, ACTIVITIES, PROGRAM_MEMBERS, CUSTOM_OBJECTS)}
"""All kinds by name."""


def find_kind(job_kind: str, context: Context) -> Kind:
    """Return the kind of a job (`Kind.job_kind`)."""
    name, _, type_name = job_kind.partition("/")
    return KINDS[name].resolve(context, type_name or None)


__all__ = ["KINDS", "Context", "Kind", "find_kind"]
