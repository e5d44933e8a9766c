"""`outhaul mirror` for people and schedulers: what it says, and how it ends."""

import fcntl
import json
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx2
import pytest
from tests.support.processes import COMMAND, RUN_SECONDS, Server, environment, outhaul

MIRROR = ("Lead", "Activity", "Custom Object", "Assets")
QUICK = ("--since", "2025-12-01", "--poll-interval", "0.1s")


@pytest.fixture(scope="module")
def user(server: Server) -> Mapping[str, str]:
    """What a mirror calls the server with."""
    made = server.of("default", MIRROR)
    return {
        "OUTHAUL_URL": made.url,
        "OUTHAUL_CLIENT_ID": made.client_id,
        "OUTHAUL_CLIENT_SECRET": made.client_secret,
    }


@pytest.fixture(scope="module")
def data(user: Mapping[str, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A mirror that is complete."""
    data = tmp_path_factory.mktemp("mirror")
    said = outhaul("mirror", "--data", data, *QUICK, variables=user)
    assert said.err.endswith("everything is there\n")
    assert said.out == b""
    return data


def status(data: Path) -> dict[str, Any]:
    return dict(json.loads(outhaul("mirror", "status", "--data", data, "--json").out))


def test_the_status_says_what_is_there(data: Path, user: Mapping[str, str]) -> None:
    found = status(data)
    assert (found["url"], found["complete"], found["left"]) == (user["OUTHAUL_URL"], True, [])
    assert {each["name"] for each in found["streams"]} >= {"deletions", "activities", "leads"}
    assert all(each["missing"] == [] for each in found["streams"])
    assert {each["name"]: each["here"] for each in found["tables"]}["leads"] == 5
    assert found["runs"][0]["outcome"] == "complete"


def test_the_status_is_a_table_and_a_calendar(data: Path) -> None:
    text = outhaul("mirror", "status", "--data", data, "--months", "2").out.decode()
    assert "everything up to then is here" in text
    assert "■" in text


def test_another_run_prints_one_object(data: Path, user: Mapping[str, str]) -> None:
    said = outhaul("mirror", "--data", data, "--json", *QUICK, variables=user)
    summary = json.loads(said.out)
    assert (summary["outcome"], summary["errors"], summary["left"]) == ("complete", [], [])
    assert sum(each["added"] for each in summary["streams"].values()) == 0


def test_two_at_once_are_one(data: Path, user: Mapping[str, str]) -> None:
    with (data / "lake" / "default" / ".mirror.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        said = outhaul("mirror", "--data", data, status=1, variables=user)
    assert said.err == "error: Another run of this mirror is at work.\n"


def test_another_endpoint_is_refused(data: Path, user: Mapping[str, str], endpoint: str) -> None:
    said = outhaul("mirror", "--data", data, status=1, variables={**user, "OUTHAUL_URL": endpoint})
    assert said.err.startswith(f"error: the data are a mirror of {user['OUTHAUL_URL']}; ")


def test_an_address_that_does_not_answer_is_not_that_of_the_mirror(
    user: Mapping[str, str], tmp_path: Path
) -> None:
    wrong = {**user, "OUTHAUL_URL": "http://127.0.0.1:9"}
    said = outhaul("mirror", "--data", tmp_path, status=1, variables=wrong)
    assert "error: The server cannot be reached" in said.err
    done = outhaul("mirror", "--data", tmp_path, *QUICK, variables=user)
    assert done.err.endswith("everything is there\n")


def test_a_status_of_nothing(tmp_path: Path) -> None:
    said = outhaul("mirror", "status", "--data", tmp_path, status=1)
    assert said.err == "error: nothing was mirrored yet\n"


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (["--since", "yesterday"], "--since"),
        (["--since", "2100-01-01"], "--since"),
        (["--every", "often"], "--every"),
        (["--daily-quota", "much"], "--daily-quota"),
        (["--overlap", "-1h"], "--overlap"),
        (["--again", "2026-02-01/2026-01-01"], "--again"),
        (["--jobs", "0"], "--jobs"),
        (["--url", "ftp://x"], "--url"),
    ],
)
def test_wrong_input_names_the_option(
    options: list[str], named: str, user: Mapping[str, str], tmp_path: Path
) -> None:
    said = outhaul("mirror", "--data", tmp_path / "new", *options, status=2, variables=user)
    assert named in said.err
    assert not (tmp_path / "new").exists()


def test_a_signal_leaves_no_job_in_the_queue(user: Mapping[str, str], tmp_path: Path) -> None:
    before = len(jobs(user))
    running = subprocess.Popen(
        [*COMMAND, "mirror", "--data", str(tmp_path / "new"), "--poll-interval", "0.1s"],
        env=environment(**user),
        stderr=subprocess.PIPE,
    )
    with running:
        deadline = time.monotonic() + RUN_SECONDS
        while len(jobs(user)) == before:
            assert time.monotonic() < deadline
            assert running.poll() is None
            time.sleep(0.05)
        running.send_signal(signal.SIGTERM)
        said = running.communicate(timeout=RUN_SECONDS)[1].decode()
    assert running.returncode == 128 + signal.SIGTERM, said
    assert "stopped by SIGTERM" in said
    assert not [job for job in jobs(user) if job["status"] in ("Queued", "Processing")]
    done = outhaul("mirror", "--data", tmp_path / "new", *QUICK, variables=user)
    assert done.err.endswith("everything is there\n")


def jobs(user: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return the jobs of the mirror's API user since the module began."""
    with httpx2.Client(base_url=user["OUTHAUL_URL"], timeout=RUN_SECONDS) as client:
        token = client.get(
            "/identity/oauth/token",
            params={
                "grant_type": "client_credentials",
                "client_id": user["OUTHAUL_CLIENT_ID"],
                "client_secret": user["OUTHAUL_CLIENT_SECRET"],
            },
        ).json()["access_token"]
        client.headers["Authorization"] = f"Bearer {token}"
        found: list[dict[str, Any]] = []
        for kind in ("leads", "activities", "program/members"):
            found += client.get(f"/bulk/v1/{kind}/export.json").json()["result"]
        return found
