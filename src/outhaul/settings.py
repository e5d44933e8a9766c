"""The settings of a process, each declared once."""

import os
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import quote

from pydantic import Field, ValidationInfo, field_validator, model_validator

from outhaul.declaration import PREFIX, Computed, Declared, Entries, Option
from outhaul.limits import NEWEST, Limits, LimitSet, limit_set
from outhaul.store_access import S3, AzureStorage, GoogleStorage
from outhaul.store_url import FILE, StoreUrl


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
        default=NEWEST,
        description="Limits of every subscription: those of the original that are in force "
        "(marketo), those of a date (marketo-2026-08), or no quotas (open). "
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
    idle_seconds: float = Field(
        default=75.0,
        gt=0,
        description="Seconds after which the server closes a connection on which no request is "
        "sent after an answer.",
    )
    head_seconds: float = Field(
        default=10.0,
        gt=0,
        description="Seconds in which the line and the headers of a request must arrive, from its "
        "first byte; for the first request, from the opening of the connection.",
    )
    head_bytes: int = Field(
        default=65_536,
        ge=1,
        description="Most bytes of the line and the headers of a request.",
    )
    body_seconds: float = Field(
        default=10.0,
        gt=0,
        description="Seconds in which `body_least_bytes` of a request body must arrive, again and "
        "again until it is complete.",
    )
    body_least_bytes: int = Field(
        default=5_000,
        ge=1,
        description="Fewest bytes of a request body that may arrive in `body_seconds`.",
    )
    answer_seconds: float = Field(
        default=300.0,
        gt=0,
        description="Seconds in which a client must read `answer_least_bytes` of a download, again "
        "and again until it is complete.",
    )
    answer_least_bytes: int = Field(
        default=65_536,
        ge=1,
        description="Fewest bytes of a download that a client may read in `answer_seconds`.",
    )
    discard_seconds: float = Field(
        default=30.0,
        gt=0,
        description="Seconds for which the server still takes in the body of a request that it has "
        "refused, so that the client reads the answer.",
    )
    discard_bytes: int = Field(
        default=2**32,
        ge=0,
        description="Bytes that the server still takes in of the body of a request that it has "
        "refused.",
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

    def limits_of(self, overrides: Mapping[str, Any], moment: datetime) -> Limits:
        """Return the limits at a moment of a subscription with these overrides.

        Raises `pydantic.ValidationError` if an override names no limit or has a wrong value.
        """
        chosen = limit_set(self.limits, moment).model_dump() | dict(self.limit_overrides)
        return Limits.model_validate(chosen | dict(overrides))


def _database_in(data: Path | None) -> str:
    if data is None:
        raise LocationMissingError("--data or --database-url is needed")
    return f"sqlite:///{quote(str(data / 'outhaul.db'))}"
