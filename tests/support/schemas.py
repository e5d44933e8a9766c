"""The published shapes of answers, against which tests hold every answer of ours."""

import json
import re
from collections.abc import Mapping
from copy import deepcopy
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft4Validator, FormatChecker
from tests.support.paths import PROTOCOL

from outhaul.api.lookups.memberships import MEMBERSHIPS
from outhaul.api.lookups.stored import PATH as STORED
from outhaul.api.lookups.unstored import UNSTORED
from outhaul.api.stats import LIMITS

MISSING = "the published shapes of answers are not in ../shared"

# Real answers leave out what is empty, whatever the extract requires (README of the folder); an
# activity type need not have a primary attribute (clients.md, answers).
OFTEN_LEFT_OUT = {"errors", "primaryAttribute", "result", "warnings"}

# Look-ups that clients call and no extract describes. Our own description has their shapes.
UNDESCRIBED = (
    "/rest/v1/customobjects/{customObjectName}.json",
    "/rest/v1/programs/{programId}/members.json",
    "/rest/asset/v1/program/byTag.json",
    "/rest/asset/v1/smartCampaigns.json",
    "/rest/asset/v1/smartCampaign/byName.json",
    "/rest/asset/v1/smartCampaign/{id}.json",
    *(lookup.path for lookup in (*MEMBERSHIPS, *UNSTORED)),
)

# Calls that only outhaul has. Our own description has their shapes, too.
OWN = (LIMITS, STORED)

# What load balancers ask: no calls of the protocol.
HEALTH = {("GET", "/healthz"), ("GET", "/readyz")}

# These find nothing by themselves.
NO_RESULT = {"/rest/v1/activities/pagingtoken.json"}

# Other pages of the contract have these paths, with answers of the same shape.
ALIASES = {
    "/rest/v1/list/{listId}/leads.json": "/rest/v1/lists/{listId}/leads.json",
    "/rest/v1/leads/programs/{programId}.json": "/rest/v1/lists/{listId}/leads.json",
}

# The value of an attribute is said to be an object, and is a text or a number in all examples.
ANY_VALUE = {"name": {"type": "string"}, "value": {}}

# A usage `date` is a moment in the extract, and a day in the page "Usage", which is newer.
DAYS = {"UsageData", "ErrorsData"}
DAY = {"type": "string", "pattern": r"^\d{4}-\d\d-\d\d$"}

ASSETS = "/rest/asset/"
NO_ASSETS = "No assets found for the given search criteria."

_FORMATS = FormatChecker(formats=())


def _is_instant(value: object) -> bool:
    if not isinstance(value, str):
        return True
    # That is how the dates of assets end (clients.md, answers).
    return datetime.fromisoformat(value.replace("Z+0000", "Z")).tzinfo is not None


_FORMATS.checks("date-time", raises=ValueError)(_is_instant)


class Contract:
    """The paths and definitions of the Swagger extracts."""

    def __init__(self, folder: Path = PROTOCOL) -> None:
        self._operations: dict[tuple[str, str], Draft4Validator] = {}
        for path in sorted(folder.glob("*.schema.json")):
            self._add(json.loads(path.read_text("utf-8")))
        for alias, original in ALIASES.items():
            self._operations["GET", alias] = self._operations["GET", original]
        error = {"type": "object", "required": ["error", "error_description"]}
        self._oauth_error = Draft4Validator(_closed(error, "error", "error_description"))

    def operations(self) -> set[tuple[str, str]]:
        """Return method and path of every call, with names in braces for what varies."""
        return set(self._operations)

    def check(self, method: str, path: str, status: int, body: Any) -> None:
        """Raise `AssertionError` where the JSON answer of a call is not of its published shape."""
        __tracebackhide__ = True
        assert isinstance(body, dict)
        if path.startswith("/identity/") and "success" not in body:
            self._check_identity(method, path, status, body)
            return
        assert isinstance(body.get("requestId"), str)
        if body.get("success") is True:
            assert status == 200
            if path.startswith(ASSETS):
                _is_about_assets(body)
            else:
                assert ("result" in body) != (path in NO_RESULT)
                assert "errors" not in body
            operation = self._operation(method, path)
            if operation is None and any(
                _pattern(template).fullmatch(path) for template in (*UNDESCRIBED, *OWN)
            ):
                return
            assert operation is not None, f"{method} {path} is no call of the protocol"
            _fits(operation, body)
        else:
            # An error answer holds these three and nothing else (clients.md, answers).
            assert set(body) == {"requestId", "success", "errors"}, body
            assert body["success"] is False
            assert body["errors"]
            for error in body["errors"]:
                assert set(error) == {"code", "message"}, error
                assert isinstance(error["code"], str)
                assert isinstance(error["message"], str)

    def _check_identity(self, method: str, path: str, status: int, body: Any) -> None:
        if status == 200:
            operation = self._operation(method, path)
            assert operation is not None, f"{method} {path} is no call of the protocol"
            _fits(operation, body)
        else:
            assert status in (400, 401)
            _fits(self._oauth_error, body)

    def _operation(self, method: str, path: str) -> Draft4Validator | None:
        for (known, template), validator in self._operations.items():
            if known == method and _pattern(template).fullmatch(path):
                return validator
        # A look-up can be a POST that says `_method=GET`.
        return self._operation("GET", path) if method == "POST" else None

    def _add(self, extract: Mapping[str, Any]) -> None:
        definitions = deepcopy(extract["definitions"])
        definitions.get("Attribute", {}).get("properties", {}).update(ANY_VALUE)
        for name in DAYS & set(definitions):
            definitions[name]["properties"]["date"] = DAY
        for definition in definitions.values():
            required = set(definition.pop("required", ())) - OFTEN_LEFT_OUT
            if required:
                definition["required"] = sorted(required)
            if "success" in definition.get("properties", ()):
                definition["additionalProperties"] = False
        for path, methods in extract["paths"].items():
            for method, operation in methods.items():
                reference = operation["responses"]["200"].get("schema", {})
                schema = {"definitions": definitions, "allOf": [reference]}
                validator = Draft4Validator(schema, format_checker=_FORMATS)
                self._operations[method.upper(), path] = validator


def _is_about_assets(body: Mapping[str, Any]) -> None:
    __tracebackhide__ = True
    assert body["errors"] == []
    if "result" in body:
        assert body["result"]
        assert body["warnings"] == []
        for name in ("createdAt", "updatedAt"):
            assert all(entry[name].endswith("Z+0000") for entry in body["result"])
    else:
        assert body["warnings"] == [NO_ASSETS]


def _fits(validator: Draft4Validator, body: Any) -> None:
    __tracebackhide__ = True
    wrong = [f"{error.json_path}: {error.message}" for error in validator.iter_errors(body)]
    assert not wrong, "\n".join(wrong)


def _closed(schema: Mapping[str, Any], *properties: str) -> Mapping[str, Any]:
    named = {name: {"type": "string"} for name in properties}
    return {**schema, "properties": named, "additionalProperties": False}


@cache
def _pattern(template: str) -> re.Pattern[str]:
    pieces = re.split(r"\{\w+\}", template)
    return re.compile("[^/]+".join(map(re.escape, pieces)))
