"""The published description is one, and says of each call what is true.

`tests.support.instance` holds every answer of every in-process test against it.
"""

import inspect
import re
from collections.abc import Iterator, Mapping
from copy import deepcopy
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages
from typing import Any

import pytest
from starlette.datastructures import Headers
from starlette.routing import Route
from tests.support.description import Description
from tests.support.instance import BODIES, TOKEN, USERS, WINDOW, Instance, base, refusal

from outhaul import api
from outhaul.errors import Error
from outhaul.kinds import KINDS
from outhaul.protocol.parameters import Parameter

PAGING_TOKEN = "/rest/v1/activities/pagingtoken.json"
SERVED_WITHOUT_DESCRIPTION = {"/docs", "/openapi.json"}
NUL = "1\0"


@pytest.fixture(scope="module")
def content(shared: Instance) -> dict[str, Any]:
    return dict(shared.client.get("/openapi.json").json())


def operations(content: Mapping[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in content["paths"].items():
        for method, operation in methods.items():
            yield method.upper(), path, operation


def parameters(operation: Mapping[str, Any], where: str = "query") -> dict[str, dict[str, Any]]:
    return {entry["name"]: entry for entry in operation["parameters"] if entry["in"] == where}


def test_names_of_operations_are_unique(content: dict[str, Any]) -> None:
    names = [operation["operationId"] for _, _, operation in operations(content)]
    assert len(set(names)) == len(names)


def test_everything_that_is_served_is_described(shared: Instance, content: dict[str, Any]) -> None:
    served = {
        (method, route.path)
        for route in shared.routes()
        if isinstance(route, Route)
        for method in route.methods or ()
        if route.path not in SERVED_WITHOUT_DESCRIPTION
    }
    described = {(method, path) for method, path, _ in operations(content)}
    assert described <= served
    refused = {(method, path) for path in ("/healthz", "/readyz") for method in OTHERS}
    assert served - described == refused


OTHERS = ("POST", "PUT", "PATCH", "DELETE", "OPTIONS")


def test_paths_have_the_parameters_that_they_name(content: dict[str, Any]) -> None:
    for _, path, operation in operations(content):
        assert set(re.findall(r"\{(\w+)\}", path)) == set(parameters(operation, "path"))


def test_no_call_is_answered_422(content: dict[str, Any]) -> None:
    for _, path, operation in operations(content):
        assert {"200", "413", "414"} <= set(operation["responses"]), path
        assert "422" not in operation["responses"]


def test_calls_that_need_a_token_say_so(shared: Instance, content: dict[str, Any]) -> None:
    """Those that do not say it are answered without one."""
    schemes = content["components"]["securitySchemes"]
    assert (schemes["bearer"]["type"], schemes["bearer"]["scheme"]) == ("http", "bearer")
    assert (schemes["access_token"]["in"], schemes["access_token"]["name"]) == (
        "query",
        "access_token",
    )
    for method, path, operation in operations(content):
        # An answer to HEAD has no body to tell by.
        asked = "GET" if method == "HEAD" else method
        answer = shared.call(asked, filled(path), user=None, params={"_method": "GET"})
        missing = '"code":"603"' in answer.text
        assert missing == ("security" in operation), (method, path)
        if missing:
            assert operation["security"] == [{"bearer": []}, {"access_token": []}]


def test_codes_of_errors_are_those_of_the_table(content: dict[str, Any]) -> None:
    codes = content["components"]["schemas"]["CallError"]["properties"]["code"]["enum"]
    assert set(codes) == {row.code for row in Error}


@pytest.mark.parametrize("kind", list(KINDS.values()), ids=list(KINDS))
def test_a_create_call_has_the_filters_of_its_kind(
    shared: Instance, content: dict[str, Any], kind: Any
) -> None:
    create = content["paths"][f"/bulk/v1/{kind.path}/export/create.json"]["post"]
    body = create["requestBody"]["content"]["application/json"]["schema"]
    assert set(body["properties"]) == {"filter", "fields", "columnHeaderNames", "format"}
    one, several = body["properties"]["filter"]["anyOf"]
    filters = {entry.name: entry.shape for entry in kind.filters}
    assert one["properties"] == several["items"]["properties"] == filters
    path = kind.path.replace("{apiName}", "boat_c")
    wanted = BODIES[path]
    assert set(wanted) <= set(body["properties"])
    given = {key: value for key, value in wanted.items() if key in body["required"]}
    shared.created(path, **given)
    for name in body["required"]:
        less = {key: value for key, value in given.items() if key != name}
        answer = shared.post(f"{base(path)}/create.json", json=less)
        assert refusal(answer)[0] == "1002"


# Parameters


def modules() -> Iterator[Any]:
    for found in walk_packages(api.__path__, "outhaul.api."):
        yield import_module(found.name)


def test_every_declared_parameter_is_described(content: dict[str, Any]) -> None:
    """A call can only read declared ones, as the next test has it."""
    declared = {
        (entry.name, entry.location)
        for module in modules()
        for value in vars(module).values()
        for entry in (value if isinstance(value, tuple) else (value,))
        if isinstance(entry, Parameter)
    }
    described = {
        (name, where)
        for _, _, operation in operations(content)
        for where in ("query", "path", "header")
        for name in parameters(operation, where)
    }
    assert ("batchSize", "query") in declared
    assert declared <= described


def test_calls_that_read_more_than_look_ups_do_have_their_parameters(
    content: dict[str, Any],
) -> None:
    for kind in KINDS.values():
        listing = content["paths"][f"/bulk/v1/{kind.path}/export.json"]["get"]
        assert set(parameters(listing)) == {"status", "batchSize", "nextPageToken"}
        file = content["paths"][f"/bulk/v1/{kind.path}/export/{{exportId}}/file.json"]["get"]
        assert set(parameters(file, "header")) == {"Range", "If-Range", "If-None-Match"}
    credentials = {"grant_type", "client_id", "client_secret"}
    for method in ("get", "post"):
        assert set(parameters(content["paths"][TOKEN][method])) == credentials


def test_parameters_are_read_by_their_declarations() -> None:
    """A call reads no parameter by a name of its own."""
    sources = [Path(inspect.getfile(module)).read_text("utf-8") for module in modules()]
    reads = [
        read
        for source in sources
        for read in re.findall(r"query_params\.\w+\([^)]*\)|given\.get\([^)]*\)", source)
    ]
    assert len(reads) > 5
    assert [read for read in reads if '"' in read.partition(",")[0]] == [
        'query_params.get("access_token")'
    ]


def test_every_described_parameter_is_read(shared: Instance, content: dict[str, Any]) -> None:
    """A value that no parameter takes is refused by name, once all that comes first is there."""
    unread = []
    for method, path, operation in operations(content):
        if method != "GET" or path in (TOKEN, "/healthz", "/readyz"):
            continue
        known = parameters(operation)
        for name in known:
            given = {other: NEEDED[other] for other in known if other in NEEDED and other != name}
            if "filterType" in known and name != "filterType":
                given |= {"filterType": "id", **FILTERS.get(path, {})}
            if name in ("startAt", "endAt"):
                given |= {**WINDOW, "filterType": "updatedAt"}
            if name == "nextPageToken" or "nextPageToken" not in known:
                given.pop("nextPageToken", None)
            elif known["nextPageToken"]["required"]:
                since = {"sinceDatetime": WINDOW["startAt"]}
                found = shared.get(PAGING_TOKEN, params=since).json()
                given["nextPageToken"] = found["nextPageToken"]
            user = user_of(operation)
            answer = shared.get(filled(path), user=user, params={**given, name: NUL}).json()
            if answer["success"] or f"'{name}'" not in answer["errors"][0]["message"]:
                unread.append((path, name, answer))
    assert unread == []


NEEDED = {
    "activityTypeIds": "1",
    "fields": "email",
    "filterValues": "1001",
    "name": "x",
    "sinceDatetime": WINDOW["startAt"],
    "tagType": "x",
    "tagValue": "x",
}
"""What calls cannot do without, or look at before another parameter."""


FILTERS = {
    "/rest/v1/programs/{programId}/members.json": {"filterType": "leadId", "fields": "leadId"},
    "/rest/v1/customobjects/{customObjectName}.json": {"filterType": "leadId", "fields": "rig"},
}
"""The filters of calls that need others."""


def user_of(operation: Mapping[str, Any]) -> str | None:
    """Return a user who may make a call."""
    _, _, listed = operation["description"].partition("Needs one of the permissions ")
    areas = {*listed.rstrip(".").split(", ")}
    return next((name for name, known in USERS.items() if areas & {*known}), "etl")


def filled(path: str) -> str:
    for name, value in (("apiName", "boat_c"), ("customObjectName", "boat_c")):
        path = path.replace(f"{{{name}}}", value)
    return re.sub(r"\{\w+\}", "1001", path)


# What the checks of the suite notice


def test_an_answer_that_is_not_as_described_is_noticed(content: dict[str, Any]) -> None:
    """Each change of the description makes the answer of a call one that it does not have."""
    path = f"{base('leads')}/x/status.json"
    template = f"{base('leads')}/{{exportId}}/status.json"
    headers = Headers({"content-type": "application/json;charset=UTF-8"})
    body = (
        b'{"requestId":"a#1","result":[{"exportId":"x","format":"CSV","status":"Queued",'
        b'"createdAt":"2026-01-31T00:00:00Z","queuedAt":"2026-01-31T00:00:01Z"}],"success":true}'
    )
    Description(content).check("GET", path, 200, headers, body)

    def renamed(broken: dict[str, Any]) -> None:
        job = broken["components"]["schemas"]["ExportJob"]["properties"]
        job["queuedOn"] = job.pop("queuedAt")

    def without_status(broken: dict[str, Any]) -> None:
        del broken["paths"][template]["get"]["responses"]["200"]

    def without_call(broken: dict[str, Any]) -> None:
        del broken["paths"][template]["get"]

    def of_another_type(broken: dict[str, Any]) -> None:
        job = broken["components"]["schemas"]["ExportJob"]["properties"]
        job["format"] = {"type": "integer"}

    def in_text(broken: dict[str, Any]) -> None:
        reply = broken["paths"][template]["get"]["responses"]["200"]
        reply["content"] = {"text/plain": {}}

    def with_a_header(broken: dict[str, Any]) -> None:
        reply = broken["paths"][template]["get"]["responses"]["200"]
        reply["headers"] = {"ETag": {"required": True, "schema": {"type": "string"}}}

    for change in (renamed, without_status, without_call, of_another_type, in_text, with_a_header):
        broken = deepcopy(content)
        change(broken)
        with pytest.raises(AssertionError):
            Description(broken).check("GET", path, 200, headers, body)
