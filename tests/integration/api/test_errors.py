"""The errors of the design's table that no quota is about: sizes of a call, codes, 404."""

from typing import Any

import pytest
from tests.support.instance import (
    KINDS,
    LEADS,
    TOKEN,
    UNKNOWN_ID,
    WINDOW,
    Instance,
    Serve,
    base,
    only,
    refusal,
    result,
)

# Sizes of a call


def pieces(size: int) -> list[bytes]:
    return [b" " * min(1_000_000, size - first) for first in range(0, size, 1_000_000)]


class TestBody:
    CREATE = f"{base('leads')}/create.json"
    FORM = ((b"content-type", b"application/x-www-form-urlencoded"),)

    def too_large(self, limit: int) -> tuple[str, str]:
        return "413", f"Request body larger than {limit} bytes"

    def test_of_a_bulk_call_may_have_10_megabytes(self, shared: Instance) -> None:
        body = b'{"fields": ["id"], "filter": {"createdAt": %s}}'
        body %= b'{"startAt": "2026-01-01", "endAt": "2026-01-02"}'
        padding = pieces(10_000_000 - len(body))
        assert only(shared.raw("POST", self.CREATE, body=[body, *padding]))["status"] == "Created"
        answer = shared.raw("POST", self.CREATE, body=[body, *padding, b" "])
        assert refusal(answer, status=413) == self.too_large(10_000_000)

    def test_of_20_megabytes_is_refused_before_it_is_read(self, shared: Instance) -> None:
        headers = [(b"content-length", b"20000000")]
        answer = shared.raw("POST", self.CREATE, headers=headers)
        assert refusal(answer, status=413) == self.too_large(10_000_000)
        answer = shared.raw("POST", self.CREATE, headers=[(b"content-length", b"9" * 5_000)])
        assert refusal(answer, status=413) == self.too_large(10_000_000)

    def test_of_20_megabytes_is_refused_in_pieces(self, shared: Instance) -> None:
        headers = [(b"transfer-encoding", b"chunked")]
        answer = shared.raw("POST", self.CREATE, headers=headers, body=pieces(20_000_000))
        assert refusal(answer, status=413) == self.too_large(10_000_000)

    def test_of_another_call_may_have_1_megabyte(self, shared: Instance) -> None:
        grant = "&".join(f"{name}={value}" for name, value in shared.grant("etl").items())
        body = f"{grant}&padding=".encode()
        padding = b"x" * (1_000_000 - len(body))
        answer = shared.raw("POST", TOKEN, headers=self.FORM, body=[body, padding], user=None)
        assert answer.status == 200
        answer = shared.raw("POST", TOKEN, headers=self.FORM, body=[body, padding, b"x"])
        assert refusal(answer, status=413) == self.too_large(1_000_000)
        headers = [*self.FORM, (b"content-length", b"1000001")]
        answer = shared.raw("POST", TOKEN, headers=headers)
        assert refusal(answer, status=413) == self.too_large(1_000_000)

    def test_limits_are_settings(self, serve: Serve) -> None:
        instance = serve(bulk_body_bytes=100, body_bytes=50)
        answer = instance.create()
        assert refusal(answer, status=413) == self.too_large(100)
        answer = instance.client.post(TOKEN, data={"client_secret": "x" * 50})
        assert refusal(answer, status=413) == self.too_large(50)


class TestUri:
    @pytest.mark.parametrize("path", ["/bulk/v1/leads/export.json", TOKEN, "/nothing"])
    def test_may_have_8_kilobytes(self, shared: Instance, path: str) -> None:
        query = b"a=" + b"b" * (8_192 - len(path) - len("?a="))
        assert shared.raw("GET", path, query=query).status in (200, 400)
        answer = shared.raw("GET", path, query=query + b"b")
        assert refusal(answer, status=414) == ("414", "Request URI longer than 8192 bytes")

    def test_is_counted_as_it_was_sent(self, shared: Instance) -> None:
        assert refusal(shared.raw("GET", "/" + "a" * 8_191))[0] == "610"
        assert refusal(shared.raw("GET", "/" + "a" * 8_192), status=414)[0] == "414"
        assert refusal(shared.raw("GET", "/" + " " * 2_731), status=414)[0] == "414"  # %20
        assert refusal(shared.raw("GET", "/a/.." * 1_700), status=414)[0] == "414"

    def test_limit_is_a_setting(self, serve: Serve) -> None:
        instance = serve(uri_bytes=200)
        assert result(instance.jobs(params={"a": "b"})) == []
        assert refusal(instance.jobs(params={"a": "b" * 200}), status=414)[0] == "414"


# Errors that are rows of the table


@pytest.mark.parametrize("name", ["smartListId", "smartListName"])
def test_smart_lists_can_be_off_for_a_subscription(serve: Serve, name: str) -> None:
    answer = serve(smart_list_filters=False).create(filter={name: 1})
    assert refusal(answer) == ("1035", "Unsupported filter type for target subscription")


def test_updated_at_can_be_off_for_a_subscription(serve: Serve) -> None:
    instance = serve(updated_at_filter=False)
    answer = instance.create(filter={"updatedAt": WINDOW})
    assert refusal(answer) == ("1035", "Unsupported filter type for target subscription")
    assert instance.created(filter={"createdAt": WINDOW})
    assert serve().created(filter={"updatedAt": WINDOW})


@pytest.mark.parametrize(
    "content", [b"", b"{", b"{'a': 1}", b"\xff", b"\xef\xbb\xbf{}", b"[" * 9_999]
)
@pytest.mark.parametrize("kind", KINDS)
def test_a_body_that_is_not_json(shared: Instance, kind: str, content: bytes) -> None:
    answer = shared.post(f"{base(kind)}/create.json", content=content)
    code, message = refusal(answer)
    assert code == "609"
    assert message.startswith("Invalid JSON")


