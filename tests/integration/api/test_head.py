"""HEAD on a file shows the headers of GET, and has no body."""

import pytest
from tests.support.instance import UNKNOWN_ID, Instance, base


@pytest.fixture(scope="module")
def completed(shared: Instance) -> str:
    return str(shared.completed()["exportId"])


def path_of(export_id: str) -> str:
    return f"{base('leads')}/{export_id}/file.json"


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Range": "bytes=0-9"},
        {"Range": "bytes=99999999-"},
        {"Range": "bytes=0-9", "If-Range": '"other"'},
        {"If-None-Match": '"other"'},
    ],
)
def test_the_headers_are_those_of_the_whole_file(
    shared: Instance, completed: str, headers: dict[str, str]
) -> None:
    got = shared.get(path_of(completed))
    shown = shared.call("HEAD", path_of(completed), headers=headers)
    assert shown.status_code == got.status_code == 200
    assert shown.content == b""
    names = ("content-length", "content-type", "etag", "accept-ranges")
    assert [shown.headers[name] for name in names] == [got.headers[name] for name in names]
    assert int(shown.headers["content-length"]) == len(got.content) > 0
    assert "content-range" not in shown.headers


def test_a_tag_that_the_client_has_is_304(shared: Instance, completed: str) -> None:
    tag = shared.call("HEAD", path_of(completed)).headers["etag"]
    for method in ("GET", "HEAD"):
        answer = shared.call(method, path_of(completed), headers={"If-None-Match": tag})
        assert (answer.status_code, answer.content) == (304, b"")
        assert answer.headers["etag"] == tag


def test_an_empty_file(shared: Instance) -> None:
    window = {"startAt": "2001-01-01T00:00:00Z", "endAt": "2001-01-02T00:00:00Z"}
    job = shared.completed(filter={"createdAt": window}, format="JSONL")
    shown = shared.call("HEAD", path_of(job["exportId"]))
    assert (shown.status_code, shown.headers["content-length"]) == (200, "0")


@pytest.mark.parametrize("export_id", [UNKNOWN_ID, "no-uuid"])
def test_a_file_that_does_not_exist_is_404(shared: Instance, export_id: str) -> None:
    got, shown = (shared.call(method, path_of(export_id)) for method in ("GET", "HEAD"))
    assert got.status_code == shown.status_code == 404
    assert shown.content == b""
    for name in ("content-length", "content-type"):
        assert shown.headers[name] == got.headers[name]


def test_a_file_of_another_user_is_404(shared: Instance, completed: str) -> None:
    assert shared.call("HEAD", path_of(completed), user="writer").status_code == 404


def test_a_job_that_is_not_completed_is_404(shared: Instance) -> None:
    assert shared.call("HEAD", path_of(shared.created())).status_code == 404


def test_a_call_is_counted_like_a_get(instance: Instance) -> None:
    export_id = instance.completed()["exportId"]

    def total() -> int:
        counted: int = instance.get("/rest/v1/stats/usage.json").json()["result"][0]["total"]
        return counted

    before = total()
    assert instance.call("HEAD", path_of(export_id)).status_code == 200
    assert total() == before + 2  # with the call that asked before
