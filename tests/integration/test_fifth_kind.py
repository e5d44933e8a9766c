"""A kind of another package, found by its entry point: loaded, served, extracted, kept tidy."""

import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import httpx2
import pytest
from tests.support import opportunities
from tests.support.opportunities import TABLE
from tests.support.processes import Server, outhaul, serve
from tests.support.waiting import wait_for

from outhaul.lake.snapshot import Lake
from outhaul.settings import Settings

JANUARY = "2026-01-01T00:00:00Z/2026-01-31T23:59:59Z"
FIELDS = "externalOpportunityId,leadId,stage,amount"
FILES = 6


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Install a package for the processes that are started meanwhile: a module and its metadata."""
    folder = tmp_path_factory.mktemp("site")
    shutil.copy(opportunities.__file__, folder / "their_opportunities.py")
    metadata = folder / "their_opportunities-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: their-opportunities\n")
    (metadata / "entry_points.txt").write_text(
        "[outhaul.kinds]\nopportunities = their_opportunities:OPPORTUNITIES\n"
    )
    with patch.dict(os.environ, PYTHONPATH=str(folder)):
        yield


@pytest.fixture(scope="module")
def data(package: None, tmp_path_factory: pytest.TempPathFactory) -> Path:  # noqa: ARG001
    """Load opportunities, and delete lead 7."""
    data, files = tmp_path_factory.mktemp("data"), tmp_path_factory.mktemp("files")
    paths = [files / f"{n}.jsonl" for n in range(FILES)]
    for n, path in enumerate(paths):
        path.write_text("".join(json.dumps(record(n, lead)) + "\n" for lead in (7, 8)))
    said = outhaul("load", "opportunities", *paths, "--data", data, "--json")
    assert [entry["added"] for entry in json.loads(said.out)["files"]] == [2] * FILES
    deletion = {
        "marketoGUID": "1",
        "leadId": 7,
        "activityDate": "2026-01-31T00:00:00Z",
        "activityTypeId": 37,
    }
    (files / "deletions.jsonl").write_text(json.dumps(deletion))
    outhaul("load", "activities", files / "deletions.jsonl", "--data", data)
    return data


@pytest.fixture(scope="module")
def server(data: Path) -> Iterator[Server]:
    made = outhaul(
        *("service", "create", "fifth", "--data", data, "--user", "fifth@example.com"),
        *("--permission", "Read-Only Opportunity", "--json"),
    )
    credentials = json.loads(made.out)
    with serve(data) as running:
        yield replace(
            running,
            client_id=credentials["clientId"],
            client_secret=credentials["clientSecret"],
        )


def record(n: int, lead: int) -> dict[str, Any]:
    return {
        "externalOpportunityId": f"{lead}-{n}",
        "leadId": lead,
        "stage": "Closed Won" if n % 2 else "Open",
        "amount": n,
        "createdAt": "2026-01-20T00:00:00Z",
    }


def extract(server: Server, target: Path, *words: str) -> str:
    variables = {
        "OUTHAUL_URL": server.url,
        "OUTHAUL_CLIENT_ID": server.client_id,
        "OUTHAUL_CLIENT_SECRET": server.client_secret,
    }
    outhaul("extract", "opportunities", "--output", target, *words, variables=variables)
    return target.read_text("utf-8")


def files_of(data: Path) -> int:
    snapshot = Lake(Settings(data=data).lake_folder / "default").snapshot(TABLE)
    assert snapshot is not None
    return len(snapshot.files)


def test_it_is_extracted_without_the_records_of_deleted_leads(
    server: Server, tmp_path: Path
) -> None:
    found = extract(server, tmp_path / "a.csv", "--created-at", JANUARY)
    stages = ["Open", "Closed Won"] * (FILES // 2)
    rows = [f"8-{n},8,{stage},{n}\n" for n, stage in enumerate(stages)]
    assert found == "".join([f"{FIELDS}\n", *rows])


def test_its_own_filter_is_an_option(server: Server, tmp_path: Path) -> None:
    words = ("--stages", "Closed Won", "--fields", "externalOpportunityId")
    assert extract(server, tmp_path / "a.csv", *words) == "externalOpportunityId\n8-1\n8-3\n8-5\n"


def test_it_is_in_the_published_description(server: Server) -> None:
    paths = httpx2.get(f"{server.url}/openapi.json").json()["paths"]
    create = paths["/bulk/v1/opportunities/export/create.json"]["post"]
    body = create["requestBody"]["content"]["application/json"]["schema"]["properties"]
    whole, _ = body["filter"]["anyOf"]
    assert [*whole["properties"]] == ["createdAt", "stages", "staticListId"]
    assert body["fields"]["default"] == FIELDS.split(",")
    assert "/rest/v1/opportunities/describe.json" in paths


def test_it_is_described(server: Server) -> None:
    credentials = {"client_id": server.client_id, "client_secret": server.client_secret}
    params = {"grant_type": "client_credentials", **credentials}
    token = httpx2.get(f"{server.url}/identity/oauth/token", params=params).json()["access_token"]
    answer = httpx2.get(
        f"{server.url}/rest/v1/opportunities/describe.json",
        headers={"Authorization": f"Bearer {token}"},
    ).json()
    assert answer["success"] is True
    (described,) = answer["result"]
    assert [field["name"] for field in described["fields"]] == [*TABLE.columns]


def test_the_janitor_compacts_its_table(server: Server) -> None:
    wait_for(lambda: files_of(server.data) == 1)
