"""The source for dlt, against a served outhaul: into DuckDB and into PostgreSQL, run by run."""

import json
import os
import socket
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dlt
import psycopg
import pytest
from dlt.pipeline.exceptions import PipelineStepFailed
from tests.support.processes import Server, prepare, serve
from tests.support.records import ACTIVITIES, CATALOG, LEADS, activities_file, leads_file
from tests.support.waiting import wait_for

from outhaul import sample
from outhaul.dlt import TELEMETRY, source
from outhaul.protocol.instants import render_instant

# dlt, and what it is built on, warn of their own code.
pytestmark = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning", "ignore::ResourceWarning", "ignore::UserWarning"
)

START = "2026-01-01T00:00:00Z"
COLUMNS = {
    "leads": "id, email, last_name, unsubscribed, created_at",
    "activities": "marketo_guid, lead_id, activity_date, primary_attribute_value",
    "program_members": "program_id, lead_id, status_name, is_exhausted",
    "boat_c": "marketo_guid, lead_id, boat_name, length_in_feet",
}
BOATS = sample.catalog()["customObjects"]

Load = Callable[..., None]
Rows = dict[str, list[tuple[Any, ...]]]


def stamp() -> str:
    """Return the time that it is now."""
    return render_instant(datetime.now(UTC).replace(microsecond=0))


def member(lead: int, status: str) -> dict[str, Any]:
    dates = {"createdAt": START, "updatedAt": stamp()}
    return {"programId": 1001, "leadId": lead, "statusName": status, "isExhausted": True, **dates}


def boat(guid: str, name: str | None) -> dict[str, Any]:
    dates = {"createdAt": START, "updatedAt": stamp()}
    return {"marketoGUID": guid, "hullNumber": guid, "leadId": 1, "boatName": name, **dates}


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """Load records into the data folder: CSV, or objects."""

    def load(kind: str, content: str | list[dict[str, Any]], *words: str) -> None:
        is_text = isinstance(content, str)
        path = tmp_path / f"{kind}.{'csv' if is_text else 'jsonl'}"
        lines = content if is_text else "".join(f"{json.dumps(one)}\n" for one in content)
        path.write_text(str(lines), "utf-8", newline="")
        prepare("load", kind, path, "--data", tmp_path / "data", *words)

    return load


@pytest.fixture
def server(tmp_path: Path, load: Load) -> Iterator[Server]:
    (tmp_path / "catalog.json").write_text(json.dumps({**CATALOG, "customObjects": BOATS}))
    prepare("load", "catalog", tmp_path / "catalog.json", "--data", tmp_path / "data")
    load("leads", leads_file())
    load("activities", activities_file())
    load("program-members", [member(1, "Member"), member(4, "Invited")])
    load("custom-objects", [boat("a", "Möwe"), boat("b", "null")], "--type", "boat_c")
    pass_second()
    with serve(tmp_path / "data") as running:
        yield running


def pass_second() -> None:
    """Wait until the second is over: a window ends with the last one that is."""
    ended = time.time() + 1.1
    wait_for(lambda: time.time() > ended)


