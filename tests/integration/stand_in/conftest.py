"""A stand-in in this process, over a copy of a small lake."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient
from tests.support.activities import Template, fill
from tests.support.stand_in import TOKEN, Bench

from outhaul.settings import Settings
from outhaul.stand_in.app import create_stand_in

LOOSE = {"calls_in_20_seconds": None, "calls_at_once": None}
"""Tests make more calls than a live instance permits."""


@pytest.fixture(scope="session")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Template:
    return fill(tmp_path_factory.mktemp("filled"), 200)


@pytest.fixture
def bench(filled: Template, tmp_path: Path) -> Iterator[Bench]:
    settings = Settings(data=filled.copy(tmp_path / "data"), limit_overrides=LOOSE)
    stand_in = create_stand_in(settings, TOKEN)
    stand_in.start()
    try:
        with TestClient(stand_in.app) as client:
            yield Bench(stand_in, client)
    finally:
        stand_in.close()
