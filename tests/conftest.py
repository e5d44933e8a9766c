from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from outhaul.state.database import Database


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = Database(f"sqlite:///{tmp_path / 'outhaul.db'}")
    opened.migrate()
    yield opened
    opened.close()


@pytest.fixture(autouse=True)
def logging_of_its_own() -> Iterator[None]:
    """Undo what a command that ran in this process has set up for events."""
    yield
    structlog.reset_defaults()
