"""Azure's blob service for tests, as its emulator Azurite speaks it."""

import base64
import hashlib
import hmac
import http.client
import os
import shutil
import subprocess
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from email.utils import formatdate
from pathlib import Path

import obstore
import pytest
from pydantic import SecretStr
from tests.support.ports import HOST, free_ports

from outhaul.storage.location import Location
from outhaul.store_access import Access, AzureStorage

ACCOUNT = "tests"
KEY = base64.b64encode(b"a key of tests").decode()
PREFIX = "some/prefix"
START_SECONDS = 120
PATIENCE = timedelta(seconds=10)
VERSION = "2021-08-06"
PROGRAM = Path(__file__).parent / "node_modules" / ".bin" / "azurite-blob"


@dataclass(frozen=True)
class Azurite:
    """A running emulator."""

    port: int
    process: "subprocess.Popen[bytes]"

    def bucket(self) -> "Container":
        """Return a container that nobody else uses; `make` makes it."""
        return Container(self, f"container-{uuid.uuid4()}")


@dataclass(frozen=True)
class Container:
    """A container of the emulator, reached by it or by a wire."""

    server: Azurite
    name: str
    port: int | None = None
    key: str = KEY

    @property
    def url(self) -> str:
        return f"az://{self.name}/{PREFIX}"

    @property
    def access(self) -> Access:
        return AzureStorage(
            endpoint=f"http://{HOST}:{self.port or self.server.port}/{ACCOUNT}",
            account_name=ACCOUNT,
            account_key=SecretStr(self.key),
        )

    @property
    def settings(self) -> dict[str, Access]:
        """How it is reached, as a field of `Settings`."""
        return {"az": self.access}

    @property
    def location(self) -> Location:
        return Location(url=self.url, access=self.access)

    def make(self) -> None:
        """Make it; obstore has no call for that."""
        date = formatdate(usegmt=True)
        text = "\n".join(
            [
                *("PUT", *[""] * 11, f"x-ms-date:{date}", f"x-ms-version:{VERSION}"),
                *(f"/{ACCOUNT}/{ACCOUNT}/{self.name}", "restype:container"),
            ]
        )
        digest = hmac.new(base64.b64decode(KEY), text.encode(), hashlib.sha256).digest()
        connection = http.client.HTTPConnection(HOST, self.server.port)
        connection.request(
            "PUT",
            f"/{ACCOUNT}/{self.name}?restype=container",
            headers={
                "x-ms-date": date,
                "x-ms-version": VERSION,
                "Authorization": f"SharedKey {ACCOUNT}:{base64.b64encode(digest).decode()}",
                "Content-Length": "0",
            },
        )
        answer = connection.getresponse()
        assert answer.status == http.HTTPStatus.CREATED, answer.read()
        connection.close()

    def keys(self) -> list[str]:
        """Return the keys of all objects that anybody can see."""
        found = obstore.list(Container(self.server, self.name).location.bucket(PATIENCE))
        return sorted(each["path"] for batch in found for each in batch)


@contextmanager
def azurite(folder: Path) -> Iterator[Azurite]:
    """Run an emulator meanwhile, on a free port of this machine alone."""
    if not PROGRAM.exists():
        pytest.skip("azurite is not installed: `make test` installs it where there is npm")
    (port,) = free_ports(1)
    log = folder / "log"
    with (
        log.open("wb") as output,
        subprocess.Popen(
            [
                *(shutil.which("node") or "node", PROGRAM),
                *("--blobHost", HOST, "--blobPort", str(port), "--location", folder / "data"),
                # Nothing of it is called but by tests, and it calls nobody.
                *("--silent", "--disableTelemetry", "--skipApiVersionCheck"),
            ],
            env=os.environ | {"AZURITE_ACCOUNTS": f"{ACCOUNT}:{KEY}", "HOME": str(folder)},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        ) as process,
    ):
        try:
            server = Azurite(port, process)
            _answering(server, log)
            yield server
        finally:
            process.kill()


def _answering(server: Azurite, log: Path) -> None:
    last = time.monotonic() + START_SECONDS
    while True:
        try:
            server.bucket().make()
        except OSError:
            assert server.process.poll() is None, log.read_text()
            assert time.monotonic() < last, log.read_text()
            time.sleep(0.05)
        else:
            return
