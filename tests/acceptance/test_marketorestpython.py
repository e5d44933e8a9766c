"""marketorestpython, unmodified: what scripts in Python have used for years."""

import time
from typing import Any

import pytest
from marketorestpython.client import MarketoClient
from marketorestpython.helper.exceptions import MarketoException
from tests.support.processes import Server
from tests.support.records import (
    ACTIVITIES,
    ACTIVITY_FIELDS,
    IN_JANUARY,
    JANUARY,
    LEAD_FIELDS,
    ON_LIST,
    activities_file,
    leads_file,
    standard_file,
)
from tests.support.waiting import PATIENCE

POLL_SECONDS = 0.2


@pytest.fixture
def client(server: Server, endpoint: str) -> Any:
    client = MarketoClient("123-ABC-456", server.client_id, server.client_secret)
    client.host = endpoint
    return client


def _export(client: Any, kind: str, **wanted: Any) -> bytes:
    """Run an export to its end and return its file."""
    (created,) = client.execute(method=f"create_{kind}_export_job", **wanted)
    assert created["status"] == "Created"
    job_id = created["exportId"]
    (queued,) = client.execute(method=f"enqueue_{kind}_export_job", job_id=job_id)
    assert queued["status"] == "Queued"
    done = _wait(client, kind, job_id)
    content = client.execute(method=f"get_{kind}_export_job_file", job_id=job_id)
    assert isinstance(content, bytes)
    assert len(content) == done["fileSize"]
    return content


def _wait(client: Any, kind: str, job_id: str) -> Any:
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        (job,) = client.execute(method=f"get_{kind}_export_job_status", job_id=job_id)
        if job["status"] not in ("Queued", "Processing"):
            assert job["status"] == "Completed"
            return job
        time.sleep(POLL_SECONDS)
    raise TimeoutError(job_id)


@pytest.mark.parametrize(
    ("filters", "ids"),
    [
        ({"createdAt": JANUARY}, IN_JANUARY),
        ({"updatedAt": {"startAt": "2026-02-01T00:00:00Z", "endAt": "2026-03-02"}}, (2, 3, 4, 10)),
        ({"staticListId": 1001}, ON_LIST),
        ({"staticListName": "Readers"}, ON_LIST),
        ({"staticListName": "Newsletter.Readers"}, ON_LIST),
    ],
)
def test_leads_by_every_filter(client: Any, filters: dict[str, Any], ids: tuple[int, ...]) -> None:
    content = _export(client, "leads", fields=LEAD_FIELDS, filters=filters)
    assert content.decode() == leads_file(ids)


@pytest.mark.parametrize(
    ("filters", "names"),
    [
        ({}, [name for name in ACTIVITIES if name != "late visit"]),
        ({"activityTypeIds": [1, 104]}, ["visit", "progress"]),
        ({"activityTypeIds": [13, 22], "primaryAttributeValueIds": [56]}, ["value"]),
        ({"activityTypeIds": [13, 22], "primaryAttributeValues": ["Lead Score"]}, ["score"]),
        ({"activityTypeIds": [2], "primaryAttributeValues": ["Newsletter.Signup"]}, ["other form"]),
    ],
)
def test_activities_by_every_filter(client: Any, filters: dict[str, Any], names: list[str]) -> None:
    content = _export(client, "activities", filters={"createdAt": JANUARY, **filters})
    assert content.decode() == standard_file(names)


def test_fields_headers_and_formats(client: Any) -> None:
    leads = _export(
        client,
        "leads",
        fields=["email", "id", "firstName"],
        filters={"staticListId": 1001},
        format="TSV",
        columnHeaderNames={"email": "Email Address", "id": "Lead"},
    )
    assert leads.decode() == (
        "Email Address\tLead\tfirstName\n"
        "ada@example.com\t1\tAda\n"
        "l@example.com\t4\tŁukasz\n"
        'o@example.com\t10\t"tab\there"\n'
    )
    activities = _export(
        client,
        "activities",
        fields=["leadId", "primaryAttributeValue", "actionResult"],
        filters={"createdAt": JANUARY, "activityTypeIds": [2]},
        format="SSV",
        columnHeaderNames={"actionResult": "Result"},
    )
    assert activities.decode() == (
        'leadId primaryAttributeValue Result\n1 "Contact Us" succeeded\n2 Signup null\n'
    )


def test_all_activity_fields_as_a_stream(client: Any) -> None:
    (job,) = client.create_activities_export_job(
        fields=ACTIVITY_FIELDS, filters={"createdAt": JANUARY}
    )
    client.enqueue_activities_export_job(job["exportId"])
    _wait(client, "activities", job["exportId"])
    with client.get_activities_export_job_file(job["exportId"], stream=True) as response:
        content = b"".join(response.iter_content(100))
    assert content.decode() == activities_file(name for name in ACTIVITIES if name != "late visit")


@pytest.mark.parametrize(
    ("kind", "wanted"),
    [
        ("leads", {"fields": ["id"], "filters": {"createdAt": JANUARY}}),
        ("activities", {"filters": {"createdAt": JANUARY}}),
    ],
)
def test_jobs_are_cancelled_and_listed(client: Any, kind: str, wanted: dict[str, Any]) -> None:
    list_jobs = f"get_{kind}_export_jobs_list"
    before = client.execute(method=list_jobs)
    made = [client.execute(method=f"create_{kind}_export_job", **wanted)[0] for _ in range(2)]
    job_id = made[1]["exportId"]
    (cancelled,) = client.execute(method=f"cancel_{kind}_export_job", job_id=job_id)
    assert cancelled["status"] == "Cancelled"
    assert client.execute(method=list_jobs) == [*before, made[0], cancelled]
    assert client.execute(method=f"get_{kind}_export_job_status", job_id=job_id) == [cancelled]


def test_a_smart_list_where_there_is_none(client: Any) -> None:
    with pytest.raises(MarketoException) as refused:
        client.create_leads_export_job(fields=["id"], filters={"smartListId": 1})
    assert (refused.value.code, refused.value.message) == (
        "1035",
        "Unsupported filter type for target subscription",
    )


def test_wrong_credentials(server: Server, endpoint: str) -> None:
    client = MarketoClient("123-ABC-456", server.client_id, "wrong")
    client.host = endpoint
    with pytest.raises(Exception, match="client"):
        client.execute(method="get_leads_export_jobs_list")
