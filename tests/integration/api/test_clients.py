"""What real clients send, and what they need in answers (clients.md)."""

from typing import Any

import pytest
from tests.support.instance import (
    BODIES,
    JSON,
    KINDS,
    TOKEN,
    UNKNOWN_ID,
    Instance,
    Serve,
    base,
    only,
    refusal,
    result,
)

from outhaul.database.schema import export_job
from outhaul.jobs.queue import Queue

CREATED = {"exportId", "format", "status", "createdAt"}


# Requests


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "prefix", ["/rest/..", "/rest/./..", "/./", "//", "/a/b/../..", "/../..", "/rest/../bulk/.."]
)
def test_dot_segments_in_a_path(shared: Instance, kind: str, prefix: str) -> None:
    path = f"{prefix}{base(kind)}.json"
    assert isinstance(result(shared.raw("GET", path)), list)


def test_dot_segments_before_create_and_token(shared: Instance) -> None:
    body = b'{"filter": {"createdAt": {"startAt": "2026-01-01", "endAt": "2026-01-02"}}}'
    path = "/rest/../bulk/v1/activities/export/create.json"
    assert only(shared.raw("POST", path, body=[body]))["status"] == "Created"
    query = "&".join(f"{name}={value}" for name, value in shared.grant("etl").items()).encode()
    assert shared.raw("GET", f"/rest/..{TOKEN}", query=query, user=None).status == 200


BODIES_TO_IGNORE: tuple[dict[str, Any], ...] = (
    {},
    {"data": {"_method": "POST"}},
    {"json": {"data": {"exportId": "x"}}},
    {"content": b"", "headers": {"Content-Type": "application/json"}},
    {"content": b"{", "headers": {"Content-Type": "application/json"}},
    {"content": b"\xff", "headers": {"Content-Type": "multipart/form-data"}},
    {"content": b"text", "headers": {"Content-Type": "text/plain"}},
    {"headers": {"Content-Length": "0"}},
)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("body", BODIES_TO_IGNORE)
def test_bodies_are_ignored_where_there_is_nothing_to_say(
    instance: Instance, kind: str, body: dict[str, Any]
) -> None:
    export_id = instance.created(kind)
    assert only(instance.enqueue(export_id, kind, **body))["status"] == "Queued"
    assert only(instance.status(export_id, kind, **body))["status"] == "Queued"
    assert only(instance.jobs(kind, **body))["exportId"] == export_id
    assert instance.file(export_id, kind, **body).status_code == 404
    assert only(instance.cancel(export_id, kind, **body))["status"] == "Cancelled"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "query", ["?batchSize=300", "?maxReturn=200&maxReturn=200", "?a&a=&=b&&c=%ff%00", "?;=;"]
)
def test_unknown_and_repeated_parameters_are_ignored(
    instance: Instance, kind: str, query: str
) -> None:
    answer = instance.post(f"{base(kind)}/create.json{query}", json=BODIES[kind])
    path = f"{base(kind)}/{only(answer)['exportId']}"
    assert only(instance.post(f"{path}/enqueue.json{query}"))["status"] == "Queued"
    assert only(instance.get(f"{path}/status.json{query}"))["status"] == "Queued"
    assert instance.get(f"{path}/file.json{query}").status_code == 404
    assert only(instance.post(f"{path}/cancel.json{query}"))["status"] == "Cancelled"
    assert len(result(instance.get(f"{base(kind)}.json{query}"))) == 1


@pytest.mark.parametrize(
    "headers",
    [
        {"Accept": "text/plain"},
        {"Accept": ""},
        {"Host": "123-ABC-456.mktorest.com"},
        {"Host": "x:1:2"},
        {"Accept-Encoding": "gzip, deflate, br, zstd"},
        {"Expect": "100-continue"},
    ],
)
def test_any_accept_and_host(shared: Instance, headers: dict[str, str]) -> None:
    answer = shared.jobs(headers=headers)
    assert isinstance(result(answer), list)
    assert answer.headers["Content-Type"] == JSON


@pytest.mark.parametrize("kind", KINDS)
def test_unknown_keys_of_a_body_are_ignored(shared: Instance, kind: str) -> None:
    extra: dict[str, Any] = {
        "name": "nightly",
        "data": {},
        "": None,
        "filters": [],
        "columnHeaderNames": None,
    }
    assert only(shared.create(kind, **extra))["status"] == "Created"


