"""The URL of a store: a local folder, or a bucket and a prefix within it."""

import re
from dataclasses import dataclass
from typing import Self
from urllib.parse import unquote, urlsplit

FILE = "file"
BUCKETS = ("s3", "gs", "az")
"""Schemes of storage services: S3, Google Cloud Storage, Azure Blob Storage."""

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_SEGMENT = re.compile(r"[A-Za-z0-9._~=+,-]+")

_EXPECTED = (
    "an address such as s3://bucket/prefix is expected, or gs:, az: or file:, "
    "or the path of a folder"
)


@dataclass(frozen=True, kw_only=True)
class StoreUrl:
    """A parsed URL. `parse` reads the text that `str` gives back to an equal value."""

    scheme: str
    """`FILE`, or one of `BUCKETS`."""
    bucket: str
    """Name of the bucket, which Azure calls a container; empty for a folder."""
    path: str
    """Path of the folder, or prefix within the bucket, without a slash at the end."""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the parsed form of a URL, or of the path of a folder.

        Raises `ValueError`. Its message does not repeat the text, which may hold a secret by
        mistake.
        """
        found = _SCHEME.match(text)
        if found is None:
            return cls(scheme=FILE, bucket="", path=_folder(text))
        scheme = found[1].lower()
        if scheme == FILE:
            return cls(scheme=FILE, bucket="", path=_folder(_path_of(text)))
        if scheme not in BUCKETS:
            raise ValueError(_EXPECTED)
        if any(mark in text for mark in "@?#"):
            raise ValueError(f"{_EXPECTED}, without credentials, query and fragment")
        url = urlsplit(text)
        if not _NAME.fullmatch(url.netloc):
            raise ValueError(_EXPECTED)
        prefix = url.path.strip("/")
        segments = prefix.split("/") if prefix else []
        if not all(_SEGMENT.fullmatch(each) and each not in (".", "..") for each in segments):
            raise ValueError(
                f"{_EXPECTED}; a prefix consists of letters, digits and ._~=+,- between slashes"
            )
        return cls(scheme=scheme, bucket=url.netloc, path=prefix)

    def __str__(self) -> str:
        if self.scheme == FILE:
            return self.path
        return f"{self.scheme}://{self.bucket}" + (f"/{self.path}" if self.path else "")


def _path_of(text: str) -> str:
    """Return the path that a `file:` URL names."""
    if "?" in text or "#" in text:
        raise ValueError("in a file: URL the characters ? and # are written %3F and %23")
    url = urlsplit(text)
    if url.netloc not in ("", "localhost") or not url.path.startswith("/"):
        raise ValueError("an absolute path is expected after file:, as in file:///srv/outhaul/lake")
    try:
        return unquote(url.path, errors="strict")
    except UnicodeDecodeError:
        raise ValueError("the percent-encoded bytes of a file: URL are UTF-8") from None


def _folder(path: str) -> str:
    if not path or "\0" in path:
        raise ValueError(_EXPECTED)
    return path.rstrip("/") or "/"
