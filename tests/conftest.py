import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import hypothesis
import pytest
import structlog
from tests.support import postgres
from tests.support.object_store import Bucket, ObjectStore
from tests.support.object_store import object_store as running_object_store
from xdist.scheduler import LoadScopeScheduling

import outhaul
from outhaul.database.engine import Database

# Nothing here asserts a time: the machine may be busy with something else. What a change should
# pass is quick; `pytest --hypothesis-profile thorough` looks further.
hypothesis.settings.register_profile("quick", deadline=None, max_examples=40)
hypothesis.settings.register_profile("thorough", deadline=None, max_examples=1_000)
hypothesis.settings.load_profile("quick")

STORES = ("sqlite", "postgresql")
"""Where the state may be; tests of what it promises run on each."""


@pytest.fixture(scope="session")
def postgresql() -> Iterator[postgres.Server]:
    """A PostgreSQL server for the tests of one process: it is up in less than a second."""
    with postgres.serving() as server:
        yield server


@pytest.fixture(params=STORES)
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database of the test's own, migrated where that costs nothing."""
    with _new(request, tmp_path) as url:
        yield url


@pytest.fixture(scope="module", params=STORES)
def database_url_of_module(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """As `database_url`, for all tests of a module."""
    with _new(request, tmp_path_factory.mktemp("state")) as url:
        yield url


@contextmanager
def _new(request: pytest.FixtureRequest, folder: Path) -> Iterator[str]:
    if request.param == "sqlite":
        yield f"sqlite:///{folder / 'outhaul.db'}"
        return
    server: postgres.Server = request.getfixturevalue("postgresql")
    url = server.create()
    yield url
    server.drop(url)


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    opened = Database(database_url)
    opened.migrate()
    yield opened
    opened.close()


@pytest.fixture(autouse=True)
def logging_of_its_own() -> Iterator[None]:
    """Undo what a command that ran in this process has set up for events."""
    yield
    structlog.reset_defaults()


@pytest.fixture(scope="session")
def object_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObjectStore]:
    """An S3 server, for all tests of this process that need one."""
    with running_object_store(tmp_path_factory.mktemp("object-store")) as running:
        yield running


@pytest.fixture
def bucket(object_store: ObjectStore) -> Bucket:
    made = object_store.bucket()
    made.make()
    return made


class OneCluster(LoadScopeScheduling):  # type: ignore[misc]  # it has no types
    """Gives tests to whichever process is free, but those of a Ray cluster all to the same one.

    This is what `--dist loadgroup` is for, which groups nothing with pytest 9.2 (pytest-xdist's
    issue 1386).
    """

    def _split_scope(self, nodeid: str) -> str:
        return "ray" if "[ray" in nodeid or "test_ray.py" in nodeid else nodeid


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> OneCluster:
    return OneCluster(config, log)


LOOPBACK = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}
"""Has Ray take 127.0.0.1 for what it is; otherwise it looks for an address that others reach."""


@dataclass(frozen=True)
class RayNodes:
    """A running Ray cluster; each of its nodes has one processor."""

    process: subprocess.Popen[str]
    log: Path
    address: str

    def add(self) -> int:
        """Add a node; return the process that all others of it come from."""
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return int(_answer(self.process, self.log)["raylet"])


def _answer(process: subprocess.Popen[str], log: Path) -> dict[str, str]:
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, log.read_text()
    return dict(json.loads(line))


@pytest.fixture(scope="session")
def ray_nodes() -> Iterator[RayNodes]:
    """Start one cluster for all tests that ask for it; see `OneCluster`."""
    if find_spec("ray") is None:
        pytest.skip("Ray is not installed; there may be none for this Python")
    # Its sockets are below, and their paths must not be long.
    with tempfile.TemporaryDirectory(prefix="ray") as folder, pytest.MonkeyPatch.context() as patch:
        for name, value in LOOPBACK.items():  # for who connects, too
            patch.setenv(name, value)
        (Path(folder) / "ray").mkdir()
        nodes_have = {
            "PYTHONPATH": str(Path(outhaul.__file__).parents[1]),
            "RAY_TMPDIR": folder,
            "RAY_USAGE_STATS_ENABLED": "0",
        }
        log = Path(folder) / "log"
        with log.open("wb") as stderr:
            process = subprocess.Popen(
                [sys.executable, str(Path(__file__).parent / "support" / "ray_nodes.py")],
                env=os.environ | nodes_have,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                text=True,
            )
        with process:  # and then its input is closed, and it ends
            yield RayNodes(process, log, str(_answer(process, log)["address"]))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what tests have measured (`record_property("result", …)`), in whatever process."""
    for report in terminalreporter.getreports("passed"):
        for name, value in report.user_properties:
            if name == "result" and report.when == "call":
                terminalreporter.section(report.nodeid.partition("::")[2])
                terminalreporter.line(str(value))
