"""The check of every answer notices what would be wrong."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from tests.support.answers import FILE_TYPE, JSON_TYPE, check
from tests.support.recorder import Call
from tests.support.schemas import MISSING, Contract

Change = Callable[[dict[str, Any]], object]


def _named(headers: dict[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): text for name, text in headers.items()}


def _jobs(*jobs: dict[str, Any]) -> dict[str, Any]:
    return {"requestId": "a#b", "success": True, "result": list(jobs)}


def _job(state: str, **more: Any) -> dict[str, Any]:
    return {
        "exportId": "1",
        "format": "CSV",
        "status": state,
        "createdAt": "2026-01-01T00:00:02Z",
        **more,
    }


def _answer(body: Any, status: int = 200, **headers: str) -> Call:
    """Return a call for a list of jobs; the names of headers have `_` for `-`."""
    return Call(
        method="GET",
        path="/rest/../bulk/v1/leads/export.json?batchSize=300",
        status=status,
        headers={"content-type": JSON_TYPE, **_named(headers)},
        body=json.dumps(body).encode(),
    )


def _file(status: int = 200, **headers: str) -> Call:
    plain = {"content-type": FILE_TYPE, "accept-ranges": "bytes", "content-length": "3"}
    return Call(
        method="GET",
        path="/bulk/v1/leads/export/1/file.json",
        status=status,
        headers=plain | _named(headers),
        body=b"id\n",
    )


@pytest.mark.parametrize(
    "call",
    [
        _answer(_jobs()),
        _answer(_jobs(_job("Created"), _job("Queued", queuedAt="2026-01-01T00:00:02Z"))),
        _answer(
            {"requestId": "a#b", "success": False, "errors": [{"code": "603", "message": "m"}]}
        ),
        _file(),
        _file(206, content_range="bytes 5-7/90"),
        _file(404, content_type="text/plain; charset=utf-8"),
    ],
)
def test_answers_as_they_must_be(contract: Contract | None, call: Call) -> None:
    check(call, contract)


@pytest.mark.parametrize(
    "call",
    [
        _answer(_jobs(_job("Created", fileSize=1))),
        _answer(_jobs(_job("Created", queuedAt="2026-01-01T00:00:02Z"))),
        _answer(_jobs(_job("Queued"))),
        _answer(_jobs(_job("Queued", queuedAt="2026-01-01T00:00:01Z"))),
        _answer(_jobs(_job("Completed"))),
        _answer({}, 401),
        _answer(_jobs(), content_type="application/json"),
        _answer(_jobs(), content_length="1"),
        _file(500),
        _file(404),
        _file(content_type="text/csv"),
        _file(content_length="4"),
        _file(accept_ranges="none"),
        _file(206, content_range="bytes 5-8/90"),
        _file(206, content_range="bytes 5-7/7"),
    ],
)
def test_answers_that_break_clients(call: Call) -> None:
    with pytest.raises(AssertionError):
        check(call, None)


@pytest.mark.parametrize(
    "change",
    [
        lambda body: body.pop("result"),
        lambda body: body.update(errors=[]),
        lambda body: body.update(nextPageToken=None),
        lambda body: body["result"][0].update(createdAt="yesterday"),
        lambda body: body["result"][0].update(exportId=1),
    ],
)
def test_answers_that_are_not_as_published(contract: Contract | None, change: Change) -> None:
    if contract is None:
        pytest.skip(MISSING)
    body = _jobs(_job("Created"))
    change(body)
    with pytest.raises(AssertionError):
        check(_answer(body), contract)
