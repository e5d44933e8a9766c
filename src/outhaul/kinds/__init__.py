"""What can be exported: one module declares one kind, and the rest follows from it."""

from outhaul.kinds.activities import ACTIVITIES
from outhaul.kinds.kind import ExportRequest, Kind
from outhaul.kinds.leads import LEADS

KINDS = {kind.name: kind for kind in (LEADS, ACTIVITIES)}
"""All kinds by name."""

__all__ = ["KINDS", "ExportRequest", "Kind"]
