"""Smart campaigns, as the lead database shows them."""

from collections.abc import Mapping
from typing import Any

from outhaul.api.lookups.answering import Lookup, Page, Query, allowed
from outhaul.api.lookups.browsing import (
    dates,
    in_programs,
    page_by_id,
    program_ids,
    said,
    the_one,
    workspace,
)
from outhaul.catalog.entries import CAMPAIGN_TYPES, Asset, AssetType


def campaigns(query: Query) -> Page:
    """List smart campaigns by id; `isTriggerable` wants active ones that have a trigger."""
    selection = in_programs(query, triggerable=query.boolean("isTriggerable") or False)
    found, token = page_by_id(query, AssetType.CAMPAIGN, selection)
    ids = program_ids(query, found)
    return Page(result=[_campaign(entry, ids) for entry in found], token=token)


def campaign(query: Query) -> Page:
    """Show one smart campaign."""
    found = the_one(query, AssetType.CAMPAIGN, "campaignId", "campaign")
    return Page(result=[_campaign(found, program_ids(query, [found]))])


def _campaign(entry: Asset, ids: Mapping[str, int]) -> dict[str, Any]:
    shown: dict[str, Any] = {"id": entry.id, "name": entry.name}
    if description := said(entry, "description"):
        shown["description"] = description
    shown["type"] = said(entry, "type") or CAMPAIGN_TYPES[0]
    if entry.program is not None:
        shown["programName"] = entry.program
    program = entry.description.get("programId") or ids.get(entry.program or "")
    if program is not None:
        shown["programId"] = program
    active = entry.description.get("active", False)
    return {**shown, "workspaceName": workspace(entry), **dates(entry), "active": active}


CAMPAIGNS = (
    Lookup(
        path="/rest/v1/campaigns.json",
        permissions=allowed("Campaign"),
        find=campaigns,
        parameters=(
            "id",
            "name",
            "programName",
            "workspaceName",
            "isTriggerable",
            "batchSize",
            "nextPageToken",
        ),
    ),
    Lookup(
        path="/rest/v1/campaigns/{campaignId}.json",
        permissions=allowed("Campaign"),
        find=campaign,
    ),
)
