"""The settings of a process and the limits of a subscription, each declared once."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal
from urllib.parse import quote

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)

from outhaul.declaration import PREFIX, Computed, Declared, Entries, Option
from outhaul.store_access import S3, AzureStorage, GoogleStorage
from outhaul.store_url import FILE, StoreUrl

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


class LocationMissingError(ValueError):
    """The lake, the export files or the database have no location, neither a folder nor a URL."""


class Settings(Declared):
    """The settings of one process. The help shows their options in the order of the fields."""

    PREFIX = PREFIX

    data: Annotated[Path | None, Option(first=True)] = Field(
        default=None,
        description="Folder for database, lake and export files, each unless a URL names "
        "another location. It is created on first use.",
    )
    host: Annotated[str, Option()] = Field(
        default="127.0.0.1", description="Address that the server listens on."
    )
    port: Annotated[int, Option()] = Field(
        default=8750,
        ge=0,
        le=65_535,
        description="Port that the server listens on; 0 means a free port.",
    )
    workers: Annotated[int, Option()] = Field(
        default=2,
        ge=0,
        description="Export jobs that run at a time. With 0, a server runs no jobs.",
    )
    limits: Annotated[LimitSet, Option()] = Field(
        default="marketo",
        description="Limits of every subscription: those of the original, or no quotas (open). "
        "OUTHAUL_LIMIT_<NAME> overrides a single limit, such as OUTHAUL_LIMIT_QUEUED_JOBS=20.",
    )
    limit_overrides: Annotated[Mapping[str, Any], Entries(f"{PREFIX}LIMIT_")] = Field(
        default_factory=dict,
        description="Single limits that differ from the set; none means no limit.",
    )
    lease_seconds: Annotated[float, Option(minimum=1.0)] = Field(
        default=30.0,
        gt=0,
        description="Seconds after which a worker that does not respond loses its job to another.",
    )
    lake_url: Annotated[str | None, Option(metavar="URL")] = Field(
        default=None,
        description="Location of the lake, instead of the folder `lake` of the data folder: "
        "s3://BUCKET/PREFIX, gs://BUCKET/PREFIX, az://CONTAINER/PREFIX, or another folder. "
        "The keys of a bucket are in variables: OUTHAUL_S3_…, OUTHAUL_GS_… or OUTHAUL_AZ_….",
    )
    files_url: Annotated[str | None, Option(metavar="URL")] = Field(
        default=None,
        description="Location of export files, instead of the folder `files` of the data folder. "
        "It takes the same URLs as --lake-url.",
    )
    files_redirect: Annotated[bool, Option()] = Field(
        default=False,
        description="Answer file calls with a redirect to a signed URL of the bucket.",
    )
    database_url: Annotated[
        str, Option(metavar="URL"), Computed("`outhaul.db` in the data folder")
    ] = Field(
        # The path is percent-encoded, as in the URLs of SQLAlchemy.
        default_factory=lambda known: _database_in(known["data"]),
        repr=False,  # it may hold a password
        description="PostgreSQL database, instead of a SQLite file: postgresql://user@host/name. "
        "If the URL has a password, use the variable: other users can read a command line.",
    )
    executor: Annotated[Literal["local", "ray"], Option()] = Field(
        default="local",
        description="What renders the parts of export files: the worker itself, or a Ray cluster.",
    )
    ray_address: Annotated[str | None, Option(metavar="HOST:PORT")] = Field(
        default=None,
        pattern=r"^([^\s:/\[\]]+|\[[0-9A-Fa-f:]+\]):[0-9]{1,5}$",
        description="Head node of the Ray cluster. This machine must be one of its nodes.",
    )

    s3: S3 = Field(default_factory=S3, description="Access to buckets of S3.")
    gs: GoogleStorage = Field(
        default_factory=GoogleStorage, description="Access to buckets of Google."
    )
    az: AzureStorage = Field(
        default_factory=AzureStorage, description="Access to containers of Azure."
    )
    part_threads: Annotated[int, Computed("number of processors")] = Field(
        default_factory=lambda: os.cpu_count() or 1,
        ge=1,
        description="Parts that a worker renders at a time, all of its jobs together.",
    )
    part_records: int = Field(
        default=200_000,
        ge=1,
        description="Approximate number of records in a part. A larger partition has several "
        "parts.",
    )
    poll_seconds: float = Field(
        default=0.2, gt=0, description="With SQLite: seconds between two looks for a queued job."
    )
    listen_seconds: float = Field(
        default=5.0,
        gt=0,
        description="With PostgreSQL: seconds between two looks for a queued job. The database "
        "announces new jobs at once; these looks find jobs that nothing announces, such as those "
        "of a worker that died.",
    )
    janitor_seconds: float = Field(
        default=600.0,
        gt=0,
        description="Seconds between two rounds of a worker's janitor, which removes expired data.",
    )
    lake_replaced_hours: int = Field(
        default=168,
        ge=0,
        description="Hours for which a file of the lake is retained after its replacement.",
    )

    @model_validator(mode="after")
    def _ray_has_an_address(self) -> "Settings":
        if self.executor == "ray" and self.ray_address is None:
            raise ValueError("--executor ray needs --ray-address: the head node, as host:port")
        return self

    @field_validator("limit_overrides")
    @classmethod
    def _name_limits(cls, value: Mapping[str, Any]) -> Mapping[str, Any]:
        # A wrong limit is an error when the process starts. It would otherwise fail every call.
        Limits.model_validate(dict(value))
        return value

    @field_validator("files_url", "lake_url")
    @classmethod
    def _names_a_store(cls, value: str | None) -> str | None:
        return None if value is None else str(StoreUrl.parse(value))

    @field_validator("files_redirect")
    @classmethod
    def _redirect_to_a_bucket(cls, value: bool, info: ValidationInfo) -> bool:
        url = info.data.get("files_url")
        if value and (url is None or StoreUrl.parse(url).scheme == FILE):
            raise ValueError("needs --files-url with a bucket: a folder has no signed URLs")
        return value

    @property
    def lake_folder(self) -> Path:
        """The folder of the lake, which has a folder for each subscription.

        Raises `LocationMissingError` without a data folder.
        """
        return self._folder("lake")

    @property
    def files_folder(self) -> Path:
        """The folder of export files. Raises `LocationMissingError` without a data folder."""
        return self._folder("files")

    def check_locations(self) -> None:
        """Raise `LocationMissingError` if the lake or the export files have no location."""
        if self.lake_url is None:
            self._folder("lake")
        if self.files_url is None:
            self._folder("files")

    def _folder(self, what: str) -> Path:
        if self.data is None:
            raise LocationMissingError(f"--data or --{what}-url is needed")
        return self.data / what

    def limits_of(self, overrides: Mapping[str, Any]) -> Limits:
        """Return the limits of a subscription with these overrides.

        Raises `pydantic.ValidationError` if an override names no limit or has a wrong value.
        """
        chosen = LIMIT_SETS[self.limits].model_dump() | dict(self.limit_overrides)
        return Limits.model_validate(chosen | dict(overrides))


def _database_in(data: Path | None) -> str:
    if data is None:
        raise LocationMissingError("--data or --database-url is needed")
    return f"sqlite:///{quote(str(data / 'outhaul.db'))}"
