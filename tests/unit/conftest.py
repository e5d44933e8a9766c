from pathlib import Path

import pytest


@pytest.fixture
def database_url(tmp_path: Path) -> str:
    """A database without a server. The suites of the stores run on PostgreSQL, too."""
    return f"sqlite:///{tmp_path / 'outhaul.db'}"
