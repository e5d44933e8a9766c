"""The command `outhaul` as people run it: a process of its own."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from queue import SimpleQueue
from typing import Self
from unittest.mock import patch
from urllib.parse import urlsplit

from tests.support.waiting import PATIENCE
from typer.testing import CliRunner

from outhaul.cli import app

COMMAND = (sys.executable, "-m", "outhaul")
SERVES = "outhaul serves "
START_SECONDS = PATIENCE
STOP_SECONDS = PATIENCE
RUN_SECONDS = PATIENCE

AREAS = ("Lead", "Activity", "Custom Object")
"""What the custom service of a test may read, unless the test says otherwise."""


@dataclass(frozen=True)
class Said:
    """What a command wrote."""

    out: bytes
    err: str


@dataclass(frozen=True, kw_only=True)
class Server:
    """A running `outhaul serve`, and a custom service of a subscription."""

    url: str
    client_id: str
    client_secret: str
    data: Path = Path()
    """Its data folder, where it runs on this machine."""

    def of(self, subscription: str, areas: Sequence[str] = AREAS) -> Self:
        """Return the same server as another subscription sees it, with a new custom service."""
        client_id, client_secret = create_service(self.data, areas, subscription)
        return replace(self, client_id=client_id, client_secret=client_secret)


def environment(**more: str) -> dict[str, str]:
    """Return the environment without settings of ours, which would change what commands do."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith("OUTHAUL_")}
    return ours | more


def outhaul(
    *arguments: object, status: int = 0, variables: Mapping[str, str] | None = None
) -> Said:
    """Run a command to its end, and check its exit status."""
    done = subprocess.run(
        [*COMMAND, *map(str, arguments)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        env=environment(**(variables or {})),
        timeout=RUN_SECONDS,
        check=False,
    )
    err = done.stderr.decode()
    assert done.returncode == status, err
    assert "Traceback" not in err
    return Said(done.stdout, err)


def prepare(*arguments: object) -> str:
    """Run a command that a test needs and is not about: in this process, which saves a second.

    Return what it wrote to standard output.
    """
    with patch.dict(os.environ, environment(), clear=True):
        done = CliRunner().invoke(app, [*map(str, arguments)], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def create_service(
    data: Path, areas: Sequence[str] = AREAS, subscription: str = "default"
) -> tuple[str, str]:
    """Make a custom service that may read some areas; return its client id and secret."""
    permissions = [word for area in areas for word in ("--permission", f"Read-Only {area}")]
    made = prepare(
        *("service", "create", "acceptance", "--data", data, "--user", "acceptance@example.com"),
        *(*permissions, "--subscription", subscription, "--json"),
    )
    content = json.loads(made)
    return content["clientId"], content["clientSecret"]


@contextmanager
def serve(data: Path, areas: Sequence[str] = AREAS) -> Iterator[Server]:
    """Serve a data folder meanwhile; check that the server ends well and leaves nothing behind."""
    client_id, client_secret = create_service(data, areas)
    with _running(data) as url:
        yield Server(url=url, client_id=client_id, client_secret=client_secret, data=data)


@contextmanager
def _running(data: Path) -> Iterator[str]:
    said: list[str] = []
    addresses: SimpleQueue[str | None] = SimpleQueue()
    with subprocess.Popen(
        [*COMMAND, "serve", "--data", str(data), "--port", "0"],
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        # All tests of a session share a server, and together they may well call so often.
        env=environment(OUTHAUL_LIMIT_CALLS_IN_20_SECONDS="none"),
        start_new_session=True,
    ) as process:

        def read() -> None:
            for line in process.stderr or ():
                said.append(line)
                if line.startswith(SERVES):
                    addresses.put(line.removeprefix(SERVES).strip())
            addresses.put(None)

        reader = threading.Thread(target=read)
        reader.start()
        try:
            url = addresses.get(timeout=START_SECONDS)
            assert url is not None, f"the server did not start:\n{''.join(said)}"
            assert urlsplit(url).hostname == "127.0.0.1"
            yield url
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                raise
            finally:
                reader.join()
    assert process.returncode == 0, "".join(said)
    assert not _errors(said)
    assert not session_processes(process.pid)


def _errors(said: Sequence[str]) -> list[str]:
    """Return what a server complained of: its events are JSON, one a line."""
    return [line for line in said if '"level": "error"' in line or "Traceback" in line]


def session_processes(session: int) -> list[int]:
    """Return the processes of a session that still run."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            # pid (name) state parent group session …, where a name may hold anything.
            state, _, _, of, *_ = stat.read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(of) == session and state != "Z":
            found.append(int(stat.parent.name))
    return found


def children(process: int) -> list[int]:
    """Return the processes that were started by one and are running."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, parent = path.read_text().rpartition(")")[2].split()[:2]
        except OSError:
            continue
        if int(parent) == process and state != "Z":
            found.append(int(path.parent.name))
    return found


def running(process: int) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"