@pytest.mark.parametrize("content", [b"[]", b"null", b"1", b'"text"', b"[{}]"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_body_that_is_no_object(shared: Instance, kind: str, content: bytes) -> None:
    answer = shared.post(f"{base(kind)}/create.json", content=content)
    assert refusal(answer) == ("609", "Invalid JSON: the body must be a JSON object")


@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/x-www-form-urlencoded", "application/jsonp", "json"]
)
@pytest.mark.parametrize("kind", KINDS)
def test_a_body_of_another_content_type(shared: Instance, kind: str, content_type: str) -> None:
    headers = {"Content-Type": content_type}
    answer = shared.post(f"{base(kind)}/create.json", content=b"{}", headers=headers)
    code, message = refusal(answer)
    assert code == "612"
    assert content_type in message


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/bulk/v1/leads/export/create.json"),
        ("GET", f"/bulk/v1/leads/export/{UNKNOWN_ID}/enqueue.json"),
        ("GET", f"/bulk/v1/activities/export/{UNKNOWN_ID}/cancel.json"),
        ("POST", f"/bulk/v1/activities/export/{UNKNOWN_ID}/status.json"),
        ("POST", f"/bulk/v1/leads/export/{UNKNOWN_ID}/file.json"),
        ("POST", "/bulk/v1/leads/export.json"),
        ("DELETE", "/bulk/v1/leads/export.json"),
        ("PUT", TOKEN),
    ],
)
def test_another_method(shared: Instance, method: str, path: str) -> None:
    message = f"Request method '{method}' not supported for {path}"
    assert refusal(shared.call(method, path)) == ("605", message)


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/bulk",
        "/bulk/v1/leads/export/create",
        "/bulk/v1/leads/export/create.json/",
        "/bulk/v1/Leads/export.json",
        "/bulk/v1/opportunities/export.json",
        "/bulk/v2/leads/export.json",
        "/identity/oauth/token/",
        "/identity",
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_another_path(shared: Instance, method: str, path: str) -> None:
    message = f"Requested resource not found: {path}"
    assert refusal(shared.call(method, path)) == ("610", message)


@pytest.mark.parametrize(
    ("kind", "body", "parameter"),
    [
        ("leads", {"filter": LEADS["filter"]}, "fields"),
        ("leads", {"fields": ["id"]}, "filter"),
        ("leads", {"fields": ["id"], "filter": {"createdAt": None}}, "filter.createdAt"),
        ("activities", {}, "filter"),
        ("activities", {"filter": {}}, "filter.createdAt"),
        ("activities", {"filter": {"activityTypeIds": [1]}}, "filter.createdAt"),
    ],
)
def test_a_missing_parameter(
    shared: Instance, kind: str, body: dict[str, Any], parameter: str
) -> None:
    answer = shared.post(f"{base(kind)}/create.json", json=body)
    assert refusal(answer) == ("1002", f"Missing value for required parameter '{parameter}'")


def test_a_parameter_of_a_wrong_type(shared: Instance) -> None:
    answer = shared.create(fields="id")
    message = "Invalid value 'id' for parameter 'fields'. Required of type 'array'"
    assert refusal(answer) == ("1001", message)


@pytest.mark.parametrize(
    ("kind", "field"), [("leads", "favouriteColour"), ("leads", "ID"), ("activities", "id")]
)
def test_an_unknown_field(shared: Instance, kind: str, field: str) -> None:
    answer = shared.create(kind, fields=[field])
    assert refusal(answer) == ("1006", f"Field '{field}' not found")


# Files that are not there


class TestMissingFile:
    @pytest.mark.parametrize("state", ["Created", "Queued", "Processing", "Cancelled"])
    def test_of_a_job_that_is_not_completed(self, instance: Instance, state: str) -> None:
        export_id = instance.created()
        if state in ("Queued", "Processing"):
            instance.enqueue(export_id)
        if state == "Processing":
            instance.claim()
        if state == "Cancelled":
            instance.cancel(export_id)
        assert only(instance.status(export_id))["status"] == state
        self.is_missing(instance, export_id)

    def test_of_another_user_or_kind(self, instance: Instance) -> None:
        export_id = str(instance.completed()["exportId"])
        self.is_missing(instance, export_id, user="writer")
        self.is_missing(instance, export_id, kind="activities")
        assert instance.file(export_id).status_code == 200

    @pytest.mark.parametrize("export_id", [UNKNOWN_ID, "1", "not-a-uuid", "%00", "\N{SNOWMAN}"])
    def test_of_an_id_of_no_job(self, shared: Instance, export_id: str) -> None:
        self.is_missing(shared, export_id)

    def is_missing(
        self, instance: Instance, export_id: str, *, kind: str = "leads", user: str = "etl"
    ) -> None:
        answer = instance.file(export_id, kind, user=user)
        assert answer.status_code == 404
        assert answer.headers["Content-Type"].startswith("text/plain")
        assert answer.text


def test_a_job_of_another_user_or_kind_is_not_there(instance: Instance) -> None:
    export_id = instance.created()
    unknown = ("1003", f"Export job '{export_id}' not found")
    for call in (instance.status, instance.enqueue, instance.cancel):
        assert refusal(call(export_id, user="writer")) == unknown
        assert refusal(call(export_id, "activities")) == unknown
        assert refusal(call(UNKNOWN_ID))[0] == "1003"
    assert only(instance.status(export_id))["status"] == "Created"
