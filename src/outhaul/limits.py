"""The limits of a subscription, each declared once, and the sets that they come in."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from outhaul.protocol.quota_days import quota_date

# The most days that a limit may have: with far more, dates would leave the calendar.
_CENTURY = 36_500


class Limits(BaseModel):
    """The limits of a subscription. The defaults are the oldest dated set; `None` means no limit.

    The environment variable `OUTHAUL_LIMIT_<NAME>` overrides a single limit of all subscriptions;
    its value `none` means no limit. The overrides of a subscription come before the variables.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    date_range_days: int = Field(
        default=31, ge=1, le=_CENTURY, description="Longest window of a date filter, in days."
    )
    primary_attribute_values: int = Field(
        default=50, ge=1, description="Most ids or names in a primary attribute filter."
    )
    queued_jobs: int | None = Field(
        default=10, ge=0, description="Most export jobs Queued or Processing at a time."
    )
    processing_jobs: int | None = Field(
        default=2, ge=1, description="Most export jobs Processing at a time."
    )
    daily_export_mb: int | None = Field(
        default=500,
        ge=0,
        description="Size of exports finished in a day (America/Chicago), in MB (1,000,000 bytes).",
    )
    file_days: int = Field(
        default=7,
        ge=0,
        le=_CENTURY,
        description="Days for which a file can be fetched after its job completed.",
    )
    list_days: int = Field(
        default=7, ge=0, le=_CENTURY, description="Age of the oldest jobs that are listed, in days."
    )
    list_page: int = Field(default=300, ge=1, description="Most jobs on a page of the list.")
    status_days: int = Field(
        default=30,
        ge=0,
        le=_CENTURY,
        description="Days for which the status of a job can be fetched after the job ended.",
    )
    status_seconds: int | None = Field(
        default=None,
        ge=1,
        le=86_400,
        description="Seconds between two refreshes of the status of a job, as the call for one "
        "status shows it; 60 on a live instance.",
    )
    calls_in_20_seconds: int | None = Field(
        default=100, ge=1, description="Most calls in any 20 seconds."
    )
    calls_at_once: int | None = Field(
        default=10, ge=1, description="Most calls in progress at a time."
    )
    calls_per_day: int | None = Field(
        default=50_000, ge=0, description="Most calls that succeed in a day (America/Chicago)."
    )
    body_bytes: int = Field(default=1_000_000, ge=1, description="Largest request body, in bytes.")
    bulk_body_bytes: int = Field(
        default=10_000_000, ge=1, description="Largest request body under /bulk, in bytes."
    )
    uri_bytes: int = Field(default=8_192, ge=1, description="Longest path and query, in bytes.")
    token_seconds: int = Field(
        default=3_600, ge=1, le=2**31 - 1, description="Lifetime of an access token, in seconds."
    )
    query_token: bool = Field(
        default=False, description="Accept the token also in the query parameter access_token."
    )
    gzip_bytes: int | None = Field(
        default=1_024,
        ge=0,
        description="Smallest answer under /rest that is compressed if the client accepts gzip, in "
        "bytes.",
    )
    list_id_leads: int | None = Field(
        default=None,
        ge=1,
        description="Leads from which on a static list is refused as listId in look-ups of "
        "activities and changes.",
    )
    delete_lead_days: int | None = Field(
        default=None,
        ge=0,
        le=_CENTURY,
        description="Age, in days, of the oldest activities of type 37 (Delete Lead) that are "
        "shown; 14 on a live instance.",
    )
    frequent_activity_days: int | None = Field(
        default=None,
        ge=0,
        le=_CENTURY,
        description="Age, in days, of the oldest activities of twelve frequent types that are "
        "shown; 90 on a live instance.",
    )
    activity_months: int | None = Field(
        default=None,
        ge=0,
        le=_CENTURY // 31,
        description="Age, in months, of the oldest activities of other types that are shown, "
        "except New Lead; 25 on a live instance.",
    )
    updated_at_filter: bool = Field(default=True, description="Offer the filter updatedAt.")
    delete_lead_type: bool = Field(
        default=True, description="Accept type 37 (Delete Lead) in activityTypeIds."
    )
    smart_list_filters: bool = Field(
        default=True, description="Offer the filters smartListId and smartListName."
    )
    ecids: bool = Field(default=False, description="Offer the lead field ecids.")
    ssv_delimiter: Literal["space", "semicolon"] = Field(
        default="space", description="Character that separates the cells of an SSV file."
    )

    @field_validator("*", mode="before")
    @classmethod
    def _none_by_name(cls, value: Any) -> Any:  # noqa: ANN401 - limits have several types
        return None if isinstance(value, str) and value.lower() == "none" else value


@dataclass(frozen=True, kw_only=True)
class DatedSet:
    """The limits of the original from a day on."""

    since: date
    """The day from which the set is in force, in the time zone of quotas."""
    limits: Limits


_DATED: Mapping[str, DatedSet] = {
    # The pages "Authentication", "Error Codes" and "Usage".
    "marketo-2026-08": DatedSet(since=date(2026, 8, 31), limits=Limits()),
    # The page "Activities", calls with `listId`.
    "marketo-2026-12": DatedSet(since=date(2026, 12, 30), limits=Limits(list_id_leads=10_000)),
}
"""The limits of the original, in the order of their dates."""

NEWEST = "marketo"
"""Stands for the dated set that is in force."""

LIMIT_SETS: Mapping[str, Limits] = {
    **{name: dated.limits for name, dated in _DATED.items()},
    "open": Limits(
        queued_jobs=None,
        processing_jobs=None,
        daily_export_mb=None,
        calls_in_20_seconds=None,
        calls_at_once=None,
        calls_per_day=None,
        query_token=True,
    ),
}
"""The sets of limits by name. `NEWEST` is one of the dated ones, depending on the day."""


def limit_set(name: str, moment: datetime) -> Limits:
    """Return a set of limits. For `NEWEST` it is the newest of those in force at a moment.

    Before the first date, that is the first set.
    """
    if name != NEWEST:
        return LIMIT_SETS[name]
    today = quota_date(moment)
    first, *later = _DATED.values()
    return next((each for each in reversed(later) if each.since <= today), first).limits


if TYPE_CHECKING:
    LimitSet = str
else:
    LimitSet = Literal[(NEWEST, *LIMIT_SETS)]
"""The name of a set of limits. For a type checker it is any text: it cannot read the table."""
