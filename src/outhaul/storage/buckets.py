"""How S3 buckets are opened: for export files, and for the tables of the lake."""

import re
from collections.abc import Mapping
from datetime import timedelta
from functools import lru_cache
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import obstore
from obstore.store import S3Store

from outhaul.settings import S3

if TYPE_CHECKING:
    from obstore.store import ClientConfig, RetryConfig, S3Config

REQUEST_TIME = timedelta(seconds=120)
CONNECT_TIME = timedelta(seconds=5)

CHECK_TIME = timedelta(seconds=4)
CHECK_PATIENCE = timedelta(seconds=2)
"""What a bucket has to answer a check: who asks is waiting, and will ask again."""

_ANSWER = re.compile(r"<Code>(.*?)</Code>\s*<Message>(.*?)</Message>", re.DOTALL)


def open_bucket(
    url: str, s3: S3, patience: timedelta, request_time: timedelta = REQUEST_TIME
) -> S3Store:
    """Return a bucket and its prefix, `s3://bucket/prefix`.

    For so long as `patience` a request that fails is made again; each has `request_time`. What `s3`
    leaves out is looked for where AWS's own programs do.
    """
    place = urlsplit(url)
    config: S3Config = {}
    client: ClientConfig = {
        "timeout": request_time,
        "connect_timeout": CONNECT_TIME,
        # An address of AWS's variables says itself whether it is http.
        "allow_http": s3.endpoint is None or s3.endpoint.startswith("http://"),
    }
    retries: RetryConfig = {"retry_timeout": patience}
    if s3.endpoint is not None:
        config |= {"endpoint": s3.endpoint.rstrip("/"), "virtual_hosted_style_request": False}
    if s3.region is not None:
        config["region"] = s3.region
    if s3.access_key_id is not None and s3.secret_access_key is not None:
        config["access_key_id"] = s3.access_key_id
        config["secret_access_key"] = s3.secret_access_key.get_secret_value()
    return S3Store(
        place.netloc,
        prefix=place.path.strip("/") or None,
        config=config,
        client_options=client,
        retry_config=retries,
    )


def check_bucket(url: str, s3: S3) -> None:
    """Return where a bucket is there and answers, soon. What may be written is not tried.

    Raises what obstore does.
    """
    next(iter(obstore.list(_asked(url, s3), "none")), None)


# Kept, as credentials of a role are fetched anew by each.
@lru_cache(maxsize=8)
def _asked(url: str, s3: S3) -> S3Store:
    return open_bucket(url, s3, CHECK_PATIENCE, CHECK_TIME)


def answered(text: str) -> str | None:
    """Return the code and the message of an answer of S3 that the text of an error has in it."""
    found = _ANSWER.search(text)
    return None if found is None else f"{found[1]}: {found[2]}"


def storage_options(s3: S3) -> Mapping[str, str]:
    """Return how buckets are reached, as deltalake and Polars take it; there is a secret in it."""
    options = {"aws_allow_http": "true"} if (s3.endpoint or "http://").startswith("http://") else {}
    if s3.endpoint is not None:
        options["aws_endpoint_url"] = s3.endpoint.rstrip("/")
    if s3.region is not None:
        options["aws_region"] = s3.region
    if s3.access_key_id is not None and s3.secret_access_key is not None:
        options["aws_access_key_id"] = s3.access_key_id
        options["aws_secret_access_key"] = s3.secret_access_key.get_secret_value()
    return options
