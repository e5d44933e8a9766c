import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from tests.support.instance import Clock, Instance, Serve, Template, make_template
from tests.support.postgres import Server, transfer
from tests.support.schemas import FOLDER, Contract

from outhaul.settings import Settings

# The clock of an instance stands still, and tests make more calls than 100.
NO_LIMITS_ON_CALLS = {"calls_in_20_seconds": None, "calls_at_once": None, "calls_per_day": None}


@pytest.fixture(scope="session")
def contract() -> Contract | None:
    return Contract() if FOLDER.is_dir() else None


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Template:
    return make_template(tmp_path_factory.mktemp("template"))


@pytest.fixture(scope="module")
def store() -> str:
    """Where the state is; a module that is to run on both databases has a fixture of this name."""
    return "sqlite"


@pytest.fixture(scope="module")
def source(
    store: str, template: Template, request: pytest.FixtureRequest
) -> Iterator[Callable[[Path], str]]:
    """Return what gives a data folder a copy of the template's state, and returns its URL."""
    if store == "sqlite":
        yield lambda data: copy_file(template, data)
        return
    server: Server = request.getfixturevalue("postgresql")
    full, made = server.create(), list[str]()
    transfer(Settings(data=template.folder).database_url, full)

    def copy(_: Path) -> str:
        made.append(server.copy(full))
        return made[-1]

    yield copy
    for url in (full, *made):
        server.drop(url)


def copy_file(template: Template, data: Path) -> str:
    shutil.copy(template.folder / "outhaul.db", data)
    return Settings(data=data).database_url


def serving(
    template: Template,
    folder: Path,
    contract: Contract | None,
    stack: ExitStack,
    source: Callable[[Path], str] | None = None,
) -> Serve:
    """Return a function that starts instances, each over a copy of the template."""

    def serve(*, limits: str = "marketo", part_records: int = 500_000, **single: Any) -> Instance:
        """Start one with a set of limits, and single ones that differ."""
        data = folder / f"data-{len(list(folder.iterdir()))}"
        data.mkdir()
        (data / "lake").symlink_to(template.folder / "lake")  # nothing here writes to it
        settings = Settings.model_validate(
            {
                "data": data,
                "database_url": source(data) if source else copy_file(template, data),
                "listen_seconds": 3_600,
                "workers": 1,
                "part_threads": 2,
                "poll_seconds": 0.005,
                "limits": limits,
                "part_records": part_records,
                "limit_overrides": NO_LIMITS_ON_CALLS | single,
            }
        )
        instance = Instance(settings, Clock(), template.credentials, contract)
        return stack.enter_context(instance.running())

    return serve


@pytest.fixture
def serve(
    template: Template,
    tmp_path: Path,
    contract: Contract | None,
    source: Callable[[Path], str],
) -> Iterator[Serve]:
    with ExitStack() as stack:
        yield serving(template, tmp_path, contract, stack, source)


@pytest.fixture
def instance(serve: Serve) -> Instance:
    """An instance with the default limits."""
    return serve()


@pytest.fixture(scope="module")
def serve_module(
    template: Template,
    tmp_path_factory: pytest.TempPathFactory,
    contract: Contract | None,
    source: Callable[[Path], str],
) -> Iterator[Serve]:
    """As `serve`, for all tests of a module."""
    with ExitStack() as stack:
        yield serving(template, tmp_path_factory.mktemp("module"), contract, stack, source)


@pytest.fixture(scope="module")
def shared(serve_module: Serve) -> Instance:
    """An instance for all tests of a module, which must not mind each other's jobs."""
    return serve_module()
