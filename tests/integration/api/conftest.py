import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from tests.integration.api.instance import Clock, Instance, Serve, Template, make_template
from tests.schemas import FOLDER, Contract

from outhaul.settings import Settings

# The clock of an instance stands still, and tests make more calls than 100.
NO_LIMITS_ON_CALLS = {"calls_in_20_seconds": None, "calls_at_once": None, "calls_per_day": None}


@pytest.fixture(scope="session")
def contract() -> Contract | None:
    return Contract() if FOLDER.is_dir() else None


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Template:
    return make_template(tmp_path_factory.mktemp("template"))


def serving(template: Template, folder: Path, contract: Contract | None, stack: ExitStack) -> Serve:
    """Return a function that starts instances, each over a copy of the template."""

    def serve(*, limits: str = "marketo", part_records: int = 500_000, **single: Any) -> Instance:
        """Start one with a set of limits, and single ones that differ."""
        data = folder / f"data-{len(list(folder.iterdir()))}"
        data.mkdir()
        shutil.copy(template.folder / "outhaul.db", data)
        (data / "lake").symlink_to(template.folder / "lake")  # nothing here writes to it
        settings = Settings.model_validate(
            {
                "data": data,
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
def serve(template: Template, tmp_path: Path, contract: Contract | None) -> Iterator[Serve]:
    with ExitStack() as stack:
        yield serving(template, tmp_path, contract, stack)


@pytest.fixture
def instance(serve: Serve) -> Instance:
    """An instance with the default limits."""
    return serve()


@pytest.fixture(scope="module")
def serve_module(
    template: Template, tmp_path_factory: pytest.TempPathFactory, contract: Contract | None
) -> Iterator[Serve]:
    """As `serve`, for all tests of a module."""
    with ExitStack() as stack:
        yield serving(template, tmp_path_factory.mktemp("module"), contract, stack)


@pytest.fixture(scope="module")
def shared(serve_module: Serve) -> Instance:
    """An instance for all tests of a module, which must not mind each other's jobs."""
    return serve_module()
