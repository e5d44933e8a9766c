"""Locations of files: a folder of this machine, or a prefix of a bucket."""

import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError

from outhaul.settings import Settings
from outhaul.storage.services import SERVICES, BucketHandle, allows_http, options_of, reason
from outhaul.storage.store import FilesError
from outhaul.store_access import Access
from outhaul.store_url import FILE, StoreUrl

if TYPE_CHECKING:
    from obstore.store import ClientConfig, RetryConfig

WRITE_PATIENCE = timedelta(seconds=60)
"""How long a failed request is repeated."""

REQUEST_TIME = timedelta(seconds=120)
CONNECT_TIME = timedelta(seconds=5)

CHECK_TIME = timedelta(seconds=4)
CHECK_PATIENCE = timedelta(seconds=2)
"""Time limits of a check. They are short, because its caller waits for it."""

WITNESS = ".put-if-absent"
"""Key of the object that shows whether a bucket supports put-if-absent.

A bucket that supports it refuses a put of this object once the object exists.
"""

_WITNESS_CONTENT = (
    b"outhaul wrote this object once, to see that a second one of its name is refused.\n"
)


@dataclass(frozen=True, kw_only=True)
class Location:
    """A folder, or a prefix of a bucket. A location can be pickled, and then contains secrets."""

    url: str
    """A path of this machine, or a URL such as `s3://bucket/prefix`, without a slash at the end."""
    access: Access | None = None
    """The access settings of the bucket; `None` for a folder."""

    @classmethod
    def of(cls, where: "Path | Location") -> "Location":
        """Return the location of a folder of this machine; a location is returned as it is."""
        return where if isinstance(where, Location) else cls(url=str(where))

    @classmethod
    def at(cls, url: str, settings: Settings) -> "Location":
        """Return the location that a URL names. Raises `ValueError` for an invalid URL."""
        parsed = StoreUrl.parse(url)
        access = None if parsed.scheme == FILE else getattr(settings, parsed.scheme)
        return cls(url=str(parsed), access=access)

    @property
    def folder(self) -> Path | None:
        """The folder of this machine; `None` for a bucket."""
        return Path(self.url) if self.access is None else None

    @property
    def exists(self) -> bool:
        """Whether the location may have files. A bucket always counts as existing."""
        return self.folder is None or self.folder.exists()

    @property
    def options(self) -> dict[str, str]:
        """The options by which deltalake and Polars reach the location, secrets included."""
        if self.access is None:
            return {}
        http = {"allow_http": "true"} if allows_http(self.access) else {}
        return {**options_of(self.access), **http}

    def __truediv__(self, name: str) -> "Location":
        return Location(url=f"{self.url.rstrip('/')}/{name}", access=self.access)

    def bucket(self, patience: timedelta, request_time: timedelta = REQUEST_TIME) -> BucketHandle:
        """Return the bucket with the prefix, opened by obstore. The location must not be a folder.

        A failed request is repeated for the time `patience`; each attempt may take `request_time`.
        Access settings that are not set come from the service's own environment variables and
        files. Raises `FilesError` if they are not sufficient.
        """
        assert self.access is not None  # noqa: S101 - the location is not a folder
        url = StoreUrl.parse(self.url)
        client: ClientConfig = {
            "timeout": request_time,
            "connect_timeout": CONNECT_TIME,
            "allow_http": allows_http(self.access),
        }
        retries: RetryConfig = {"retry_timeout": patience}
        try:
            return SERVICES[type(self.access)].open(
                url.bucket,
                prefix=url.path or None,
                config=options_of(self.access),
                client_options=client,
                retry_config=retries,
            )
        except BaseError as error:
            raise FilesError(f"cannot open {self.url}: {reason(error)}") from None

    @contextmanager
    def writing(self, path: str) -> Iterator[Path]:
        """Yield a local path to write a file to, which is then at `path` in this location."""
        if self.folder is not None:
            yield self.folder / path
            return
        with tempfile.TemporaryDirectory(prefix="outhaul-") as folder:
            written = Path(folder) / "written"
            yield written
            obstore.put(self.bucket(WRITE_PATIENCE), path, written)

    def delete(self, paths: Sequence[str]) -> None:
        """Remove files. A file that is missing already is no error."""
        if self.folder is None:
            remove(self.bucket(WRITE_PATIENCE), paths)
            return
        for path in paths:
            (self.folder / path).unlink(missing_ok=True)

    def check(self) -> None:
        """Return if the location can be read, within seconds. Raises `OSError` or `BaseError`.

        If a folder does not exist yet, its nearest existing parent must be readable. Permission to
        write is not checked.
        """
        if self.folder is None:
            next(iter(obstore.list(_checked(self), "none")), None)
            return
        existing = next(path for path in (self.folder, *self.folder.parents) if path.exists())
        # `os.access` permits a superuser everything, also on what is not a folder.
        if not (existing.is_dir() and os.access(existing, os.R_OK | os.X_OK)):
            raise FilesError(f"{existing} cannot be read")

    def check_put_if_absent(self) -> None:
        """Return if a put of an object that exists can be refused; raise `FilesError` if not.

        A commit to a table puts an object on the condition that no object of its name exists. If a
        bucket ignores the condition, the later of two commits at a time replaces the earlier one.
        A folder needs no check: the operating system refuses to create an existing file.
        """
        if self.folder is None:
            _check_put_if_absent(self)


@lru_cache(maxsize=8)
def _checked(location: Location) -> BucketHandle:
    # Cached, because each new handle fetches the credentials of a role again.
    return location.bucket(CHECK_PATIENCE, CHECK_TIME)


@lru_cache(maxsize=1_000)
def _check_put_if_absent(location: Location) -> None:
    bucket = location.bucket(WRITE_PATIENCE)
    for _ in range(2):  # often the first put finds the object of an earlier process
        try:
            obstore.put(bucket, WITNESS, _WITNESS_CONTENT, mode="create", use_multipart=False)
        except AlreadyExistsError:
            return
    raise FilesError(
        f"{location.url} replaces an object where it should refuse a second one of the same name "
        "(a conditional put, If-None-Match): commits to tables would be lost"
    )


def remove(bucket: BucketHandle, paths: Sequence[str]) -> None:
    """Remove objects. An object that is missing already is no error."""
    try:
        obstore.delete(bucket, paths)
    except FileNotFoundError:
        # Some services refuse the whole request if another process has removed one of the objects.
        for path in paths:
            with suppress(FileNotFoundError):
                obstore.delete(bucket, path)
