from collections.abc import Iterator
from pathlib import Path

import pytest

from outhaul.state.database import Database


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = Database(f"sqlite:///{tmp_path / 'outhaul.db'}")
    opened.migrate()
    yield opened
    opened.close()