@pytest.fixture
def pipeline(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[Any, Callable[[str], list[tuple[Any, ...]]]]:
    """Return a pipeline, and what asks its destination."""
    monkeypatch.setenv("DLT_DATA_DIR", str(tmp_path / "dlt"))
    monkeypatch.setenv("RUNTIME__LOG_LEVEL", "ERROR")
    if request.param == "duckdb":
        import duckdb  # noqa: PLC0415 - the other destination needs none

        path = str(tmp_path / "records.duckdb")
        destination = dlt.destinations.duckdb(path)

        def ask(query: str) -> list[tuple[Any, ...]]:
            with duckdb.connect(path) as connection:
                return [tuple(row) for row in connection.execute(query).fetchall()]

    else:
        postgres = request.getfixturevalue("postgresql")
        url = postgres.create_empty()
        # dlt needs a host and a password in the URL; the folder of the socket stands instead.
        credentials = url.replace("postgres@/", "postgres:none@localhost/")
        destination = dlt.destinations.postgres(credentials=credentials)

        def ask(query: str) -> list[tuple[Any, ...]]:
            with psycopg.connect(url) as connection:
                return connection.execute(query.encode()).fetchall()

    made = dlt.pipeline(
        "outhaul_test",
        pipelines_dir=str(tmp_path / "pipelines"),
        destination=destination,
        dataset_name="marketo",
    )
    return made, ask


def records(server: Server, **more: Any) -> Any:
    arguments = {
        "programs": [1001],
        "custom_objects": ["boat_c"],
        "poll_seconds": 0.1,
        "start": START,
        **more,
    }
    return source(server.url, server.client_id, server.client_secret, **arguments)


def read(ask: Callable[[str], list[tuple[Any, ...]]]) -> Rows:
    return {
        name: ask(f"SELECT {columns} FROM marketo.{name} ORDER BY 1, 2")  # noqa: S608 - our names
        for name, columns in COLUMNS.items()
    }


@pytest.mark.parametrize("pipeline", ["duckdb", "postgresql"], indirect=True)
def test_runs_bring_what_is_new_and_nothing_twice(
    pipeline: tuple[Any, Any], server: Server, load: Load
) -> None:
    made, ask = pipeline
    # With CSV, the other format for PostgreSQL, dlt makes nulls of empty texts.
    is_postgres = made.destination.destination_name == "postgres"
    options = {"loader_file_format": "insert_values"} if is_postgres else {}
    made.run(records(server), **options)
    first = read(ask)
    assert [row[0] for row in first["leads"]] == sorted(LEADS)
    assert first["leads"][2][1:4] == ("", "null", False)
    assert first["leads"][2][4] == datetime(2026, 1, 31, 23, 59, 59, tzinfo=UTC)
    assert len(first["activities"]) == len(ACTIVITIES)
    assert first["program_members"] == [(1001, 1, "Member", True), (1001, 4, "Invited", True)]
    assert [row[2] for row in first["boat_c"]] == ["Möwe", "null"]

    made.run(records(server), **options)
    assert read(ask) == first

    load(
        "leads",
        f"id,email,updatedAt\n2,new@example.com,{stamp()}\n77,seven@example.com,{stamp()}\n",
    )
    activity = f"900000001,2,{stamp()},1,null,7,/new,{{}},null\n"
    load("activities", activities_file([]) + activity)
    load("program-members", [member(4, "Member")])
    load("custom-objects", [boat("b", "Gull"), boat("c", None)], "--type", "boat_c")
    pass_second()
    made.run(records(server), **options)
    found = read(ask)
    assert [row[:2] for row in found["leads"] if row[0] in {1, 2, 77}] == [
        (1, "ada@example.com"),
        (2, "new@example.com"),
        (77, "seven@example.com"),
    ]
    assert len(found["leads"]) == len(LEADS) + 1
    assert len(found["activities"]) == len(ACTIVITIES) + 1
    assert found["program_members"] == [(1001, 1, "Member", True), (1001, 4, "Member", True)]
    assert [row[2] for row in found["boat_c"]] == ["Möwe", "Gull", None]


@pytest.mark.parametrize("pipeline", ["duckdb"], indirect=True)
def test_a_run_that_fails_is_made_good_by_the_next(
    pipeline: tuple[Any, Any], server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The cursor of a resource moves only with its records. Nothing else is called meanwhile."""
    assert os.environ[TELEMETRY] == "false"
    called: set[Any] = set()
    resolve = socket.getaddrinfo

    def note(host: Any, *arguments: Any, **more: Any) -> Any:
        called.add(host)
        return resolve(host, *arguments, **more)

    monkeypatch.setattr(socket, "getaddrinfo", note)
    made, ask = pipeline
    with pytest.raises(PipelineStepFailed, match="1003"):
        made.run(records(server, activity_types=[987]).with_resources("leads", "activities"))
    made.run(records(server, activity_types=[1]))
    assert [row[0] for row in read(ask)["leads"]] == sorted(LEADS)
    assert [row[3] for row in read(ask)["activities"]] == ["/home", "/late"]
    assert called == {"127.0.0.1"}
