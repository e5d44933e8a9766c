"""`outhaul extract` and `outhaul demo` for people: what they say, and how they end."""

import hashlib
import json
import re
import socket
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest
from tests.support.processes import (
    COMMAND,
    RUN_SECONDS,
    Said,
    Server,
    environment,
    outhaul,
    session_processes,
)
from tests.support.records import IN_JANUARY, LEAD_FIELDS, leads_file
from typer.testing import CliRunner

from outhaul.cli import app

JANUARY = "2026-01-01T00:00:00Z/2026-01-31T23:59:59Z"
FILE = leads_file(IN_JANUARY).encode()
SHA256 = f"sha256:{hashlib.sha256(FILE).hexdigest()}"

# What scripts outside the project call: design.md, "Command line".
OPTIONS = {
    "serve": ["--data", "--host", "--port", "--workers", "--limits"],
    "worker": ["--data", "--workers", "--limits"],
    "service create": ["--data", "--user", "--permission", "--subscription", "--json"],
    "subscription create": ["--data", "--json"],
    "subscription list": ["--data", "--json"],
    "subscription limits": ["--data", "--set", "--unset", "--limits", "--json"],
    "load leads": ["--data", "--infer-fields", "--subscription", "--json"],
    "load activities": ["--data", "--subscription", "--json"],
    "load list-members": ["--data", "--subscription", "--json"],
    "load catalog": ["--data", "--subscription", "--json"],
    "extract leads": [
        *("--url", "--client-id", "--client-secret", "--output", "--fields", "--format"),
        *("--created-at", "--updated-at", "--static-list-id", "--static-list-name"),
        *("--smart-list-id", "--smart-list-name", "--header", "--export-id", "--json"),
    ],
    "extract activities": [
        *("--url", "--client-id", "--client-secret", "--output", "--fields", "--format"),
        *("--created-at", "--activity-type-ids", "--primary-attribute-value-ids"),
        *("--primary-attribute-values", "--header", "--export-id", "--json"),
    ],
    "mirror": [
        *("--url", "--client-id", "--client-secret", "--data", "--every", "--wait", "--since"),
        *("--daily-quota", "--overlap", "--again", "--jobs", "--subscription", "--json"),
    ],
    "mirror status": ["--data", "--subscription", "--json"],
    "demo": ["--data", "--serve", "--port"],
}
NOTHING: Mapping[str, str] = {}
WITHOUT_VARIABLE = {"--json", "--serve"}


def _extract(
    server: Server,
    url: str,
    output: object,
    *more: str,
    status: int = 0,
    variables: Mapping[str, str] = NOTHING,
) -> Said:
    given = {
        "OUTHAUL_URL": url,
        "OUTHAUL_CLIENT_ID": server.client_id,
        "OUTHAUL_CLIENT_SECRET": server.client_secret,
        **variables,
    }
    arguments = ("extract", "leads", "--output", output, *more)
    return outhaul(*arguments, status=status, variables=given)


def test_a_file(server: Server, endpoint: str, tmp_path: Path) -> None:
    target = tmp_path / "leads.csv"
    fields = ",".join(LEAD_FIELDS)
    said = _extract(server, endpoint, target, "--fields", fields, "--created-at", JANUARY)
    assert target.read_bytes() == FILE
    assert list(tmp_path.iterdir()) == [target]
    assert said.out == b""
    assert re.fullmatch(
        rf"3 records \({len(FILE)} bytes, checked: {SHA256} matches\) of job [0-9a-f-]{{36}} "
        rf"written to {re.escape(str(target))}\n",
        said.err,
    )


def test_one_json_object(server: Server, endpoint: str, tmp_path: Path) -> None:
    target = tmp_path / "leads.csv"
    variables = {"OUTHAUL_FIELDS": ",".join(LEAD_FIELDS), "OUTHAUL_CREATED_AT": JANUARY}
    said = _extract(server, f"{endpoint}/rest", target, "--json", variables=variables)
    answer = json.loads(said.out)
    assert answer.pop("exportId")
    assert answer == {
        "records": 3,
        "bytes": len(FILE),
        "checksum": SHA256,
        "checked": True,
        "output": str(target),
    }
    assert said.err == ""
    assert target.read_bytes() == FILE


