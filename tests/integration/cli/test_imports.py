"""What commands import: they start sooner without what they do not use."""

import subprocess
import sys

HEAVY = ("sqlalchemy", "deltalake", "obstore", "pyarrow", "fastapi", "starlette", "alembic")


def test_extract_reads_the_kinds_without_a_library_of_the_lake_or_the_server() -> None:
    script = (
        "import sys\n"
        "import outhaul.cli.extract\n"
        "from outhaul.kinds import KINDS\n"
        "assert KINDS\n"
        f"print([name for name in {HEAVY} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)
    assert done.stdout.strip() == b"[]"


def test_a_worker_imports_nothing_of_the_server() -> None:
    script = (
        "import sys\n"
        "import outhaul.cli.worker\n"
        "print([name for name in ('fastapi', 'starlette', 'uvicorn') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)
    assert done.stdout.strip() == b"[]"


def test_the_client_is_imported_without_arrow_and_polars() -> None:
    script = "import sys, outhaul.client; print({'polars', 'pyarrow'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)
    assert done.stdout.strip() == b"set()"
