"""The limits of a subscription, each declared once, and the sets that they come in."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

# The most days that a limit may have: with far more, dates would leave the calendar.
_CENTURY = 36_500


class Limits(BaseModel):
    """The limits of a subscription. The defaults are the set `marketo`; `None` means no limit.

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
        default=True, description="Accept the token also in the query parameter access_token."
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


LIMIT_SETS: Mapping[str, Limits] = {
    "marketo": Limits(),
    "open": Limits(
        queued_jobs=None,
        processing_jobs=None,
        daily_export_mb=None,
        calls_in_20_seconds=None,
        calls_at_once=None,
        calls_per_day=None,
    ),
}


if TYPE_CHECKING:
    LimitSet = str
else:
    LimitSet = Literal[tuple(LIMIT_SETS)]
"""The name of a set of limits. For a type checker it is any text: it cannot read the table."""
