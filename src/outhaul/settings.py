"""Every setting, once: where things are, how the service runs, and what a subscription may do."""

import os
import re
from base64 import b64decode
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self
from urllib.parse import quote, urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationInfo,
    field_validator,
    model_validator,
)

LIMIT_PREFIX = "OUTHAUL_LIMIT_"

# Days beyond which a limit is a slip of the hand, and dates would leave the calendar.
_CENTURY = 36_500


class Limits(BaseModel):
    """What a subscription may do. The defaults are the `marketo` set; `None` means no limit.

    A single value is overridden by the environment variable `OUTHAUL_LIMIT_<NAME>`, with `none`
    for no limit, and for one subscription by its own overrides.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    date_range_days: int = Field(
        default=31, ge=1, le=_CENTURY, description="longest window of a date filter, in days"
    )
    primary_attribute_values: int = Field(
        default=50, ge=1, description="most ids or names in a primary attribute filter"
    )
    queued_jobs: int | None = Field(
        default=10, ge=0, description="most export jobs Queued or Processing at a time"
    )
    processing_jobs: int | None = Field(
        default=2, ge=1, description="most export jobs Processing at a time"
    )
    daily_export_mb: int | None = Field(
        default=500,
        ge=0,
        description="size of finished exports in a day (America/Chicago), in MB of 1,000,000 bytes",
    )
    file_days: int = Field(
        default=7, ge=0, le=_CENTURY, description="days that a file is kept after its completion"
    )
    list_days: int = Field(
        default=7, ge=0, le=_CENTURY, description="age in days up to which jobs are listed"
    )
    list_page: int = Field(default=300, ge=1, description="most jobs on a page of the list")
    status_days: int = Field(
        default=30, ge=0, le=_CENTURY, description="days that a job is kept after its end"
    )
    calls_in_20_seconds: int | None = Field(
        default=100, ge=1, description="most calls in any 20 seconds"
    )
    calls_at_once: int | None = Field(
        default=10, ge=1, description="most calls that are being answered at a time"
    )
    calls_per_day: int | None = Field(
        default=50_000, ge=0, description="most calls that succeed in a day (America/Chicago)"
    )
    body_bytes: int = Field(default=1_000_000, ge=1, description="largest request body, in bytes")
    bulk_body_bytes: int = Field(
        default=10_000_000, ge=1, description="largest request body under /bulk, in bytes"
    )
    uri_bytes: int = Field(default=8_192, ge=1, description="longest path and query, in bytes")
    token_seconds: int = Field(
        default=3_600, ge=1, le=2**31 - 1, description="life of an access token, in seconds"
    )
    query_token: bool = Field(
        default=True, description="take the token from the query parameter access_token as well"
    )
    updated_at_filter: bool = Field(default=True, description="offer the filter updatedAt")
    smart_list_filters: bool = Field(
        default=True, description="offer the filters smartListId and smartListName"
    )
    ecids: bool = Field(default=False, description="offer the lead field ecids")
    ssv_delimiter: Literal["space", "semicolon"] = Field(
        default="space", description="what separates the cells of an SSV file"
    )

    @field_validator("*", mode="before")
    @classmethod
    def _none_by_name(cls, value: Any) -> Any:  # noqa: ANN401 - whatever was set
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


class Access(BaseModel):
    """How one storage service is reached. What is missing comes from the service's own variables.

    No field has an option: each is set by a variable, `PREFIX` and the name of the field.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)
    PREFIX: ClassVar[str]

    def variables(self) -> dict[str, str]:
        """Return these settings as environment variables, for a process that is started."""
        given = {name: value for name, value in self if value is not None}
        return {
            f"{self.PREFIX}{name.upper()}": value.get_secret_value()
            if isinstance(value, SecretStr)
            else str(value)
            for name, value in given.items()
        }

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> dict[str, str]:
        """Return the fields that environment variables set, by their names."""
        names = {name: f"{cls.PREFIX}{name.upper()}" for name in cls.model_fields}
        return {
            name: environ[variable] for name, variable in names.items() if environ.get(variable)
        }


def _is_an_address(value: str | None) -> str | None:
    if value is not None and not re.fullmatch(r"https?://[^/@?#\s]+/?", value):
        raise ValueError("an address such as https://host:port is expected")
    return value


