"""Access to storage services: endpoints, accounts and keys, as groups of settings."""

import re
from base64 import b64decode
from pathlib import Path
from typing import Annotated, Self

from pydantic import AfterValidator, Field, SecretStr, field_validator, model_validator

from outhaul.declaration import PREFIX, Declared


def _is_an_address(value: str | None) -> str | None:
    if value is not None and not re.fullmatch(r"https?://[^/@?#\s]+/?", value):
        raise ValueError("an address such as https://host:port is expected")
    return value


class S3(Declared):
    """Access to buckets of S3, or of another service with the same API."""

    PREFIX = f"{PREFIX}S3_"

    endpoint: Annotated[str | None, AfterValidator(_is_an_address)] = Field(
        default=None, description="Address of a service other than AWS, as https://host:port."
    )
    region: str | None = Field(default=None, min_length=1, description="Region of the buckets.")
    access_key_id: str | None = Field(default=None, min_length=1, description="Access key.")
    secret_access_key: SecretStr | None = Field(
        default=None,
        min_length=1,
        description="Secret of the access key. It is never shown or logged.",
    )

    @model_validator(mode="after")
    def _has_both(self) -> Self:
        if (self.access_key_id is None) != (self.secret_access_key is None):
            both = map(self.variable, ("access_key_id", "secret_access_key"))
            raise ValueError(" and ".join(both) + " need each other")
        return self


class GoogleStorage(Declared):
    """Access to buckets of Google Cloud Storage."""

    PREFIX = f"{PREFIX}GS_"

    endpoint: Annotated[str | None, AfterValidator(_is_an_address)] = Field(
        default=None, description="Address of a service other than Google, as https://host:port."
    )
    service_account_file: Path | None = Field(
        default=None, description="JSON file with the key of a service account."
    )


class AzureStorage(Declared):
    """Access to containers of Azure Blob Storage."""

    PREFIX = f"{PREFIX}AZ_"

    endpoint: str | None = Field(
        default=None,
        description="Address of an account outside Azure, as https://host:port/account.",
    )
    account_name: str | None = Field(
        default=None, pattern=r"^[a-z0-9-]+$", description="Name of the storage account."
    )
    account_key: SecretStr | None = Field(
        default=None, min_length=1, description="Key of the account. It is never shown or logged."
    )
    sas_token: SecretStr | None = Field(
        default=None,
        min_length=1,
        description="Shared access signature, instead of the key. It is never shown or logged.",
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
            both = map(self.variable, ("account_key", "sas_token"))
            raise ValueError(" and ".join(both) + " exclude each other")
        if (self.account_key or self.sas_token) and self.account_name is None:
            raise ValueError(f"{self.variable('account_name')} is missing")
        return self


Access = S3 | GoogleStorage | AzureStorage
"""Access to a storage service. The field of `Settings` is named for the scheme of its URLs."""
