"""The published description of the API, against which tests hold every answer of an instance.

It is our own, so that no other file is needed: `tests.support.schemas` has that of the original.
"""

import json
import posixpath
import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import cache
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker
from starlette.datastructures import Headers

Operation = Mapping[str, Any]

UNDESCRIBED = ("/docs", "/openapi.json")
"""What is served and is no call."""

HEALTH = ("/healthz", "/readyz")

_FORMATS = FormatChecker(formats=())


def _is_instant(value: object) -> bool:
    return not isinstance(value, str) or datetime.fromisoformat(value).tzinfo is not None


_FORMATS.checks("date-time", raises=ValueError)(_is_instant)


class Description:
    """A description, read as its readers read it."""

    def __init__(self, content: Mapping[str, Any]) -> None:
        self.content = content
        self._components = _closed(content["components"])
        self._validators: dict[str, Draft202012Validator] = {}

    def operation(self, method: str, path: str) -> Operation | None:
        """Return what is said of a call; of two paths that fit, the one with fewer variables."""
        fitting = [
            template for template in self.content["paths"] if _pattern(template).fullmatch(path)
        ]
        if not fitting:
            return None
        best = min(fitting, key=lambda template: template.count("{"))
        found: Operation | None = self.content["paths"][best].get(method.lower())
        return found

    def check(self, method: str, path: str, status: int, headers: Headers, body: bytes) -> None:
        """Raise `AssertionError` where the answer of a call is not as described."""
        __tracebackhide__ = True
        path = posixpath.normpath("/" + path.lstrip("/"))
        if path in UNDESCRIBED:
            return
        operation = self.operation(method, path)
        if operation is None:
            self._check_undescribed(path, status, headers, body)
            return
        self._check_reply(operation, status, headers, body, f"{method} {path} {status}")

    def _check_undescribed(self, path: str, status: int, headers: Headers, body: bytes) -> None:
        """A path or a method that is not described is refused."""
        __tracebackhide__ = True
        if path in HEALTH and status == 405:
            assert headers["allow"] == "GET, HEAD"
            return
        if body:  # an answer to HEAD has none
            assert status in (200, 413, 414), (path, status)
            self._fits({"$ref": "#/components/schemas/Failure"}, body)

    def _check_reply(
        self, operation: Operation, status: int, headers: Headers, body: bytes, shown: str
    ) -> None:
        __tracebackhide__ = True
        reply = operation["responses"].get(str(status))
        assert reply is not None, f"{shown}: the status is not described"
        for name in reply.get("headers", ()):
            assert name in headers, f"{shown}: there is no {name}"
        content = reply.get("content", {})
        if not content or not body:
            assert not body or operation["operationId"].endswith("_head"), f"{shown}: {body!r}"
            return
        kind = headers.get("content-type", "").partition(";")[0]
        assert kind in content, f"{shown}: {kind!r} is not described"
        if "schema" in content[kind]:
            self._fits(content[kind]["schema"], body)

    def _fits(self, schema: Mapping[str, Any], body: bytes) -> None:
        __tracebackhide__ = True
        key = json.dumps(schema)
        if key not in self._validators:
            whole = {**schema, "components": self._components}
            self._validators[key] = Draft202012Validator(whole, format_checker=_FORMATS)
        wrong = list(_leaves(self._validators[key].iter_errors(json.loads(body))))
        assert not wrong, "\n".join(wrong)


@cache
def _pattern(template: str) -> re.Pattern[str]:
    return re.compile("[^/]+".join(map(re.escape, re.split(r"\{\w+\}", template))))


def _leaves(errors: Iterable[Any]) -> Iterable[str]:
    for error in errors:
        if error.context:
            yield from _leaves(error.context)
        else:
            yield f"{error.json_path}: {error.message}"


def _closed(schema: Any) -> Any:
    """Return a schema whose objects have the members that it names, and no others.

    A member that the description names in another way would be no error otherwise.
    """
    if isinstance(schema, list):
        return [_closed(entry) for entry in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {name: _closed(entry) for name, entry in schema.items()}
    if isinstance(schema.get("properties"), dict) and schema.get("type") == "object":
        closed.setdefault("additionalProperties", False)
    return closed
