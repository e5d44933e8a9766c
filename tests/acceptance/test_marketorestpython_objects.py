"""marketorestpython, unmodified: program members and custom objects."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from marketorestpython.client import MarketoClient
from marketorestpython.helper.exceptions import MarketoException
from tests.support.answers import check
from tests.support.processes import Server, outhaul, prepare
from tests.support.recorder import recorded
from tests.support.schemas import Contract
from tests.support.waiting import PATIENCE

POLL_SECONDS = 0.2

CATALOG = {
    "programs": [
        {"id": 11, "name": "Fair", "statuses": ["Invited", "Attended"]},
        {"id": 12, "name": "Series", "statuses": ["Member"]},
    ],
    "staticLists": [{"id": 1001, "name": "Readers"}],
    "customObjects": [
        {
            "apiName": "boat_c",
            "displayName": "Boat",
            "dedupeFields": ["hull"],
            "relationships": [
                {
                    "field": "leadId",
                    "type": "child",
                    "relatedTo": {"name": "Lead", "field": "Id"},
                }
            ],
            "fields": [
                {"name": "hull", "displayName": "Hull", "dataType": "string"},
                {"name": "sails", "displayName": "Sails", "dataType": "integer"},
            ],
        }
    ],
}
LEADS = "id,email,createdAt\n1,ada@example.com,2026-01-01T00:00:00Z\n2,null,2026-01-02T00:00:00Z\n"
LIST_MEMBERS = "listId,leadId\n1001,2\n"
MEMBERS = (
    "programId,leadId,statusName,isExhausted,nurtureCadence,updatedAt\n"
    "12,1,Member,1,pause,2026-01-05T00:00:00Z\n"
    "11,3,Invited,0,null,2026-01-06T00:00:00Z\n"
    "11,1,Attended,0,null,2026-02-06T00:00:00Z\n"
)
BOATS = (
    "marketoGUID,hull,leadId,sails,updatedAt\n"
    "b-2,H2,2,null,2026-01-06T00:00:00Z\n"
    "a-1,H1,1,3,2026-01-05T00:00:00Z\n"
)
JANUARY = {"startAt": "2026-01-01T00:00:00Z", "endAt": "2026-01-31T23:59:59Z"}


@pytest.fixture(scope="module")
def objects(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Server:
    """A subscription with the records above."""
    files, data = tmp_path_factory.mktemp("files"), server.data
    prepare("subscription", "create", "objects", "--data", data)
    _load(files / "catalog.json", json.dumps(CATALOG), data, "catalog")
    _load(files / "leads.csv", LEADS, data, "leads")
    _load(files / "listed.csv", LIST_MEMBERS, data, "list-members")
    _load(files / "members.csv", MEMBERS, data, "program-members")
    _load(files / "boats.csv", BOATS, data, "custom-objects", "--type", "boat_c")
    return server.of("objects")


@pytest.fixture
def client(objects: Server, contract: Contract | None) -> Iterator[Any]:
    with recorded(objects.url) as recorder:
        client = MarketoClient("123-ABC-456", objects.client_id, objects.client_secret)
        client.host = recorder.url
        yield client
    for call in recorder.calls:
        check(call, contract)


def _load(path: Path, content: str, data: Path, *command: str) -> None:
    path.write_text(content, "utf-8")
    prepare("load", command[0], path, *command[1:], "--data", data, "--subscription", "objects")


def _export(client: Any, kind: str, *, of: dict[str, str] | None = None, **wanted: Any) -> str:
    """Run an export to its end and return its file; `of` names the type of objects."""
    of = of or {}
    (created,) = client.execute(method=f"create_{kind}_export_job", **of, **wanted)
    named = {"job_id": created["exportId"], **of}
    (queued,) = client.execute(method=f"enqueue_{kind}_export_job", **named)
    assert queued["status"] == "Queued"
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        (job,) = client.execute(method=f"get_{kind}_export_job_status", **named)
        if job["status"] not in ("Queued", "Processing"):
            break
        time.sleep(POLL_SECONDS)
    assert job["status"] == "Completed"
    content = client.execute(method=f"get_{kind}_export_job_file", **named)
    assert len(content) == job["fileSize"]
    return str(content.decode())


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({"programId": 12}, "leadId,statusName,email,isExhausted\n1,Member,ada@example.com,1\n"),
        (
            {"programIds": [12, 11], "updatedAt": JANUARY},
            (
                "programId,leadId,statusName,email,isExhausted\n"
                "11,3,Invited,null,0\n12,1,Member,ada@example.com,1\n"
            ),
        ),
        (
            {"programIds": [11, 12], "statusNames": ["Attended", "Member"], "isExhausted": False},
            "programId,leadId,statusName,email,isExhausted\n11,1,Attended,ada@example.com,0\n",
        ),
        (
            {"programId": 12, "nurtureCadence": "paused"},
            "leadId,statusName,email,isExhausted\n1,Member,ada@example.com,1\n",
        ),
    ],
)
def test_program_members(client: Any, filters: dict[str, Any], expected: str) -> None:
    fields = ["leadId", "statusName", "email", "isExhausted"]
    assert _export(client, "program_members", fields=fields, filters=filters) == expected


@pytest.mark.parametrize(
    ("filters", "lines"),
    [
        ({"updatedAt": JANUARY}, ["a-1,1,3", "b-2,2,null"]),
        ({"staticListId": 1001}, ["b-2,2,null"]),
        ({"staticListName": "Readers"}, ["b-2,2,null"]),
    ],
)
def test_custom_objects(client: Any, filters: dict[str, Any], lines: list[str]) -> None:
    content = _export(
        client,
        "custom_objects",
        of={"object_name": "boat_c"},
        fields=["marketoGUID", "leadId", "sails"],
        filters=filters,
    )
    assert content.splitlines() == ["marketoGUID,leadId,sails", *lines]


def test_jobs_are_cancelled_and_listed(client: Any) -> None:
    wanted = {"fields": ["marketoGUID"], "filters": {"updatedAt": JANUARY}}
    (made,) = client.create_custom_objects_export_job(object_name="boat_c", **wanted)
    (cancelled,) = client.cancel_custom_objects_export_job(
        job_id=made["exportId"], object_name="boat_c"
    )
    assert cancelled["status"] == "Cancelled"
    assert cancelled in client.get_custom_objects_export_jobs_list(object_name="boat_c")
    (made,) = client.create_program_members_export_job(fields=["leadId"], filters={"programId": 11})
    assert made in client.get_program_members_export_jobs_list()


def test_a_type_that_there_is_not(client: Any) -> None:
    with pytest.raises(MarketoException, match="there are boat_c"):
        client.create_custom_objects_export_job(
            object_name="ship_c", fields=["marketoGUID"], filters={"updatedAt": JANUARY}
        )


def test_the_command_gives_the_same(objects: Server, tmp_path: Path) -> None:
    common = (
        *("--url", objects.url, "--output", tmp_path / "file.csv"),
        *("--client-id", objects.client_id, "--client-secret", objects.client_secret),
    )
    outhaul(
        *("extract", "program-members", *common, "--fields", "leadId,email"),
        *("--program-ids", "11,12", "--status-names", "Member", "--exhausted"),
    )
    assert (tmp_path / "file.csv").read_text() == "programId,leadId,email\n12,1,ada@example.com\n"
    outhaul(
        *("extract", "custom-objects", *common, "--fields", "hull,leadId"),
        *("--type", "boat_c", "--static-list-id", "1001"),
    )
    assert (tmp_path / "file.csv").read_text() == "hull,leadId\nH2,2\n"


def test_what_they_are_made_of(client: Any) -> None:
    (listed,) = client.execute(method="get_list_of_custom_objects")
    (described,) = client.execute(method="describe_custom_object", name="boat_c")
    assert listed == described
    assert described["dedupeFields"] == ["hull"]
    (members,) = client.execute(method="describe_program_member")
    assert "statusName" in {field["name"] for field in members["fields"]}
