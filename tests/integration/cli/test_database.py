"""The option `--database-url`: which database it is, what is said where it is not there."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import psycopg
import pytest
from tests.support import postgres
from tests.support.waiting import PATIENCE
from typer.testing import CliRunner, Result

from outhaul.cli import app

PASSWORD = "hush-hush"
AWAY = f"postgresql://etl:{PASSWORD}@127.0.0.1:1/outhaul"
SERVICE = ("service", "create", "x", "--user", "etl@example.com", "--permission", "Read-Only Lead")

Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command on a data folder; no exit is by an exception."""
    for name in [name for name in os.environ if name.startswith("OUTHAUL_")]:
        monkeypatch.delenv(name)

    def run_command(*words: str, status: int = 0) -> Result:
        done = CliRunner().invoke(app, [*words, "--data", str(tmp_path / "data")])
        if isinstance(done.exception, Exception):
            raise done.exception
        assert done.exit_code == status, done.output
        assert PASSWORD not in done.output
        return done

    return run_command


@pytest.fixture
def url(postgresql: postgres.Server) -> Iterator[str]:
    made = postgresql.create_empty()
    yield made.replace("postgres@", f"postgres:{PASSWORD}@")
    postgresql.drop(made)


@pytest.mark.parametrize(
    "words",
    [
        ("serve", "--port", "0"),
        ("worker",),
        SERVICE,
        ("subscription", "create", "emea"),
        ("subscription", "list"),
        ("subscription", "limits", "default"),
        ("load", "leads", "leads.csv"),
        ("load", "catalog"),
        ("load", "custom-objects", "boats.csv", "--type", "boat_c"),
    ],
    ids=" ".join,
)
def test_a_database_that_does_not_answer_is_named(
    run: Run, words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    if words == ("load", "catalog"):
        words = (*words, str(Path(__file__).parent / "nothing.json"))
        assert "nothing of" in run(*words, "--database-url", AWAY, status=1).stderr
        return
    for given in (("--database-url", AWAY), ()):
        monkeypatch.setenv("OUTHAUL_DATABASE_URL", AWAY)
        said = run(*words, *given, status=1).stderr
        assert said.startswith("error: cannot open the database 127.0.0.1:1/outhaul, ")
        assert "--database-url" in said
        assert "onnection refused" in said


@pytest.mark.parametrize(
    "wrong",
    [
        f"postgresql://etl:{PASSWORD}@host:port/outhaul",
        f"postgresql://etl:pass:{PASSWORD}/word@host:5432:1/outhaul",
        f"mysql://etl:{PASSWORD}@host/outhaul",
        f"postgresql+nothing://etl:{PASSWORD}@host/outhaul",
        f"{PASSWORD}",
        "",
    ],
)
def test_a_url_that_says_nothing_is_told(run: Run, wrong: str) -> None:
    assert "--database-url" in run("subscription", "list", "--database-url", wrong, status=1).stderr


def test_a_missing_driver_is_told(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    said = run("subscription", "list", "--database-url", AWAY, status=1).stderr
    assert "pip install 'outhaul[postgres]'" in said


def test_a_schema_of_a_later_version_is_told(run: Run, url: str) -> None:
    run("subscription", "list", "--database-url", url)
    with psycopg.connect(url) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    said = run("subscription", "list", "--database-url", url, status=1).stderr
    assert "cannot migrate the database" in said


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+psycopg"])
def test_commands_keep_the_state_in_postgresql(
    run: Run, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scheme: str
) -> None:
    url = url.replace("postgresql", scheme, 1)
    run("subscription", "create", "emea", "--database-url", url)
    monkeypatch.setenv("OUTHAUL_DATABASE_URL", url)
    run(*SERVICE, "--subscription", "emea")
    assert run("subscription", "list").stdout == "default\nemea\n"
    monkeypatch.delenv("OUTHAUL_DATABASE_URL")
    assert not list((tmp_path / "data").iterdir())
    assert run("subscription", "list").stdout == "default\n"


@contextmanager
def served(data: Path, url: str, log: Path) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """Run a server; give its URL, and its process."""
    command = [sys.executable, "-m", "outhaul", "serve", "--data", str(data), "--port", "0"]
    environment = os.environ | {
        "OUTHAUL_DATABASE_URL": url,
        "OUTHAUL_LISTEN_SECONDS": "3600",
        # Tests ask often how far a job is.
        "OUTHAUL_LIMIT_CALLS_IN_20_SECONDS": "none",
    }
    with (
        log.open("wb") as stderr,
        subprocess.Popen(command, env=environment, stderr=stderr) as process,
    ):
        try:
            last = time.monotonic() + PATIENCE
            while "outhaul serves " not in log.read_text():
                assert process.poll() is None, log.read_text()
                assert time.monotonic() < last
                time.sleep(0.01)
            yield log.read_text().partition("outhaul serves ")[2].split()[0], process
        finally:
            process.terminate()
            assert process.wait(PATIENCE) == 0


@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="looks at /proc")
def test_a_server_and_its_worker_share_the_database_and_tell_nobody_its_password(
    run: Run, url: str, tmp_path: Path, postgresql: postgres.Server
) -> None:
    leads = tmp_path / "leads.csv"
    leads.write_text("id,email,createdAt\n1,a@example.com,2026-01-01T00:00:00Z\n")
    run("load", "leads", str(leads), "--database-url", url)
    made = run(*SERVICE, "--database-url", url).stdout.split()
    log = tmp_path / "log"
    with (
        served(tmp_path / "data", url, log) as (place, process),
        httpx2.Client(base_url=place) as client,
    ):
        grant = {"grant_type": "client_credentials", "client_id": made[1], "client_secret": made[3]}
        token = client.get("/identity/oauth/token", params=grant).json()["access_token"]
        client.headers["Authorization"] = f"Bearer {token}"

        def call(method: str, path: str, **request: Any) -> dict[str, Any]:
            answer = client.request(method, f"/bulk/v1/leads/export{path}.json", **request)
            found: dict[str, Any] = answer.json()["result"][0]
            return found

        window = {"startAt": "2026-01-01T00:00:00Z", "endAt": "2026-01-02T00:00:00Z"}
        wanted = {"fields": ["id", "email"], "filter": {"createdAt": window}}
        job = call("POST", "/create", json=wanted)["exportId"]
        call("POST", f"/{job}/enqueue")
        last = time.monotonic() + PATIENCE
        while call("GET", f"/{job}/status")["status"] != "Completed":
            assert time.monotonic() < last, log.read_text()
            time.sleep(0.01)
        file = client.get(f"/bulk/v1/leads/export/{job}/file.json")
        assert file.text == "id,email\n1,a@example.com\n"

        started = [
            path.parent.joinpath("cmdline").read_bytes()
            for path in Path("/proc").glob("[0-9]*/stat")
            if _parent(path) == process.pid
        ]
        assert any(b"worker" in words for words in started)
        assert not any(PASSWORD.encode() in words for words in started)

        # Errors of two kinds go into the log: one that passes by, and a defect with its traceback.
        with psycopg.connect(url) as connection:
            connection.execute("ALTER TABLE token RENAME TO gone")
        path = "/bulk/v1/leads/export.json"
        assert client.get(path).json()["errors"][0]["code"] == "611"
        with psycopg.connect(url) as connection:
            connection.execute("ALTER TABLE gone RENAME TO token")
        name = url.partition("?")[0].rpartition("/")[2]
        postgresql._execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        postgresql.disconnect(url)
        assert client.get(path).json()["errors"][0]["code"] == "713"
        postgresql._execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
        assert client.get(path).json()["success"]
    said = log.read_text()
    assert "UndefinedTable" in said
    assert "the database cannot be reached" in said
    assert PASSWORD not in said


def _parent(path: Path) -> int:
    try:
        return int(path.read_text().rpartition(")")[2].split()[1])
    except OSError:  # it has ended
        return 0
