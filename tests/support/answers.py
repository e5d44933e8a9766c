"""What every answer must be beyond its published shape: what real clients need.

The rules are those of `clients.md`, in the folder of the protocol's schemas.
"""

import gzip
import json
import posixpath
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from tests.support.recorder import Call
from tests.support.schemas import Contract

JSON_TYPE = "application/json;charset=UTF-8"
FILE_TYPE = "text/csv;charset=UTF-8"
TEXT_TYPE = "text/plain"

ALWAYS = {"exportId", "format", "status", "createdAt"}
TIMES = {"queuedAt", "startedAt", "finishedAt"}
ABOUT_FILE = {"numberOfRecords", "fileSize", "fileChecksum"}
REACHED = {
    "Created": (ALWAYS, ALWAYS),
    "Queued": (ALWAYS | {"queuedAt"}, ALWAYS | {"queuedAt", "startedAt"}),
    "Processing": (ALWAYS | {"queuedAt", "startedAt"}, ALWAYS | {"queuedAt", "startedAt"}),
    "Completed": (ALWAYS | TIMES | ABOUT_FILE, ALWAYS | TIMES | ABOUT_FILE),
    "Failed": (ALWAYS | TIMES | {"errorMsg"}, ALWAYS | TIMES | {"errorMsg"}),
    "Cancelled": (ALWAYS | {"finishedAt"}, ALWAYS | TIMES),
}
"""What a job in a state says at least, and at most: an enqueue answers Queued at any time."""


def check(call: Call, contract: Contract | None) -> None:
    """Raise `AssertionError` where an answer is not as it must be."""
    shown = f"{call.method} {call.path}: {call.status} {dict(call.headers)} {call.body[:2_000]!r}"
    path = posixpath.normpath(urlsplit(call.path).path)
    if "content-length" in call.headers:
        assert int(call.headers["content-length"]) == len(call.body), shown
    content_type = call.headers["content-type"]
    if path.endswith("/file.json") and content_type != JSON_TYPE:
        _check_file(call, shown)
        return
    assert content_type == JSON_TYPE, shown
    if call.status == 401:
        assert "www-authenticate" in call.headers, shown
    compressed = call.headers.get("content-encoding") == "gzip"
    body = json.loads(gzip.decompress(call.body) if compressed else call.body)
    if contract is not None:
        contract.check(call.method, path, call.status, body)
    if path.startswith("/bulk/"):
        for job in body.get("result", ()):
            _check_job(job, shown)


def _check_job(job: Mapping[str, Any], shown: str) -> None:
    least, most = REACHED[job["status"]]
    assert least <= set(job) <= most, shown
    times = [job[name] for name in ("createdAt", "queuedAt", "startedAt") if name in job]
    assert times == sorted(times), shown


def _check_file(call: Call, shown: str) -> None:
    if call.status in (404, 416):
        assert call.headers["content-type"].partition(";")[0] == TEXT_TYPE, shown
        return
    assert call.status in (200, 206), shown
    assert call.headers["content-type"] == FILE_TYPE, shown
    assert call.headers["accept-ranges"] == "bytes", shown
    assert "content-length" in call.headers, shown
    if call.status == 200:
        assert call.body.endswith(b"\n"), shown
        return
    match = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+)", call.headers["content-range"])
    assert match, shown
    first, last, size = map(int, match.groups())
    assert last - first + 1 == len(call.body), shown
    assert last < size, shown
