"""cgo_mkto_api_aastudillocgo, unmodified: an older client, which sends its token in the query.

It exports the leads of a smart list, and keeps its place in a file, so that a later run can go on.
"""

import csv
import io
import json
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from configparser import RawConfigParser
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
import pytest
from tests.support.answers import check
from tests.support.clients import needs, run
from tests.support.processes import Server, prepare
from tests.support.recorder import Recorder, recorded
from tests.support.schemas import Contract

from outhaul import sample

NAME = "cgo_mkto_api"
UNTIL = datetime(2026, 1, 20, 12, tzinfo=UTC)
LEADS = list(sample.leads(300, until=UNTIL))
DELETIONS = list(sample.deletions(5, until=UNTIL))
FIELDS = ["id", "email", "firstName"]
RULES = {"all": [{"field": "leadScore", "operator": "greater", "value": 50}]}
IN_SMART_LIST = {lead["id"] for lead in LEADS if (lead["leadScore"] or 0) > 50}
SMART_LIST = 9001

pytestmark = needs(NAME)


class Client:
    """The client, with its folder and its state."""

    def __init__(self, server: Server, url: str, folder: Path) -> None:
        self._folder = folder
        self._config = RawConfigParser()
        self._config["GLOBAL"] = {"context": "acceptance"}
        self._config["MARKETOCREDENTIALS"] = {
            "IdentityURL": f"{url}/identity",
            "bulkurl": f"{url}/bulk",
            "endpointurl": f"{url}/rest",
            "ClientID": server.client_id,
            "ClientSecret": server.client_secret,
            "AccessToken": "",
            "ATExpiration": "2026-01-01 00:00:00.000000",
        }
        self._config["MARKETOVARIABLES"] = {
            "lead_fields": repr(FIELDS),
            "status": "",
            "export_id": "",
        }

    def go_on(self, export_id: str) -> None:
        """Set the state that a run leaves which broke off while its job was in the queue."""
        self._config["MARKETOVARIABLES"].update({"status": "Queued", "export_id": export_id})

    def call(self, function: str, *arguments: object) -> bytes:
        """Call one of its functions, and return its result."""
        done = self._run(function, *arguments)
        assert done.returncode == 0, (done.stdout, done.stderr)
        return (self._folder / "result").read_bytes()

    def failure(self, function: str, *arguments: object) -> str:
        """Call one of its functions, and return what it says before it fails."""
        done = self._run(function, *arguments)
        # It would send an e-mail, and has no account for that.
        assert done.returncode == 1
        assert b"KeyError: 'MAIL'" in done.stderr
        return done.stdout.decode()

    def _run(self, function: str, *arguments: object) -> subprocess.CompletedProcess[bytes]:
        with (self._folder / "config.ini").open("w") as file:
            self._config.write(file)
        return run(NAME, self._folder, function, *arguments)


@pytest.fixture(scope="module")
def recorder(
    server: Server, tmp_path_factory: pytest.TempPathFactory, contract: Contract | None
) -> Iterator[tuple[Server, Recorder]]:
    """A subscription that takes tokens in the query; at the end every answer is checked."""
    files = tmp_path_factory.mktemp("files")
    where = ("--data", server.data, "--subscription", "older")
    prepare("subscription", "create", "older", "--data", server.data)
    prepare("subscription", "limits", "older", "--set", "query_token=true", "--data", server.data)
    smart_list = {"id": SMART_LIST, "name": "Engaged", "rules": RULES}
    catalog = files / "catalog.json"
    catalog.write_text(json.dumps({**sample.catalog(), "smartLists": [smart_list]}), "utf-8")
    prepare("load", "catalog", catalog, *where)
    prepare("load", "leads", lines(files / "leads.jsonl", LEADS), *where)
    prepare("load", "activities", lines(files / "deletions.jsonl", DELETIONS), *where)
    with recorded(server.url) as recorder:
        yield server.of("older"), recorder
    for call in recorder.calls:
        check(call, contract)


@pytest.fixture
def client(recorder: tuple[Server, Recorder], tmp_path: Path) -> Client:
    server, recording = recorder
    return Client(server, recording.url, tmp_path)


def lines(path: Path, records: Iterable[Mapping[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(record) + "\n" for record in records), "utf-8")
    return path


def test_the_leads_of_a_smart_list(client: Client) -> None:
    rows = list(
        csv.DictReader(io.StringIO(client.call("download_smart_list", SMART_LIST).decode()))
    )
    assert list(rows[0]) == FIELDS
    remaining = IN_SMART_LIST - {entry["leadId"] for entry in DELETIONS}
    assert [int(row["id"]) for row in rows] == sorted(remaining)


def test_a_cancelled_job_ends_it(client: Client, recorder: tuple[Server, Recorder]) -> None:
    server, _ = recorder
    token = httpx2.get(
        f"{server.url}/identity/oauth/token",
        params={
            "grant_type": "client_credentials",
            "client_id": server.client_id,
            "client_secret": server.client_secret,
        },
    ).json()["access_token"]
    headers = {"Authorization": f"Bearer {token}"}
    base = f"{server.url}/bulk/v1/leads/export"
    body = {"fields": FIELDS, "filter": {"smartListId": SMART_LIST}}
    made = httpx2.post(f"{base}/create.json", json=body, headers=headers).json()["result"][0]
    export_id = made["exportId"]
    httpx2.post(f"{base}/{export_id}/cancel.json", headers=headers)
    client.go_on(export_id)
    assert "Job cancelled or failed" in client.failure("download_smart_list", SMART_LIST)


def test_deleted_leads(client: Client) -> None:
    found = json.loads(client.call("get_deleted_leads", "2025-12-01T00:00:00Z"))
    assert [entry["leadId"] for entry in found["result"]] == [
        entry["leadId"] for entry in sorted(DELETIONS, key=lambda entry: entry["activityDate"])
    ]
    assert found["moreResult"] is False
