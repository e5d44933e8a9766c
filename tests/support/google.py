"""Buckets of Google Cloud Storage for tests: what its XML API shares with that of S3.

No emulator that can be installed speaks the XML API as object_store calls it. Of what is called,
only the names of two fields of a request differ from S3's. A wire to the S3 server renames them.
"""

import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.object_store import OPEN, Bucket, ObjectStore, wire_to
from tests.support.ports import HOST

from outhaul.storage.location import Location
from outhaul.store_access import Access, GoogleStorage

RENAMED = {
    b"authorization: Bearer \r\n": b"",  # of no token
    b"x-goog-if-generation-match: 0\r\n": b"if-none-match: *\r\n",
    b"x-goog-copy-source:": b"x-amz-copy-source:",
}


@dataclass(frozen=True)
class Google:
    """A port that speaks as Google's service does."""

    server: ObjectStore
    key_file: Path

    def bucket(self) -> "GoogleBucket":
        """Return a bucket that nobody else uses; `make` makes it."""
        return GoogleBucket(Bucket(self.server, f"{OPEN}{uuid.uuid4()}"), self.key_file)


@dataclass(frozen=True)
class GoogleBucket:
    """A bucket, which needs no signature."""

    inner: Bucket
    key_file: Path

    @property
    def url(self) -> str:
        return self.inner.url.replace("s3:", "gs:")

    @property
    def access(self) -> Access:
        return GoogleStorage(endpoint=address(self.key_file), service_account_file=self.key_file)

    @property
    def settings(self) -> dict[str, Access]:
        """How it is reached, as a field of `Settings`."""
        return {"gs": self.access}

    @property
    def location(self) -> Location:
        return Location(url=self.url, access=self.access)

    def make(self) -> None:
        """See that it is there, though empty."""
        self.inner.make()

    def keys(self) -> list[str]:
        """Return the keys of all objects that anybody can see."""
        return self.inner.keys()


def address(key_file: Path) -> str:
    """Return the address that the file of a service account says."""
    return str(json.loads(key_file.read_text())["gcs_base_url"])


@contextmanager
def google(server: ObjectStore, folder: Path) -> Iterator[Google]:
    """Speak as Google's service does meanwhile, on a free port of this machine alone."""
    with wire_to(Bucket(server, OPEN)) as (reached, wire):
        wire.replaces = RENAMED
        key_file = folder / "service-account.json"
        key = {"client_email": "", "private_key": "", "private_key_id": "", "disable_oauth": True}
        key_file.write_text(json.dumps({**key, "gcs_base_url": f"http://{HOST}:{reached.port}"}))
        yield Google(server, key_file)