@pytest.mark.parametrize(
    "content_type",
    ["application/json", "application/json;charset=UTF-8", "Application/JSON ; charset=utf-8"],
)
def test_a_content_type_may_have_parameters(shared: Instance, content_type: str) -> None:
    headers = {"Content-Type": content_type}
    answer = shared.post(f"{base('leads')}/create.json", json=BODIES["leads"], headers=headers)
    assert only(answer)["status"] == "Created"


def test_a_content_type_may_be_missing(shared: Instance) -> None:
    body = b'{"filter": {"createdAt": {"startAt": "2026-01-01", "endAt": "2026-01-02"}}}'
    answer = shared.raw("POST", f"{base('activities')}/create.json", body=[body[:7], body[7:]])
    assert only(answer)["status"] == "Created"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("spelled", "meant"),
    [
        ("2026-01-16T05:28:07Z", "2026-01-16T05:28:07Z"),
        ("2026-01-16T05:28:07+00:00", "2026-01-16T05:28:07Z"),
        ("2026-01-16T05:28:07-00:00", "2026-01-16T05:28:07Z"),
        ("2026-01-16T05:28:07+0000", "2026-01-16T05:28:07Z"),
        ("2026-01-16T05:28:07", "2026-01-16T05:28:07Z"),
        ("2026-01-16T05:28Z", "2026-01-16T05:28:00Z"),
        ("2026-01-16T05:28+0000", "2026-01-16T05:28:00Z"),
        ("2026-01-16", "2026-01-16T00:00:00Z"),
        ("2026-01-15T23:28:07-06:00", "2026-01-16T05:28:07Z"),
        ("2026-01-16T10:58:07+0530", "2026-01-16T05:28:07Z"),
    ],
)
def test_spellings_of_a_moment(shared: Instance, kind: str, spelled: str, meant: str) -> None:
    window = {"startAt": spelled, "endAt": "2026-01-17"}
    export_id = shared.created(kind, filter={"createdAt": window})
    with shared.database.read() as connection:
        kept = connection.execute(export_job.select().where(export_job.c.id == export_id)).one()
    assert kept.request["filter"]["createdAt"] == [meant, "2026-01-17T00:00:00Z"]


@pytest.fixture(scope="module")
def in_all_states(serve_module: Serve) -> tuple[Instance, dict[str, str]]:
    """An instance with one job in every state but Failed; their ids by state."""
    instance = serve_module()
    done = instance.completed()["exportId"]
    taken = instance.queued()
    assert instance.claim() == taken
    instance.cancel(cancelled := instance.created())
    return instance, {
        "Created": instance.created(),
        "Queued": instance.queued(),
        "Processing": taken,
        "Cancelled": cancelled,
        "Completed": done,
    }


ALL = {"Created", "Queued", "Processing", "Cancelled", "Completed"}


@pytest.mark.parametrize(
    ("query", "states"),
    [
        ("", ALL),
        ("?status=Created", {"Created"}),
        ("?status=Created&status=Queued", {"Created", "Queued"}),
        ("?status=Created,Queued", {"Created", "Queued"}),
        ("?status=created,%20QUEUED&status=pRoCeSsInG", {"Created", "Queued", "Processing"}),
        ("?status=Canceled", {"Cancelled"}),
        ("?status=cancelled", {"Cancelled"}),
        ("?status=CANCELED,completed,,", {"Cancelled", "Completed"}),
        ("?status=Failed", set()),
        ("?Status=Created", ALL),
    ],
)
def test_spellings_of_a_status(
    in_all_states: tuple[Instance, dict[str, str]], query: str, states: set[str]
) -> None:
    instance, ids = in_all_states
    answer = instance.get(f"{base('leads')}.json{query}")
    found = {job["status"]: job["exportId"] for job in result(answer)}
    assert found == {state: ids[state] for state in states}
    assert "nextPageToken" not in answer.json()


# Answers


@pytest.mark.parametrize("kind", KINDS)
class TestPages:
    def test_an_empty_list_is_there(self, instance: Instance, kind: str) -> None:
        body = instance.jobs(kind).json()
        assert set(body) == {"requestId", "success", "result"}
        assert body["result"] == []

    @pytest.mark.parametrize("size", [1, 2, 3, 4, 5])
    def test_the_last_has_no_token(self, instance: Instance, kind: str, size: int) -> None:
        ids = []
        for _ in range(4):
            ids.append(instance.created(kind))
            instance.clock.advance(microseconds=1)
        seen: list[str] = []
        params = {"batchSize": str(size)}
        while True:
            page = instance.jobs(kind, params=params)
            assert len(result(page)) == min(size, 4 - len(seen))
            seen += [job["exportId"] for job in result(page)]
            assert ("nextPageToken" in page.json()) == (len(seen) < 4)
            if len(seen) == 4:
                break
            params["nextPageToken"] = page.json()["nextPageToken"]
        assert seen == ids

    def test_of_jobs_made_at_one_moment_repeat_none(self, instance: Instance, kind: str) -> None:
        ids = {instance.created(kind) for _ in range(5)}
        first = instance.jobs(kind, params={"batchSize": "3"})
        token = first.json()["nextPageToken"]
        second = instance.jobs(kind, params={"nextPageToken": token})
        assert {job["exportId"] for job in result(first) + result(second)} == ids