class S3(Access):
    """How buckets of S3, or of a service that speaks like it, are reached."""

    PREFIX = "OUTHAUL_S3_"

    endpoint: Annotated[str | None, AfterValidator(_is_an_address)] = Field(
        default=None, description="address of a service other than AWS, as https://host:port"
    )
    region: str | None = Field(default=None, min_length=1, description="region of the buckets")
    access_key_id: str | None = Field(
        default=None, min_length=1, description="access key, if it is not that of AWS's variables"
    )
    secret_access_key: SecretStr | None = Field(
        default=None, min_length=1, description="secret of the access key; nowhere shown or logged"
    )

    @model_validator(mode="after")
    def _has_both(self) -> Self:
        if (self.access_key_id is None) != (self.secret_access_key is None):
            both = (f"{self.PREFIX}{name}" for name in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY"))
            raise ValueError(" and ".join(both) + " need each other")
        return self


class GoogleStorage(Access):
    """How buckets of Google Cloud Storage are reached."""

    PREFIX = "OUTHAUL_GS_"

    endpoint: Annotated[str | None, AfterValidator(_is_an_address)] = Field(
        default=None, description="address of a service other than Google, as https://host:port"
    )
    service_account_file: Path | None = Field(
        default=None, description="JSON file with the key of a service account"
    )


class AzureStorage(Access):
    """How containers of Azure Blob Storage are reached."""

    PREFIX = "OUTHAUL_AZ_"

    endpoint: str | None = Field(
        default=None,
        description="address of the account, where it is not at Azure, as https://host:port/account",
    )
    account_name: str | None = Field(
        default=None, pattern=r"^[a-z0-9-]+$", description="name of the storage account"
    )
    account_key: SecretStr | None = Field(
        default=None, min_length=1, description="key of the account; nowhere shown or logged"
    )
    sas_token: SecretStr | None = Field(
        default=None,
        min_length=1,
        description="shared access signature, in place of the key; nowhere shown or logged",
    )

    @field_validator("endpoint")
    @classmethod
    def _has_the_account(cls, value: str | None) -> str | None:
        if value is not None and not re.fullmatch(r"https?://[^/@?#\s]+(/[a-z0-9-]+)?/?", value):
            raise ValueError("an address such as https://host:port/account is expected")
        return value

    @field_validator("account_key")
    @classmethod
    def _is_base64(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            try:
                b64decode(value.get_secret_value(), validate=True)
            except ValueError:
                raise ValueError("the key of an account is base64") from None
        return value

    @model_validator(mode="after")
    def _has_one_secret(self) -> Self:
        if self.account_key is not None and self.sas_token is not None:
            both = (f"{self.PREFIX}{name}" for name in ("ACCOUNT_KEY", "SAS_TOKEN"))
            raise ValueError(" and ".join(both) + " exclude each other")
        if (self.account_key or self.sas_token) and self.account_name is None:
            raise ValueError(f"{self.PREFIX}ACCOUNT_NAME is missing")
        return self


class PlaceMissingError(ValueError):
    """There is neither a data folder nor a URL for something that has to be kept."""


class Settings(BaseModel):
    """How one process of the service is set up."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    data: Path | None = Field(
        default=None,
        description="folder that holds everything that no URL puts elsewhere; made on first use",
    )
    host: str = Field(default="127.0.0.1", description="address that the server listens on")
    port: int = Field(default=8750, ge=0, le=65_535, description="port; 0 takes a free one")
    workers: int = Field(
        default=2, ge=0, description="export jobs that this process runs at a time"
    )
    database_url: str = Field(
        # As SQLAlchemy writes it: the path is percent-encoded.
        default_factory=lambda known: _database_in(known["data"]),
        repr=False,  # it may hold a password
        description="database that keeps the state: SQLite, or postgresql://user@host/name",
    )
    limits: Literal["marketo", "open"] = Field(
        default="marketo", description="set of limits to start from"
    )
    limit_overrides: Mapping[str, Any] = Field(
        default_factory=dict, description="single limits that differ from the set"
    )
    part_threads: int = Field(
        default_factory=lambda: os.cpu_count() or 1,
        ge=1,
        description="parts rendered at a time, over all jobs of the process",
    )
    part_records: int = Field(
        default=200_000, ge=1, description="records from which a partition is rendered in slices"
    )
    lease_seconds: float = Field(
        default=30.0,
        gt=0,
        description="time after which a job of a dead worker is taken up by another",
    )
    poll_seconds: float = Field(
        default=0.2, gt=0, description="how often a worker looks for a job, on SQLite"
    )
    listen_seconds: float = Field(
        default=5.0,
        gt=0,
        description="the same on PostgreSQL, where workers are told of new jobs besides",
    )
    janitor_seconds: float = Field(
        default=600.0, gt=0, description="how often a worker removes what has expired"
    )
    lake_replaced_hours: int = Field(
        default=168,
        ge=0,
        description="age from which files of the lake that were replaced are removed, in hours",
    )
    lake_url: str | None = Field(
        default=None,
        description="bucket for the lake, s3://bucket/prefix; else the folder lake of data",
    )
    files_url: str | None = Field(
        default=None,
        description="bucket for export files, s3://bucket/prefix; else the folder files of data",
    )
    files_redirect: bool = Field(
        default=False, description="answer a file call by 307 to a signed URL of the bucket"
    )
    s3: S3 = Field(default_factory=S3, description="how buckets of S3 are reached, below")
    gs: GoogleStorage = Field(
        default_factory=GoogleStorage, description="how buckets of Google are reached, below"
    )
    az: AzureStorage = Field(
        default_factory=AzureStorage, description="how containers of Azure are reached, below"
    )

    executor: Literal["local", "ray"] = Field(
        default="local", description="who renders parts: the worker itself, or a Ray cluster"
    )
    ray_address: str | None = Field(
        default=None,
        pattern=r"^([^\s:/\[\]]+|\[[0-9A-Fa-f:]+\]):[0-9]{1,5}$",
        description="head node of the Ray cluster, as host:port",
    )

    @model_validator(mode="after")
    def _ray_is_somewhere(self) -> "Settings":
        if self.executor == "ray" and self.ray_address is None:
            raise ValueError("--executor ray needs --ray-address: the head node, as host:port")
        return self

    @field_validator("limit_overrides")
    @classmethod
    def _name_limits(cls, value: Mapping[str, Any]) -> Mapping[str, Any]:
        # A slip is told when the process starts, and not by the first call of each subscription.
        Limits.model_validate(dict(value))
        return value

    @field_validator("files_url", "lake_url")
    @classmethod
    def _name_a_bucket(cls, value: str | None) -> str | None:
        if value is not None:
            url = urlsplit(value)
            if url.scheme != "s3" or not url.netloc or "@" in value or url.query or url.fragment:
                raise ValueError("an address such as s3://bucket/prefix is expected")
        return value

    @field_validator("files_redirect")
    @classmethod
    def _redirect_to_a_bucket(cls, value: bool, info: ValidationInfo) -> bool:
        if value and info.data.get("files_url") is None:
            raise ValueError("needs --files-url, as a folder has no signed URLs")
        return value

    @property
    def lake_folder(self) -> Path:
        """Where the tables of all subscriptions are kept, one folder a subscription."""
        return self._folder("lake")

    @property
    def files_folder(self) -> Path:
        """Where finished exports are kept."""
        return self._folder("files")

    def check_places(self) -> None:
        """Raise `PlaceMissingError` where there is no place for the lake or for export files."""
        if self.lake_url is None:
            self._folder("lake")
        if self.files_url is None:
            self._folder("files")

    def _folder(self, what: str) -> Path:
        if self.data is None:
            raise PlaceMissingError(f"--data is needed where there is no --{what}-url")
        return self.data / what

    def access_variables(self) -> dict[str, str]:
        """Return how storage services are reached as environment variables, with the secrets."""
        return self.s3.variables() | self.gs.variables() | self.az.variables()

    def limits_of(self, overrides: Mapping[str, Any]) -> Limits:
        """Return the limits of a subscription that has these overrides of its own.

        Raises `pydantic.ValidationError` where an override names no limit or has a wrong value.
        """
        chosen = LIMIT_SETS[self.limits].model_dump() | dict(self.limit_overrides)
        return Limits.model_validate(chosen | dict(overrides))


def _database_in(data: Path | None) -> str:
    if data is None:
        raise PlaceMissingError("--data is needed where there is no --database-url")
    return f"sqlite:///{quote(str(data / 'outhaul.db'))}"


ACCESS: Mapping[str, type[Access]] = {"s3": S3, "gs": GoogleStorage, "az": AzureStorage}
"""The fields of `Settings` that say how a storage service is reached, and their models."""

INNER = (
    "part_threads",
    "part_records",
    "poll_seconds",
    "listen_seconds",
    "janitor_seconds",
    "lake_replaced_hours",
)
"""Settings that no command has an option for; they are set by the environment alone."""


def inner_settings(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the settings without an option that environment variables set, by their names."""
    names = {name: f"OUTHAUL_{name.upper()}" for name in INNER}
    return {name: environ[variable] for name, variable in names.items() if variable in environ}


def access_settings(environ: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """Return what environment variables set of each storage service, by the names of `ACCESS`."""
    return {name: model.of(environ) for name, model in ACCESS.items()}


def limit_overrides(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the limits that environment variables set, by their names in `Limits`."""
    return {
        name.removeprefix(LIMIT_PREFIX).lower(): value
        for name, value in environ.items()
        if name.startswith(LIMIT_PREFIX)
    }
