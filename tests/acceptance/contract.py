"""What every answer must be: the published schemas, and what real clients need beyond them.

The schemas are in `../shared/protocol`, and so is `clients.md`, where the other rules are from.
"""

import json
import posixpath
import re
from collections.abc import Iterator, Mapping
from copy import deepcopy
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from jsonschema import Draft4Validator, FormatChecker

from .recorder import Call

SHARED = Path(__file__).parents[3] / "shared"
PROTOCOL = SHARED / "protocol"

JSON_TYPE = "application/json;charset=UTF-8"
FILE_TYPE = "text/csv;charset=UTF-8"
TEXT_TYPE = "text/plain"

# Real answers leave out what is empty.
_LEFT_OUT = {"errors", "result", "warnings"}
_TIMES = {"queuedAt", "startedAt", "finishedAt"}
_ABOUT_FILE = {"numberOfRecords", "fileSize", "fileChecksum"}
_STATES = {"Created", "Queued", "Processing", "Completed", "Failed", "Cancelled"}
_FORMATS = FormatChecker(formats=())


@_FORMATS.checks("date-time", raises=ValueError)  # type: ignore[untyped-decorator]
def _is_instant(value: object) -> bool:
    if isinstance(value, str):
        datetime.strptime(value, "%Y-%m-%dT%H:%M:%S%z")
    return True


class Contract:
    """The published schemas, as far as they are at hand."""

    def __init__(self, folder: Path) -> None:
        self._operations = [
            (method, _pattern(path), validator)
            for name in ("identity", "bulk-and-lead-database")
            if (file := folder / f"{name}.schema.json").exists()
            for method, path, validator in _operations(json.loads(file.read_text("utf-8")))
        ]

    def check(self, call: Call) -> None:
        """Raise `AssertionError` where an answer is not as it must be."""
        path = posixpath.normpath(urlsplit(call.path).path)
        shown = f"{call.method} {call.path}: {call.status} {dict(call.headers)}"
        if length := call.headers.get("content-length"):
            assert int(length) == len(call.body), shown
        if path.endswith("/file.json") and call.headers["content-type"] != JSON_TYPE:
            _check_file(call, shown)
            return
        assert call.headers["content-type"] == JSON_TYPE, shown
        body = json.loads(call.body)
        shown = f"{shown} {json.dumps(body)[:2_000]}"
        if call.status == 401:
            assert set(body) == {"error", "error_description"}, shown
            assert "www-authenticate" in call.headers, shown
            return
        if path.startswith("/identity/"):
            assert call.status == 200, shown
        else:
            _check_envelope(call.status, body, shown)
            for job in body.get("result", ()):
                _check_job(job, shown)
        self._check_schema(call.method, path, body, shown)

    def _check_schema(self, method: str, path: str, body: Any, shown: str) -> None:
        fitting = [
            validator
            for of, pattern, validator in self._operations
            if of == method and pattern.fullmatch(path)
        ]
        known = fitting or not self._operations or body.get("success") is False
        assert known, f"no such operation is published: {shown}"
        for validator in fitting:
            problems = [error.message for error in validator.iter_errors(body)]
            assert not problems, f"{problems}: {shown}"


def _check_file(call: Call, shown: str) -> None:
    """Check the answer to a call for a file."""
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
    ends = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+)", call.headers["content-range"])
    assert ends, shown
    first, last, size = map(int, ends.groups())
    assert first <= last < size, shown
    assert last - first + 1 == len(call.body), shown


def _check_envelope(status: int, body: Mapping[str, Any], shown: str) -> None:
    assert re.fullmatch(r"[0-9a-f]+#[0-9a-f]+", body["requestId"]), shown
    if body["success"] is True:
        assert status == 200, shown
        assert "result" in body, shown
        assert "errors" not in body, shown
        return
    assert body["success"] is False, shown
    assert set(body) == {"requestId", "success", "errors"}, shown
    assert body["errors"], shown
    assert status in (200, 413, 414), shown


def _check_job(job: Mapping[str, Any], shown: str) -> None:
    """Check that a job says what it has reached, and nothing else."""
    state = job["status"]
    assert state in _STATES, shown
    assert {"exportId", "format", "createdAt"} <= set(job), shown
    ended = {"Completed", "Failed", "Cancelled"}
    assert ("finishedAt" in job) == (state in ended), shown
    assert ("errorMsg" in job) == (state == "Failed"), shown
    assert set(job) & _ABOUT_FILE == (_ABOUT_FILE if state == "Completed" else set()), shown
    if state == "Created":
        assert not set(job) & _TIMES, shown
    if state == "Completed":
        assert set(job) >= _TIMES, shown
    reached = [job[name] for name in ("createdAt", "queuedAt", "startedAt") if name in job]
    assert reached == sorted(reached), shown


def _pattern(path: str) -> re.Pattern[str]:
    return re.compile(r"[^/]+".join(re.escape(part) for part in re.split(r"\{\w+\}", path)))


def _operations(content: Mapping[str, Any]) -> Iterator[tuple[str, str, Any]]:
    """Yield method, path and validator of each operation that a description has."""
    definitions = {
        name: _strict(definition) for name, definition in content["definitions"].items()
    }
    for path, methods in content["paths"].items():
        for method, operation in methods.items():
            schema = operation["responses"]["200"]["schema"]
            validator = Draft4Validator(
                {**schema, "definitions": definitions}
                if "$ref" not in schema
                else {"allOf": [schema], "definitions": definitions},
                format_checker=_FORMATS,
            )
            yield method.upper(), path, validator


def _strict(definition: Mapping[str, Any]) -> dict[str, Any]:
    """Return a definition that allows real answers, and nothing that is not published."""
    strict = deepcopy(dict(definition))
    required = [name for name in strict.pop("required", ()) if name not in _LEFT_OUT]
    if required:
        strict["required"] = required
    if "properties" in strict:
        strict["additionalProperties"] = False
    return strict