@pytest.mark.parametrize("kind", KINDS)
def test_what_an_answer_says_of_a_job(instance: Instance, kind: str) -> None:
    created = only(instance.create(kind))
    export_id = created["exportId"]
    assert created == {
        "exportId": export_id,
        "format": "CSV",
        "status": "Created",
        "createdAt": "2026-01-20T12:00:00Z",
    }
    instance.clock.advance(minutes=1, milliseconds=999)
    queued = only(instance.enqueue(export_id, kind))
    assert queued == {**created, "status": "Queued", "queuedAt": "2026-01-20T12:01:00Z"}
    assert only(instance.status(export_id, kind)) == queued
    instance.clock.advance(minutes=1)
    instance.work(export_id, kind)
    done = only(instance.status(export_id, kind))
    assert only(instance.jobs(kind)) == done
    assert done.pop("fileChecksum").startswith("sha256:")
    assert done.pop("fileSize") > done.pop("numberOfRecords") > 0
    assert done == {
        **queued,
        "status": "Completed",
        "startedAt": "2026-01-20T12:02:00Z",
        "finishedAt": "2026-01-20T12:02:00Z",
    }


def test_a_failed_job_says_why(instance: Instance) -> None:
    export_id = instance.queued()
    assert instance.claim() == export_id
    Queue(instance.database, instance.settings, "stuck").fail(
        export_id, "Gave up: the disk is full", instance.clock()
    )
    failed = only(instance.status(export_id))
    assert set(failed) == CREATED | {"queuedAt", "startedAt", "finishedAt", "errorMsg"}
    assert failed["status"] == "Failed"
    assert failed["errorMsg"] == "Gave up: the disk is full"
    assert refusal(instance.enqueue(export_id)) == ("1029", "Job already queued")
    assert refusal(instance.cancel(export_id))[0] == "1003"
    assert instance.file(export_id).status_code == 404


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("state", ["Created", "Queued", "Processing"])
def test_a_job_is_cancelled_from_any_state_before_its_end(
    instance: Instance, kind: str, state: str
) -> None:
    export_id = instance.created(kind)
    if state != "Created":
        instance.enqueue(export_id, kind)
    if state == "Processing":
        assert instance.claim() == export_id
    before = only(instance.status(export_id, kind))
    assert before["status"] == state
    instance.clock.advance(seconds=1)
    cancelled = only(instance.cancel(export_id, kind))
    assert cancelled == {
        **before,
        "status": "Cancelled",
        "finishedAt": "2026-01-20T12:00:01Z",
    }
    instance.clock.advance(seconds=1)
    assert only(instance.cancel(export_id, kind)) == cancelled
    assert only(instance.status(export_id, kind)) == cancelled


def test_a_job_that_is_done_cannot_be_cancelled(instance: Instance) -> None:
    export_id = instance.completed()["exportId"]
    code, message = refusal(instance.cancel(export_id))
    assert code == "1003"
    assert export_id in message
    assert instance.file(export_id).status_code == 200


@pytest.mark.parametrize("kind", KINDS)
def test_an_error_answer_holds_three_things(shared: Instance, kind: str) -> None:
    for answer in (
        shared.status(UNKNOWN_ID, kind),
        shared.create(kind, filter=None),
        shared.jobs(kind, user=None),
        shared.get("/nowhere"),
        shared.call("DELETE", TOKEN),
        shared.get("/" + "a" * 9_000),
    ):
        assert answer.headers["Content-Type"] == JSON
        body = answer.json()
        assert set(body) == {"requestId", "success", "errors"}
        assert body["success"] is False
        assert [{type(value) for value in error.values()} for error in body["errors"]] == [{str}]


def test_every_answer_has_an_id_of_its_own(shared: Instance) -> None:
    ids = {shared.jobs().json()["requestId"] for _ in range(5)}
    assert len(ids) == 5


def test_head_and_options_are_answered(shared: Instance) -> None:
    for method in ("HEAD", "OPTIONS"):
        answer = shared.call(method, f"{base('leads')}.json")
        assert answer.status_code == 200
        assert answer.headers["Content-Type"] == JSON
