"""Smart campaigns, in calls of the lead database and in calls under `/rest/asset`."""

from collections.abc import Mapping
from typing import Any

from outhaul.api.lookups.answering import Lookup, allowed
from outhaul.api.lookups.assets import Family, Programs, members_of_assets
from outhaul.api.lookups.browsing import (
    asset_in_path,
    dates,
    described,
    in_programs,
    page_by_id,
    program_ids,
    workspace,
)
from outhaul.api.lookups.parameters import (
    BATCH_SIZE,
    EARLIEST,
    IN_PROGRAMS,
    LATEST,
    NEXT_PAGE_TOKEN,
    path_id,
)
from outhaul.api.lookups.query import Query
from outhaul.catalog.entries import CAMPAIGN_TYPES, Asset, AssetType
from outhaul.catalog.selection import Selection
from outhaul.protocol.answers.assets import Campaign, SmartCampaign
from outhaul.protocol.answers.envelope import Found, Success
from outhaul.protocol.parameters import boolean


def campaigns(query: Query) -> Found:
    """List smart campaigns by id; with `isTriggerable`, only active ones that have a trigger."""
    selection = in_programs(query, triggerable=query.boolean("isTriggerable") or False)
    found, token = page_by_id(query, AssetType.CAMPAIGN, selection)
    ids = program_ids(query, found)
    return Found([_campaign(entry, ids) for entry in found], token=token)


def campaign(query: Query) -> Found:
    """Show one smart campaign."""
    found = asset_in_path(query, AssetType.CAMPAIGN, "campaignId", "campaign")
    return Found([_campaign(found, program_ids(query, [found]))])


def _campaign(entry: Asset, ids: Mapping[str, int]) -> Campaign:
    further: dict[str, Any] = {"type": described(entry, "type") or CAMPAIGN_TYPES[0]}
    if description := described(entry, "description"):
        further["description"] = description
    if entry.program is not None:
        further["program_name"] = entry.program
    program = entry.description.get("programId") or ids.get(entry.program or "")
    if program is not None:
        further["program_id"] = program
    return Campaign(
        id=entry.id,
        name=entry.name,
        workspace_name=workspace(entry),
        active=entry.description.get("active", False),
        **further,
        **dates(entry),
    )


def smart_campaign(entry: Asset, programs: Programs) -> SmartCampaign:
    """Return a smart campaign as calls under `/rest/asset` show it."""
    shown = members_of_assets(entry, programs)
    url = shown.pop("url")
    kind = described(entry, "type") or CAMPAIGN_TYPES[0]
    active = entry.description.get("active", False)
    further = {
        name: entry.description[name]
        for name in ("smartListId", "flowId")
        if type(entry.description.get(name)) is int
    }
    return SmartCampaign(
        **shown,
        status=described(entry, "status") or _status(kind, active=active),
        type=kind,
        is_system=False,
        is_active=active,
        is_requestable=False,
        is_communication_limit_enabled=False,
        recurrence={"weekdayOnly": False},
        qualification_rule_type="once",
        workspace=workspace(entry),
        computed_url=url,
        **further,
    )


def _status(kind: str, *, active: bool) -> str:
    if kind == CAMPAIGN_TYPES[0]:
        return "Never Run"
    return "Active" if active else "Inactive"


def _select(query: Query) -> Selection:
    return Selection(
        updated_from=query.instant("earliestUpdatedAt"),
        updated_until=query.instant("latestUpdatedAt"),
        triggerable=query.boolean("isActive") or False,
    )


_ASSETS = Family(
    kind=AssetType.CAMPAIGN,
    path="smartCampaign",
    result=SmartCampaign,
    show=smart_campaign,
    result_in_list=SmartCampaign,
    show_in_list=smart_campaign,
    select=_select,
    parameters=(
        EARLIEST,
        LATEST,
        boolean("isActive", "Only active campaigns that have a trigger."),
    ),
)

_TRIGGERABLE = boolean("isTriggerable", "Only active campaigns that have a trigger.")

CAMPAIGNS = (
    Lookup(
        path="/rest/v1/campaigns.json",
        permissions=allowed("Campaign"),
        find=campaigns,
        parameters=(*IN_PROGRAMS, _TRIGGERABLE, BATCH_SIZE, NEXT_PAGE_TOKEN),
        result=Campaign,
    ),
    Lookup(
        path="/rest/v1/campaigns/{campaignId}.json",
        permissions=allowed("Campaign"),
        find=campaign,
        parameters=(path_id("campaignId", "smart campaign"),),
        result=Campaign,
        envelope=Success,
    ),
    *_ASSETS.lookups(),
)
