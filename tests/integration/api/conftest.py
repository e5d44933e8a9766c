from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from tests.support.instance import Instance, Serve
from tests.support.postgres import Server, transfer
from tests.support.schemas import Contract
from tests.support.template import Template, copy_file, make_template, serving

from outhaul.settings import Settings


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Template:
    return make_template(tmp_path_factory.mktemp("template"))


@pytest.fixture(scope="module")
def store() -> str:
    """The URL of the database. A module that runs on both databases overrides this fixture."""
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
