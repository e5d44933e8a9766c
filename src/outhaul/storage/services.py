"""Storage services: how each opens a bucket, its options, and the reading of its errors.

obstore, deltalake and Polars have the same names of options, because all of them use the library
object_store.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from obstore.store import AzureStore, GCSStore, S3Store
from pydantic import SecretStr

from outhaul.store_access import S3, Access, AzureStorage, GoogleStorage

BucketHandle = S3Store | GCSStore | AzureStore


@dataclass(frozen=True, kw_only=True)
class Service:
    """A storage service."""

    open: Callable[..., BucketHandle]
    """The class of obstore that opens a bucket."""
    options: Callable[..., Mapping[str, str | None]]
    """Returns the access settings as options, secrets included."""


def _shown(secret: SecretStr | None) -> str | None:
    return None if secret is None else secret.get_secret_value()


def _s3(access: S3) -> Mapping[str, str | None]:
    return {
        "aws_endpoint_url": access.endpoint and access.endpoint.rstrip("/"),
        "aws_region": access.region,
        "aws_access_key_id": access.access_key_id,
        "aws_secret_access_key": _shown(access.secret_access_key),
        # At an endpoint other than Amazon's, the bucket is in the path and not in the host name.
        "aws_virtual_hosted_style_request": access.endpoint and "false",
    }


def _google(access: GoogleStorage) -> Mapping[str, str | None]:
    file = access.service_account_file
    return {
        "google_base_url": access.endpoint and access.endpoint.rstrip("/"),
        "google_service_account": None if file is None else str(file),
    }


def _azure(access: AzureStorage) -> Mapping[str, str | None]:
    return {
        "azure_storage_endpoint": access.endpoint and access.endpoint.rstrip("/"),
        "azure_storage_account_name": access.account_name,
        "azure_storage_account_key": _shown(access.account_key),
        "azure_storage_sas_key": _shown(access.sas_token),
    }


SERVICES: Mapping[type[Access], Service] = {
    S3: Service(open=S3Store, options=_s3),
    GoogleStorage: Service(open=GCSStore, options=_google),
    AzureStorage: Service(open=AzureStore, options=_azure),
}


def options_of(access: Access) -> dict[str, str]:
    """Return the options of a service, secrets included, without those that are not set."""
    given = SERVICES[type(access)].options(access)
    return {name: value for name, value in given.items() if value is not None}


def allows_http(access: Access) -> bool:
    """Return whether requests may use HTTP without TLS.

    Without an endpoint in the settings, the service's own variables may set an `http` address.
    """
    endpoint: str | None = getattr(access, "endpoint", None)
    return endpoint is None or endpoint.startswith("http://")


_ANSWER = re.compile(r"<Code>(.*?)</Code>\s*<Message>([^\n<]*)", re.DOTALL)
_QUERY = re.compile(r"(https?://[^\s?]+)\?\S*")
_BUCKET_MISSING = ("NoSuchBucket", "ContainerNotFound")


def answered(text: str) -> str | None:
    """Return the code and message of the service's answer in the text of an error, if any."""
    found = _ANSWER.search(text)
    return None if found is None else f"{found[1]}: {found[2].strip()}"


def without_queries(text: str) -> str:
    """Return a text without the queries of its URLs, because a query may contain a signature."""
    return _QUERY.sub(r"\1", text)


def is_bucket_missing(answer: str) -> bool:
    """Return whether an answer means that the bucket, and not an object in it, is missing."""
    return answer.startswith(_BUCKET_MISSING)


def reason(error: BaseException) -> str:
    """Return the message of an error of obstore in one line."""
    text = without_queries(str(error).partition("\n\nDebug source")[0])
    return answered(text) or text.partition(" - ")[2] or text.partition("\n")[0]
