"""Where files are: in a folder of this machine, or under a prefix of a bucket."""

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
"""For how long a request that fails is made again."""

REQUEST_TIME = timedelta(seconds=120)
CONNECT_TIME = timedelta(seconds=5)

CHECK_TIME = timedelta(seconds=4)
CHECK_PATIENCE = timedelta(seconds=2)
"""What a bucket has to answer a check: the caller is waiting, and will ask again."""

WITNESS = ".put-if-absent"
"""Key of the object that shows whether a bucket refuses to replace one that exists."""

_TOLD = b"outhaul wrote this object once, to see that a second one of its name is refused.\n"


@dataclass(frozen=True, kw_only=True)
class Location:
    """A folder, or a prefix of a bucket. It can be pickled, with its secrets."""

    url: str
    """A path of this machine, or `s3://bucket/prefix`; no slash at the end."""
    access: Access | None = None
    """How the bucket is reached, if it is one."""

    @classmethod
    def of(cls, where: "Path | Location") -> "Location":
        """Return the location that is a folder of this machine, or that it is already."""
        return where if isinstance(where, Location) else cls(url=str(where))

    @classmethod
    def at(cls, url: str, settings: Settings) -> "Location":
        """Return the location that a URL names. Raises `ValueError` for one that names none."""
        parsed = StoreUrl.parse(url)
        access = None if parsed.scheme == FILE else getattr(settings, parsed.scheme)
        return cls(url=str(parsed), access=access)

    @property
    def folder(self) -> Path | None:
        """The folder of this machine that it is; `None` for a bucket."""
        return Path(self.url) if self.access is None else None

    @property
    def exists(self) -> bool:
        """Whether something may be there: of a bucket that is only known by asking for a file."""
        return self.folder is None or self.folder.exists()

    @property
    def options(self) -> dict[str, str]:
        """How deltalake and Polars reach it; secrets included."""
        if self.access is None:
            return {}
        http = {"allow_http": "true"} if allows_http(self.access) else {}
        return {**options_of(self.access), **http}

    def __truediv__(self, name: str) -> "Location":
        return Location(url=f"{self.url.rstrip('/')}/{name}", access=self.access)

    def bucket(self, patience: timedelta, request_time: timedelta = REQUEST_TIME) -> BucketHandle:
        """Return the bucket and prefix, opened by obstore; for a location that is no folder.

        A request that fails is made again for so long as `patience`; each has `request_time`. What
        the access settings leave out is looked for where the service's own programs look. Raises
        `FilesError` where that is not enough to begin.
        """
        assert self.access is not None  # noqa: S101 - it is no folder
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
        """Give a path of this machine to write a file to, which then is at `path` here."""
        if self.folder is not None:
            yield self.folder / path
            return
        with tempfile.TemporaryDirectory(prefix="outhaul-") as folder:
            written = Path(folder) / "written"
            yield written
            obstore.put(self.bucket(WRITE_PATIENCE), path, written)

    def delete(self, paths: Sequence[str]) -> None:
        """Remove files; one that is missing already is no error."""
        if self.folder is None:
            remove(self.bucket(WRITE_PATIENCE), paths)
            return
        for path in paths:
            (self.folder / path).unlink(missing_ok=True)

    def check(self) -> None:
        """Return if it answers, soon; raise `OSError` or an error of obstore otherwise.

        A folder need not exist yet: then it is the one that it will be made in that counts. What
        may be written is not tried.
        """
        if self.folder is None:
            next(iter(obstore.list(_asked(self), "none")), None)
            return
        there = next(path for path in (self.folder, *self.folder.parents) if path.exists())
        # A superuser may "execute" even what is no folder.
        if not (there.is_dir() and os.access(there, os.R_OK | os.X_OK)):
            raise FilesError(f"{there} cannot be read")

    def check_put_if_absent(self) -> None:
        """Return if a second object of one name is refused; raise `FilesError` otherwise.

        A commit to a table is an object that is put only where none of its name exists. Where a
        bucket ignores that condition, the later of two commits replaces the earlier one. A folder
        needs no check: the system's own calls refuse.
        """
        if self.folder is None:
            _refuses_a_second(self)


@lru_cache(maxsize=8)
def _asked(location: Location) -> BucketHandle:
    # Cached, as each new one fetches the credentials of a role anew.
    return location.bucket(CHECK_PATIENCE, CHECK_TIME)


@lru_cache(maxsize=1_000)
def _refuses_a_second(location: Location) -> None:
    bucket = location.bucket(WRITE_PATIENCE)
    for _ in range(2):  # in most cases the first finds the object of an earlier process
        try:
            obstore.put(bucket, WITNESS, _TOLD, mode="create", use_multipart=False)
        except AlreadyExistsError:
            return
    raise FilesError(
        f"{location.url} replaces an object where it should refuse a second one of the same name "
        "(a conditional put, If-None-Match): commits to tables would be lost"
    )


def remove(bucket: BucketHandle, paths: Sequence[str]) -> None:
    """Remove objects; one that is missing already is no error."""
    try:
        obstore.delete(bucket, paths)
    except FileNotFoundError:
        # Some services refuse a whole request for one object that another process has removed.
        for path in paths:
            with suppress(FileNotFoundError):
                obstore.delete(bucket, path)
