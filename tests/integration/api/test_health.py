"""The routes that load balancers ask, where all is well and where something cannot be reached."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient
from structlog.testing import capture_logs
from tests.support import postgres
from tests.support.instance import Instance, Serve, refusal
from tests.support.object_store import SECRET, Bucket, Wire, wire_to
from tests.support.waiting import PATIENCE

from outhaul.api import create_app
from outhaul.database.engine import Database
from outhaul.settings import Settings

ALIVE, READY = "/healthz", "/readyz"
PASSWORD = "hush-hush"
METHODS = ("POST", "PUT", "PATCH", "DELETE", "OPTIONS")

Start = Callable[..., TestClient]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Return a function that starts a server; what no setting puts elsewhere is in `data`."""
    with ExitStack() as stack:

        def started(**settings: Any) -> TestClient:
            (tmp_path / "data").mkdir()
            found = Settings.model_validate({"data": tmp_path / "data", **settings})
            database = Database(found.database_url)
            database.migrate()
            database.close()
            app = create_app(found)
            stack.callback(app.state.service.close)
            return stack.enter_context(TestClient(app))

        yield started


@pytest.fixture
def wired(bucket: Bucket) -> Iterator[tuple[Bucket, Wire]]:
    """A bucket that can be cut off."""
    with wire_to(bucket) as found:
        yield found


def unready(client: TestClient) -> list[str]:
    """Return what a server says that it cannot reach; it is alive all the same."""
    assert client.get(ALIVE).status_code == 200
    with capture_logs() as events:
        answer = client.get(READY)
    body = answer.json()
    assert answer.status_code == (503 if body["unreachable"] else 200)
    assert body == {"ready": not body["unreachable"], "unreachable": body["unreachable"]}
    told = {name for event in events for name in event if event["event"] == "not ready"}
    assert told - {"event", "log_level"} == set(body["unreachable"]), "why, it says in the log"
    for secret in (SECRET, PASSWORD):
        assert secret not in f"{events}{answer.text}"
    return list(body["unreachable"])


@pytest.fixture(params=["folder", "bucket"])
def places(request: pytest.FixtureRequest) -> dict[str, Any]:
    """Where lake and files are."""
    if request.param == "folder":
        return {}
    bucket: Bucket = request.getfixturevalue("bucket")
    return {"lake_url": bucket.url, "files_url": bucket.url, "s3": bucket.s3}


def test_a_server_that_reaches_everything_is_ready(
    start: Start, database_url: str, places: dict[str, Any]
) -> None:
    client = start(database_url=database_url, **places)
    for headers in ({}, {"Authorization": "Bearer of-nobody"}):
        alive, ready = client.get(ALIVE, headers=headers), client.get(READY, headers=headers)
        assert (alive.status_code, alive.json()) == (200, {"status": "alive"})
        assert (ready.status_code, ready.json()) == (200, {"ready": True, "unreachable": []})


def test_who_looks_at_the_status_alone_is_told_by_that(start: Start, tmp_path: Path) -> None:
    client = start()
    for path in (ALIVE, READY):
        assert (client.head(path).status_code, client.head(path).content) == (200, b"")
        for method in METHODS:
            refused = client.request(method, path)
            assert (refused.status_code, refused.headers["allow"]) == (405, "GET, HEAD")
    (tmp_path / "data" / "files").rmdir()
    assert (client.head(READY).status_code, client.head(READY).content) == (503, b"")


def test_a_database_that_is_stopped(start: Start, places: dict[str, Any]) -> None:
    with postgres.serving() as server:
        url = server.create().replace("postgres@", f"postgres:{PASSWORD}@")
        client = start(database_url=url, **places)
        for _ in range(2):
            assert unready(client) == []
            server.stop()
            assert unready(client) == ["database"]
            server.start()
        assert unready(client) == []


def test_a_database_file_that_is_gone(start: Start, tmp_path: Path) -> None:
    client = start()
    assert unready(client) == []
    state: Any = client.app
    state.state.service.database.close()  # what is open stays so, whatever becomes of the file
    file = tmp_path / "data" / "outhaul.db"
    file.rename(tmp_path / "elsewhere")
    file.mkdir()
    assert unready(client) == ["database"]
    file.rmdir()
    (tmp_path / "elsewhere").rename(file)
    assert unready(client) == []


@pytest.mark.parametrize("away", [["files"], ["lake"], ["files", "lake"]], ids="-and-".join)
def test_a_bucket_that_is_cut_off(
    start: Start, wired: tuple[Bucket, Wire], away: list[str]
) -> None:
    bucket, wire = wired
    client = start(s3=bucket.s3, **{f"{name}_url": bucket.url for name in away})
    for _ in range(2):
        assert unready(client) == []
        wire.cut()
        assert unready(client) == away
        wire.mend()
    assert unready(client) == []


def test_a_bucket_that_there_is_not(start: Start, bucket: Bucket) -> None:
    client = start(s3=bucket.s3, lake_url="s3://there-is-none/lake", files_url=bucket.url)
    assert unready(client) == ["lake"]


@pytest.mark.parametrize("name", ["files", "lake"])
def test_a_folder_that_is_none_any_more(start: Start, tmp_path: Path, name: str) -> None:
    client = start()
    folder = tmp_path / "data" / name
    folder.mkdir(exist_ok=True)
    assert unready(client) == []
    folder.rmdir()
    folder.write_text("no folder")
    folder.chmod(0o777)
    assert unready(client) == [name]
    folder.unlink()
    folder.mkdir()
    assert unready(client) == []


def test_a_bucket_that_swallows_requests_is_asked_by_one_thread(
    start: Start, wired: tuple[Bucket, Wire]
) -> None:
    bucket, wire = wired
    client = start(s3=bucket.s3, files_url=bucket.url)
    assert unready(client) == []
    wire.hold(0)
    with ThreadPoolExecutor(12) as pool:
        asked = [pool.submit(client.get, READY) for _ in range(12)]
        assert wire.is_held.wait(PATIENCE)
        assert client.get(ALIVE).status_code == 200
        answers = [each.result() for each in asked]
    assert {answer.status_code for answer in answers} == {503}
    assert [answer.json()["unreachable"] for answer in answers] == [["files"]] * 12
    assert len([each for each in threading.enumerate() if each.name.startswith("check")]) <= 3
    wire.mend()
    last = time.monotonic() + PATIENCE
    while unready(client):
        assert time.monotonic() < last


def test_they_are_no_calls(serve: Serve) -> None:
    instance = serve(calls_in_20_seconds=3, calls_at_once=1, calls_per_day=3)
    headers = {"Authorization": f"Bearer {instance.token('etl')}"}
    client = TestClient(instance._app)

    def healthy() -> bool:
        asked = [
            client.request(method, path, headers=headers)
            for path in (ALIVE, READY)
            for method in ("GET", "HEAD", "POST")
        ]
        return [answer.status_code for answer in asked] == [200, 200, 405] * 2

    assert healthy()
    (usage,) = instance.get("/rest/v1/stats/usage.json").json()["result"][:1] or [{"total": 0}]
    assert usage["total"] == 0
    for _ in range(2):
        assert instance.jobs().json()["success"]
    assert refusal(instance.jobs())[0] == "606"
    assert healthy()


def test_they_are_described(instance: Instance) -> None:
    paths = instance.openapi()["paths"]
    assert set(paths[ALIVE]) == set(paths[READY]) == {"get", "head"}
    assert {"200", "503"} <= set(paths[READY]["get"]["responses"])
    assert "security" not in paths[READY]["get"]