def test_standard_output(server: Server, endpoint: str) -> None:
    fields = ",".join(LEAD_FIELDS)
    said = _extract(server, endpoint, "-", "--fields", fields, "--created-at", JANUARY)
    assert said.out == FILE
    assert said.err.endswith("written to standard output\n")


@pytest.mark.parametrize(
    ("arguments", "variables", "message"),
    [
        pytest.param(
            ["--fields", "id", "--created-at", JANUARY],
            {"OUTHAUL_CLIENT_SECRET": "wrong"},
            r"error: The server refused the client id or the client secret: .+",
            id="wrong credentials",
        ),
        pytest.param(
            ["--fields", "id,favouriteColour", "--created-at", JANUARY],
            {},
            r"error: The server refused the call: 1006 Field 'favouriteColour' not found",
            id="unknown field",
        ),
    ],
)
def test_a_server_that_refuses(  # noqa: PLR0913, PLR0917 - three of them are the case
    server: Server,
    endpoint: str,
    tmp_path: Path,
    arguments: list[str],
    variables: dict[str, str],
    message: str,
) -> None:
    target = tmp_path / "leads.csv"
    said = _extract(server, endpoint, target, *arguments, status=1, variables=variables)
    assert re.fullmatch(message + "\n", said.err)
    assert said.out == b""
    assert not list(tmp_path.iterdir())


def test_a_server_that_is_not_there(tmp_path: Path) -> None:
    with socket.socket() as taken:  # bound, and not listening: nobody else can have the port
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        nobody = Server(url=url, client_id="id", client_secret="secret")
        arguments = ("--fields", "id", "--created-at", JANUARY)
        said = _extract(nobody, url, tmp_path / "leads.csv", *arguments, status=1)
    *retries, last = said.err.splitlines()
    assert last.startswith(f"error: The server cannot be reached: {url}: ")
    assert retries
    assert all(line.endswith(" s") and "; trying again in " in line for line in retries)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param(["--fields", "id"], "a job has one of these filters, not 0", id="no filter"),
        pytest.param(
            ["--fields", "id", "--created-at", "2026-02-01/2026-01-01"],
            "'2026-02-01/2026-01-01' ends before it starts",
            id="window",
        ),
    ],
)
def test_a_wrong_command(tmp_path: Path, arguments: list[str], message: str) -> None:
    nobody = Server(url="http://127.0.0.1:1", client_id="id", client_secret="secret")
    said = _extract(nobody, nobody.url, tmp_path / "leads.csv", *arguments, status=2)
    assert message in said.err
    assert not list(tmp_path.iterdir())


def test_demo_shows_two_extracts_and_leaves_nothing(tmp_path: Path) -> None:
    with subprocess.Popen(
        [*COMMAND, "demo"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(TMPDIR=str(tmp_path)),
        start_new_session=True,
    ) as demo:
        out, err = demo.communicate(timeout=RUN_SECONDS)
    said = err.decode()
    assert demo.returncode == 0, said
    assert out == b""
    assert len(set(re.findall(r"sha256:[0-9a-f]{64}", said))) == 2
    for extracted in ("leads.csv", "activities.csv"):
        assert re.search(rf"[\d,]+ records \(.+/{extracted}\n", said)
    assert not session_processes(demo.pid)
    assert not list(tmp_path.iterdir())


def test_help_shows_every_command_and_option() -> None:
    shown = outhaul("--help").out.decode()
    for command in OPTIONS:
        assert re.search(rf"\b{command.partition(' ')[0]}\b", shown), command


@pytest.mark.parametrize("command", OPTIONS)
def test_help_of_a_command_shows_its_options(command: str) -> None:
    # In this process: ten more would take longer than all else here.
    shown = CliRunner(env={"COLUMNS": "80"}).invoke(app, [*command.split(), "--help"]).stdout
    for option in OPTIONS[command]:
        assert re.search(rf"{option}\s", shown), option
        variable = "OUTHAUL_" + option.removeprefix("--").replace("-", "_").upper()
        assert option in WITHOUT_VARIABLE or variable in shown, option
