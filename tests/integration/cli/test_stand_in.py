"""`outhaul stand-in`, as a process of its own."""

import json
import os
import re
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest

COMMAND = [sys.executable, "-m", "outhaul", "stand-in", "--json"]


@contextmanager
def running(*arguments: str, **variables: str) -> Iterator[tuple[dict[str, Any], Any]]:
    """Run a stand-in; yield what it says of itself, and its process."""
    environment = {**os.environ, **variables}
    with subprocess.Popen(
        [*COMMAND, *arguments],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        try:
            yield json.loads(process.stdout.readline()), process
        finally:
            process.send_signal(signal.SIGTERM)


def grant(said: dict[str, Any]) -> httpx2.Response:
    params = {
        "grant_type": "client_credentials",
        "client_id": said["clientId"],
        "client_secret": said["clientSecret"],
    }
    return httpx2.get(f"{said['url']}/identity/oauth/token", params=params)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stand_in_answers_shows_calls_and_leaves_nothing(number: int, tmp_path: Path) -> None:
    with running("--subscription", "a-test", TMPDIR=str(tmp_path)) as (said, process):
        (folder,) = tmp_path.glob("outhaul-stand-in-*")
        environment = folder / "stand-in.env"
        assert said["environment"] == str(environment)
        assert stat.S_IMODE(environment.stat().st_mode) == 0o600
        assert f"CONTROL_TOKEN={said['controlToken']}\n" in environment.read_text()
        assert grant(said).json()["scope"] == "test@example.com"
        headers = {"Authorization": f"Bearer {said['controlToken']}"}
        path = f"{said['controlUrl']}/subscriptions/a-test/calls"
        assert httpx2.get(path, headers=headers).json()["count"] == 1
        process.send_signal(number)
        _, shown = process.communicate()
        assert process.returncode == 0
    assert list(tmp_path.glob("outhaul-stand-in-*")) == []
    assert re.search(
        r"^\d\d:\d\d:\d\d GET  /identity/oauth/token 200 test@example\.com \d+ ms$",
        shown,
        re.MULTILINE,
    ), shown
    assert said["clientSecret"] not in shown
    assert "Traceback" not in shown


def test_a_folder_of_ones_own_remains(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with running("--data", str(data), OUTHAUL_CONTROL_TOKEN="mine") as (said, _):
        assert said["controlToken"] == "mine"
        assert grant(said).status_code == 200
    assert (data / "outhaul.db").exists()
