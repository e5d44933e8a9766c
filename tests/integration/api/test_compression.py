"""Answers under /rest are compressed from a size on, if the client accepts it."""

import gzip
import json
from typing import Any

import pytest
from tests.support.instance import Instance, RawAnswer, Serve, base

from outhaul.accounts.subscriptions import override_limits

TYPES = "/rest/v1/activities/types.json"
LISTS = "/rest/v1/lists.json"


def ask(instance: Instance, path: str, accepted: bytes | None = b"gzip", **call: Any) -> RawAnswer:
    headers = [] if accepted is None else [(b"accept-encoding", accepted)]
    return instance.raw(call.pop("method", "GET"), path, headers=headers, **call)


def content(answer: RawAnswer) -> Any:
    """Return what the answer says, and hold its headers against it."""
    assert int(answer.headers["content-length"]) == len(answer.body)
    compressed = answer.headers.get("content-encoding") == "gzip"
    found = json.loads(gzip.decompress(answer.body) if compressed else answer.body)
    return {name: value for name, value in found.items() if name != "requestId"}


@pytest.mark.parametrize("accepted", [b"gzip", b"gzip, deflate, br", b"br;q=1, gzip;q=0.1", b"*"])
def test_a_large_answer(shared: Instance, accepted: bytes) -> None:
    plain, small = ask(shared, TYPES, None), ask(shared, TYPES, accepted)
    assert "content-encoding" not in plain.headers
    assert small.headers["content-encoding"] == "gzip"
    assert small.headers["content-type"] == "application/json;charset=UTF-8"
    assert len(small.body) < len(plain.body) / 4
    assert content(small) == content(plain)
    assert [answer.headers["vary"] for answer in (plain, small)] == ["Accept-Encoding"] * 2


@pytest.mark.parametrize("accepted", [None, b"", b"br", b"gzip;q=0", b"identity, gzip;q=0.5"])
def test_a_client_that_does_not_accept_it(shared: Instance, accepted: bytes | None) -> None:
    answer = ask(shared, TYPES, accepted)
    assert "content-encoding" not in answer.headers
    assert content(answer)["success"]


def test_several_headers_count_together(shared: Instance) -> None:
    headers = [(b"accept-encoding", b"br"), (b"accept-encoding", b"gzip")]
    assert shared.raw("GET", TYPES, headers=headers).headers["content-encoding"] == "gzip"


def test_the_size_from_which_on(serve: Serve) -> None:
    instance = serve()
    size = len(ask(instance, LISTS, None).body)
    for least, compressed in ((size, True), (size + 1, False), (0, True), (None, False)):
        override_limits(instance.database, "default", {"gzip_bytes": least})
        answer = ask(instance, LISTS)
        assert ("content-encoding" in answer.headers) == compressed
        assert content(answer)["success"]


def test_the_default_is_1024_bytes(serve: Serve) -> None:
    instance = serve()
    for padding in range(1_000, 1_100):
        path = f"/rest/{'x' * (padding - len('/rest/'))}"
        plain, answer = ask(instance, path, None), ask(instance, path)
        assert len(plain.body) == len(answer.body) or "content-encoding" in answer.headers
        assert ("content-encoding" in answer.headers) == (len(plain.body) >= 1_024)


def test_an_error_of_a_caller_who_is_not_known(shared: Instance) -> None:
    answer = ask(shared, "/rest/" + "x" * 2_000, user=None)
    assert answer.headers["content-encoding"] == "gzip"
    assert content(answer)["errors"][0]["code"] == "610"


def test_a_look_up_by_post(shared: Instance) -> None:
    answer = ask(shared, TYPES, method="POST", query=b"_method=GET")
    assert answer.headers["content-encoding"] == "gzip"
    assert content(answer) == content(ask(shared, TYPES, None))


def test_bulk_calls_and_tokens_are_never_compressed(serve: Serve) -> None:
    instance = serve(gzip_bytes=0)
    export_id = instance.completed("activities")["exportId"]
    for path in (
        f"{base('activities')}/{export_id}/file.json",
        f"{base('activities')}/{export_id}/status.json",
        f"{base('activities')}.json",
        "/rest/../bulk/v1/activities/export.json",
        "/identity/oauth/token",
        "/openapi.json",
    ):
        answer = ask(instance, path)
        assert "content-encoding" not in answer.headers, path
        assert "vary" not in answer.headers, path
