"""The page "Running on several machines", pasted: servers, workers, and what becomes of them."""

import os
import re
import shutil
import signal
import subprocess
import sysconfig
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from hashlib import sha256
from pathlib import Path
from queue import SimpleQueue
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from tests.support import postgres
from tests.support.object_store import KEY_ID, SECRET, Bucket, Wire, wire_to
from tests.support.paths import DOCS
from tests.support.plainly import Plain
from tests.support.processes import (
    SERVES,
    START_SECONDS,
    STOP_SECONDS,
    environment,
    session_processes,
)

PAGE = DOCS / "several-machines.md"
RUN_SECONDS = 120
PASSWORD = "hush-hush"
RECORDS = 600
DAYS = 30
ACTIVITIES = {
    "filter": {"createdAt": {"startAt": "2026-01-01T00:00:00Z", "endAt": "2026-01-31T23:59:59Z"}}
}

pytestmark = [
    pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed"),
    pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks at /proc"),
]


class Machine:
    """A folder of its own, in which a shell runs what the page says."""

    def __init__(self, folder: Path, instead: dict[str, str]) -> None:
        folder.mkdir()
        self._folder = folder
        self._instead = instead
        scripts = sysconfig.get_path("scripts")  # where `outhaul` is
        self._variables = environment(
            HOME=str(folder), TMPDIR=str(folder), PATH=f"{scripts}:{os.environ['PATH']}"
        )

    def paste(self, *blocks: str) -> str:
        """Run blocks of the page to their end; return what they wrote, which has no secret."""
        done = subprocess.run(
            self._shell(blocks),
            cwd=self._folder,
            env=self._variables,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=RUN_SECONDS,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        check_secrets(done.stderr)
        return done.stdout

    def run(self, *blocks: str) -> "Running":
        """Run blocks, the last of which does not end by itself."""
        *before, last = blocks
        return Running(
            subprocess.Popen(
                # So that the process that gets a signal is the one that the page is about.
                self._shell([*before, f"exec {last.strip()}"]),
                cwd=self._folder,
                env=self._variables,
                stdin=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                encoding="utf-8",
                start_new_session=True,
            )
        )

    def file(self, name: str) -> Path:
        return self._folder / name

    def _shell(self, blocks: Sequence[str]) -> list[str]:
        script = "\n".join(blocks)
        for said, here in self._instead.items():
            script = script.replace(said, here)
        return ["bash", "-euo", "pipefail", "-c", script]


class Running:
    """A server or a worker."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process
        self._said: list[str] = []
        self._addresses: SimpleQueue[str | None] = SimpleQueue()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def url(self) -> str:
        """Return where a server is, once it answers."""
        url = self._addresses.get(timeout=START_SECONDS)
        assert url is not None, self.said
        return url

    @property
    def said(self) -> str:
        return "".join(self._said)

    def kill(self) -> None:
        self._process.kill()
        assert self._end() == -signal.SIGKILL

    def terminate(self) -> None:
        """Ask it to end, which it does soon, and well; nothing is left of it."""
        self._process.terminate()
        assert self._end() == 0, self.said
        assert not session_processes(self._process.pid)
        assert "Traceback" not in self.said

    def give_up(self) -> None:
        """End what a test that failed has left."""
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._end()

    def _end(self) -> int:
        status = self._process.wait(STOP_SECONDS)
        self._reader.join()
        assert self._process.stderr is not None
        self._process.stderr.close()
        check_secrets(self.said)
        return status

    def _read(self) -> None:
        for line in self._process.stderr or ():
            self._said.append(line)
            if line.startswith(SERVES):
                self._addresses.put(line.removeprefix(SERVES).strip())
        self._addresses.put(None)


def check_secrets(said: str) -> None:
    assert PASSWORD not in said
    assert SECRET not in said


@pytest.fixture
def database(postgresql: postgres.Server) -> Iterator[str]:
    """An empty database, without our tables."""
    url = postgresql.create_empty()
    yield url.replace("postgres@", f"postgres:{PASSWORD}@")
    postgresql.drop(url)


@pytest.fixture
def wired(bucket: Bucket) -> Iterator[tuple[Bucket, Wire]]:
    with wire_to(bucket) as found:
        yield found


@pytest.fixture
def until_the_end() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def substitutes(database: str, bucket: Bucket) -> dict[str, str]:
    """Return what the page says, and what is there instead of it: nothing else is changed."""
    assert bucket.s3.endpoint is not None
    return {
        "pip install 'outhaul[postgres]'": "command -v outhaul",
        "postgresql://outhaul:PASSWORD@db.example.com:5432/outhaul": database,
        "s3://records/": f"s3://{bucket.name}/",
        "https://storage.example.com": bucket.s3.endpoint,
        "OUTHAUL_S3_ACCESS_KEY_ID=KEY": f"OUTHAUL_S3_ACCESS_KEY_ID={KEY_ID}",
        # Smaller than most would have them, so that a small export has many parts, and that
        # nobody waits for a lease.
        "OUTHAUL_S3_SECRET_ACCESS_KEY=SECRET": f"OUTHAUL_S3_SECRET_ACCESS_KEY={SECRET}\n"
        "OUTHAUL_LEASE_SECONDS=2\nOUTHAUL_PART_RECORDS=100",
        "--host 0.0.0.0 --port 8750": "--host 127.0.0.1 --port 0",
    }


def write_records(machine: Machine) -> None:
    leads = [f"{n},{n}@example.com,2026-01-01T00:00:00Z" for n in range(1, RECORDS)]
    machine.file("leads.csv").write_text("\n".join(["id,email,createdAt", *leads]) + "\n")
    days = [f"2026-01-{n % DAYS + 1:02}T00:00:00Z" for n in range(RECORDS)]
    activities = [f"{n:05},{n % 90 + 1},{day},1" for n, day in enumerate(days)]
    columns = "marketoGUID,leadId,activityDate,activityTypeId"
    machine.file("activities.csv").write_text("\n".join([columns, *activities]) + "\n")


def test_the_page_can_be_pasted(
    tmp_path: Path, database: str, wired: tuple[Bucket, Wire], until_the_end: ExitStack
) -> None:
    blocks = re.findall(r"```sh\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    install, settings, load, serve, work, extract = blocks
    bucket, wire = wired
    instead = substitutes(database, Bucket(bucket.server, bucket.name))

    def machine(name: str) -> Machine:
        return Machine(tmp_path / name, instead)

    def running(on: Machine, block: str) -> Running:
        found = on.run(settings, block)
        until_the_end.callback(found.give_up)
        return found

    # Load, from nothing.
    desk = machine("desk")
    write_records(desk)
    made = desk.paste(install, settings, load)
    assert (desk.file("outhaul.env").stat().st_mode & 0o777) == 0o600
    client_id, client_secret = re.findall(r"^client(?:Id|Secret) +(\S+)$", made, re.MULTILINE)

    # Servers and workers: one of them reaches the bucket by a wire that can be held.
    servers = [running(machine(f"server-{n}"), serve) for n in (1, 2)]
    held = Machine(tmp_path / "worker-1", instead | substitutes(database, bucket))
    workers = [running(held, work), running(machine("worker-2"), work)]
    one, other = (server.url() for server in servers)

    # Extracts by both, and what the page says that health checks are answered.
    desk.file("try").mkdir()
    tried = Machine(
        desk.file("try") / "it",
        {
            "OUTHAUL_CLIENT_ID=ID": f"OUTHAUL_CLIENT_ID={client_id}",
            "OUTHAUL_CLIENT_SECRET=SECRET": f"OUTHAUL_CLIENT_SECRET={client_secret}",
            "http://server-1.example.com:8750": one,
            "http://server-2.example.com:8750": other,
        },
    )
    health = ['{"status":"alive"}', '{"ready":true,"unreachable":[]}']
    assert tried.paste(extract).splitlines() == health * 2
    for path in ("/healthz", "/readyz"):
        assert status(f"{one}{path}", "HEAD") == 200
        assert status(f"{one}{path}", "POST") == 405
    whole = tried.file("one.csv").read_bytes()
    assert whole == tried.file("two.csv").read_bytes()
    assert whole.count(b"\n") == RECORDS + 1

    # What one server began, the other goes on with.
    here, there = Plain(one, client_id, client_secret), Plain(other, client_id, client_secret)
    job = here.begin("activities", ACTIVITIES)
    check_whole(there.completed("activities", job), whole)
    middle = len(whole) // 2
    first = here.file("activities", job, f"bytes=0-{middle - 1}")
    assert first + there.file("activities", job, f"bytes={middle}-") == whole

    # A worker that is stopped ends well. The one that is left is killed at work, a server with it.
    workers[1].terminate()
    wire.hold(0)
    job = here.begin("activities", ACTIVITIES)
    there.reached("activities", job, "Processing")
    workers[1] = running(machine("worker-3"), work)
    workers[0].kill()
    servers[0].kill()
    wire.mend()
    check_whole(there.completed("activities", job), whole)
    assert there.file("activities", job) == whole
    job = there.export("activities", ACTIVITIES)
    assert there.file("activities", job, f"bytes={middle}-") == whole[middle:]

    # All of it is stopped.
    workers[1].terminate()
    servers[1].terminate()


def status(url: str, method: str) -> int:
    try:
        with urlopen(Request(url, method=method)) as answer:  # noqa: S310 - the loopback
            assert answer.read() == b""
            return int(answer.status)
    except HTTPError as error:
        with error:
            return error.code


def check_whole(job: dict[str, Any], whole: bytes) -> None:
    assert job["fileSize"] == len(whole)
    assert job["numberOfRecords"] == RECORDS
    assert job["fileChecksum"] == f"sha256:{sha256(whole).hexdigest()}"
