"""The standard entries, which every catalog has."""

import json
from functools import cache
from importlib.resources import files

from outhaul.catalog.entries import Entries, parse_catalog


@cache
def standard_entries() -> Entries:
    """Return the standard lead fields, activity types and fields of program members."""
    folder = files("outhaul.catalog") / "standard"
    fields = parse_catalog(json.loads((folder / "lead_fields.json").read_text("utf-8")))
    types = parse_catalog(json.loads((folder / "activity_types.json").read_text("utf-8")))
    members = parse_catalog(json.loads((folder / "program_member_fields.json").read_text("utf-8")))
    return Entries(
        lead_fields=fields.lead_fields,
        activity_types=types.activity_types,
        member_fields=members.member_fields,
    )
