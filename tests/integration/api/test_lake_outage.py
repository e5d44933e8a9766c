"""Records that cannot be read: look-ups are answered 713, and bulk calls do not need them."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs
from tests.support.instance import BODIES, STATIC_LIST, Clock, Instance, only, refusal, result
from tests.support.object_store import SECRET, Bucket, wire_to
from tests.support.schemas import Contract
from tests.support.template import Template, copy_file

from outhaul.settings import Settings
from outhaul.store_access import S3

CLOSED = "http://127.0.0.1:9"
AWAY = ("713", "Transient error: the records cannot be read")
PAGED = (
    "/rest/v1/activities.json",
    "/rest/v1/activities/leadchanges.json",
    "/rest/v1/activities/deletedleads.json",
)
LOOKUPS = (
    "/rest/v1/leads.json",
    "/rest/v1/lead/1001.json",
    f"/rest/v1/list/{STATIC_LIST['id']}/leads.json",
    f"/rest/v1/lists/{STATIC_LIST['id']}/leads.json",
    *PAGED,
)

Start = Callable[..., Instance]


@pytest.fixture
def start(template: Template, tmp_path: Path, contract: Contract | None) -> Iterator[Start]:
    """Return a function that starts an instance over a copy of the template's state."""
    with ExitStack() as stack:

        def started(**settings: Any) -> Instance:
            data = tmp_path / "data"
            data.mkdir()
            url = copy_file(template, data)
            found = Settings(data=data, database_url=url, limits="open", **settings)
            instance = Instance(found, Clock(), template.credentials, contract)
            return stack.enter_context(instance.running())

        yield started


def look_up(instance: Instance, path: str) -> Any:
    since = {"sinceDatetime": "2025-12-21T12:00:00Z"}
    token = instance.get("/rest/v1/activities/pagingtoken.json", params=since)
    parameters = {
        "/rest/v1/leads.json": {"filterType": "id", "filterValues": "1001,1002"},
        "/rest/v1/activities.json": {"activityTypeIds": "1"},
        "/rest/v1/activities/leadchanges.json": {"fields": "email"},
    }.get(path, {})
    if path in PAGED:
        parameters["nextPageToken"] = token.json()["nextPageToken"]
    return instance.get(path, params=parameters)


@pytest.mark.parametrize("path", LOOKUPS)
def test_a_lake_that_is_not_reached(start: Start, bucket: Bucket, path: str) -> None:
    s3 = bucket.s3.model_copy(update={"endpoint": CLOSED})
    instance = start(lake_url=bucket.url, s3=s3)
    with capture_logs() as events:
        answer = look_up(instance, path)
    assert refusal(answer) == AWAY
    (event,) = [event for event in events if event["event"] == "the lake cannot be read"]
    assert CLOSED in event["error"]
    assert "\n" not in event["error"]
    assert SECRET not in f"{events}"


def test_look_ups_go_on_when_it_is_back(start: Start, bucket: Bucket) -> None:
    with wire_to(bucket) as (reached, wire):
        instance = start(lake_url=reached.url, s3=reached.s3)
        for _ in range(2):
            assert result(look_up(instance, LOOKUPS[0])) == []
            wire.cut()
            assert refusal(look_up(instance, LOOKUPS[0])) == AWAY
            wire.mend()
        assert result(look_up(instance, LOOKUPS[0])) == []


def test_jobs_are_made_and_queued_all_the_same(start: Start, bucket: Bucket) -> None:
    instance = start(lake_url=bucket.url, s3=S3(**bucket.s3.model_dump() | {"endpoint": CLOSED}))
    for kind in BODIES:
        job = instance.queued(kind)
        assert only(instance.status(job, kind))["status"] == "Queued"
        assert only(instance.cancel(job, kind))["status"] == "Cancelled"


@pytest.mark.parametrize("path", LOOKUPS[:-1])
@pytest.mark.parametrize("damaged", [True, False], ids=["damaged", "gone"])
def test_files_that_are_damaged_or_gone(
    start: Start, template: Template, path: str, damaged: bool
) -> None:
    instance = start()
    lake = instance.settings.lake_folder
    for file in (template.folder / "lake").rglob("*"):
        copy = lake / file.relative_to(template.folder / "lake")
        if file.is_file() and not (file.suffix == ".parquet" and not damaged):
            copy.parent.mkdir(parents=True, exist_ok=True)
            whole = file.read_bytes()
            copy.write_bytes(b"PAR1 damaged PAR1" if file.suffix == ".parquet" else whole)
    assert refusal(look_up(instance, path)) == AWAY
