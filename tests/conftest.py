import os
import shutil
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import structlog
from tests.support import connections, examples, postgres, skips
from tests.support.azure import Azurite, Container
from tests.support.azure import azurite as running_azurite
from tests.support.google import Google, GoogleBucket
from tests.support.google import google as running_google
from tests.support.object_store import Bucket, ObjectStore
from tests.support.object_store import object_store as running_object_store
from tests.support.paths import PROTOCOL
from tests.support.ray_cluster import RayNodes, ray_cluster
from tests.support.scheduling import Scheduling, order
from tests.support.schemas import Contract

from outhaul.database.engine import Database

examples.register()

IN_CI = os.environ.get("CI") == "true"

STORES = ("sqlite", "postgresql")
"""The databases that the service can use. Tests of what a database promises run on each."""


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


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite database to copy, which takes a tenth of the time of migrating one."""
    path = tmp_path_factory.mktemp("migrated") / "outhaul.db"
    opened = Database(f"sqlite:///{path}")
    opened.migrate()
    opened.close()
    return path


@pytest.fixture
def database(database_url: str, migrated: Path) -> Iterator[Database]:
    opened = Database(database_url)
    if opened.is_postgresql:
        opened.migrate()
    else:
        shutil.copy(migrated, opened.url.database or "")
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def contract() -> Contract | None:
    """The published shapes of answers, where they are at hand."""
    return Contract() if PROTOCOL.is_dir() else None


@pytest.fixture(scope="session", autouse=True)
def connections_are_closed() -> Iterator[None]:
    """Fail at the end where tests left connections to PostgreSQL open, and name these tests."""
    with connections.watched() as open_now:
        yield
        left = open_now()
        assert not left, f"connections are still open, which were opened by {', '.join(left)}"


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


@pytest.fixture(scope="session")
def azurite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Azurite]:
    """Azure's emulator, for all tests of this process that need it."""
    with running_azurite(tmp_path_factory.mktemp("azurite")) as running:
        yield running


@pytest.fixture(scope="session")
def google(object_store: ObjectStore, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Google]:
    """What Google's service shares with S3, for all tests of this process that need it."""
    with running_google(object_store, tmp_path_factory.mktemp("google")) as running:
        yield running


@pytest.fixture
def container(azurite: Azurite) -> Container:
    made = azurite.bucket()
    made.make()
    return made


@pytest.fixture(params=["object_store", "azurite", "google"], ids=["s3", "azure", "google"])
def every_bucket(request: pytest.FixtureRequest) -> Bucket | Container | GoogleBucket:
    """A bucket of each storage service, one after the other, for what needs no wire to it."""
    server: ObjectStore | Azurite | Google = request.getfixturevalue(request.param)
    made = server.bucket()
    made.make()
    return made


@pytest.fixture(params=["object_store", "azurite"], ids=["s3", "azure"])
def any_bucket(request: pytest.FixtureRequest) -> Bucket | Container:
    """A bucket of each service that a wire can lead to, one after the other."""
    server: ObjectStore | Azurite = request.getfixturevalue(request.param)
    made = server.bucket()
    made.make()
    return made


@pytest.fixture
def bucket(object_store: ObjectStore) -> Bucket:
    made = object_store.bucket()
    made.make()
    return made


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Scheduling:
    return Scheduling(config, log)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items[:] = order(items)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if IN_CI:
        skips.hold(report, skips.MAY_SKIP)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    if IN_CI:
        skips.hold(report, skips.MAY_SKIP)
    return report


@pytest.fixture(scope="session")
def ray_nodes() -> Iterator[RayNodes]:
    """Start one cluster for all tests that ask for it; see `scheduling.py`."""
    if find_spec("ray") is None:
        pytest.skip("Ray is not installed; there may be none for this Python")
    with ray_cluster() as nodes:
        yield nodes


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what tests have measured (`record_property("result", …)`), in whatever process."""
    for report in terminalreporter.getreports("passed"):
        for name, value in report.user_properties:
            if name == "result" and report.when == "call":
                terminalreporter.section(report.nodeid.partition("::")[2])
                terminalreporter.line(str(value))
