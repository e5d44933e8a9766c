"""What processes import: they start sooner without what they do not use."""

import subprocess
import sys
from collections.abc import Iterable

import pytest

SERVER = frozenset({"starlette", "uvicorn", "uvloop"})
TABLES = frozenset({"polars", "pyarrow", "deltalake", "obstore"})
DATABASE = frozenset({"sqlalchemy", "alembic"})
CALLS = frozenset({"httpx2", "httpcore2"})
"""The libraries that take long to import, by their use."""

HELP = """
from outhaul.cli import main
sys.argv = ["outhaul", "--help"]
try:
    main()
except SystemExit as ended:
    assert not ended.code, ended.code
"""
SERVING = """
from pathlib import Path
from outhaul.api import create_app
from outhaul.database.engine import Database
from outhaul.settings import Settings
from starlette.requests import Request
import tempfile
with tempfile.TemporaryDirectory() as folder:
    settings = Settings(data=Path(folder))
    database = Database(settings.database_url)
    database.migrate()
    database.close()
    create_app(settings).state.service.close()
"""
EXTRACTING = """
import outhaul.cli.extract
from outhaul.kinds import KINDS
assert KINDS
"""


@pytest.mark.parametrize(
    ("script", "absent"),
    [
        pytest.param(HELP, SERVER | TABLES | DATABASE | CALLS | {"pydantic"}, id="help"),
        pytest.param("import outhaul.client", SERVER | TABLES | DATABASE, id="client"),
        pytest.param(EXTRACTING, SERVER | DATABASE | TABLES - {"polars"}, id="extract"),
        pytest.param(
            SERVING,
            CALLS | {"alembic", "fastapi", "pyarrow", "uvicorn", "typer"},
            id="API",
        ),
        pytest.param(
            "import outhaul.cli.serve", CALLS | {"alembic", "fastapi", "pyarrow"}, id="serve"
        ),
        pytest.param(
            "import outhaul.cli.worker",
            SERVER | CALLS | {"alembic", "fastapi", "pyarrow"},
            id="worker",
        ),
    ],
)
def test_a_process_imports_no_library_that_it_does_not_use(
    script: str, absent: Iterable[str]
) -> None:
    wanted = f"import sys\n{script}\nprint('imported:', *({set(absent)} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", wanted], capture_output=True, check=True)
    assert done.stdout.decode().rpartition("imported:")[2].split() == []
