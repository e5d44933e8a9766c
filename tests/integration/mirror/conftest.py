"""A served copy of the sample, and an empty folder for its mirror."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.instance import Clock
from tests.support.mirroring import Endpoint, Side, copied
from tests.support.template import Template, make_template


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Template:
    return make_template(tmp_path_factory.mktemp("template"))


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def original(template: Template, tmp_path: Path, clock: Clock) -> Iterator[Side]:
    side = copied(template, tmp_path / "a", clock)
    yield side
    side.database.close()


@pytest.fixture
def copy(tmp_path: Path, clock: Clock) -> Iterator[Side]:
    side = Side(tmp_path / "b", clock, "open")
    yield side
    side.database.close()


@pytest.fixture
def endpoint(original: Side) -> Iterator[Endpoint]:
    with original.served() as endpoint:
        yield endpoint
        endpoint.close()
