"""What careless clients write in a query, a path or a header means the same as the proper form."""

from collections.abc import Mapping
from typing import Any

import pytest
from tests.support.instance import STATIC_LIST, Instance, only, result

SINCE = "/rest/v1/activities/pagingtoken.json"
LIST = STATIC_LIST["id"]


def token(instance: Instance, since: str = "2025-12-01") -> str:
    return str(instance.get(SINCE, params={"sinceDatetime": since}).json()["nextPageToken"])


def answer(instance: Instance, path: str, params: Mapping[str, Any] | None = None) -> Any:
    user = "marketer" if path.startswith("/rest/asset") else "etl"
    found = instance.get(path, params=params, user=user).json()
    assert found["success"], found
    return {name: value for name, value in found.items() if name != "requestId"}


@pytest.mark.parametrize(
    "written",
    [
        "2026-01-01T00:00:00.999Z",
        "2026-01-01T00:00:00.5+00:00",
        "2026-01-01T00:00:00.5 0000",
        " 2026-01-01 00:00:00.123 ",
        "2026-01-01T01:00:00.123456789+0100",
        "2026-01-01T00:00:00Z+0000",
        "2026-01-01",
    ],
)
def test_moments(shared: Instance, written: str) -> None:
    proper = "2026-01-01T00:00:00Z"
    assert token(shared, written) == token(shared, proper)
    for assets in ("programs", "staticLists", "smartLists"):
        path = f"/rest/asset/v1/{assets}.json"
        for name in ("earliestUpdatedAt", "latestUpdatedAt"):
            found = answer(shared, path, {name: written})
            assert found == answer(shared, path, {name: proper})


@pytest.mark.parametrize("shape", ["{}", " {} ", "{}.0", "+{}", "\t{}.000\n"])
@pytest.mark.parametrize(
    ("path", "name", "value"),
    [
        ("activities.json", "activityTypeIds", 2),
        ("activities.json", "listId", LIST),
        ("activities.json", "leadIds", 1),
        ("activities.json", "assetIds", 71),
        ("activities.json", "batchSize", 3),
        ("activities/leadchanges.json", "listId", LIST),
        ("activities/types.json", "offset", 3),
        ("lists.json", "id", LIST),
        ("lists.json", "batchSize", 1),
    ],
)
def test_integers(shared: Instance, path: str, name: str, value: int, shape: str) -> None:
    path = f"/rest/v1/{path}"
    others = {"activityTypeIds": 1, "fields": "email", "nextPageToken": token(shared)}
    if "activities" not in path:
        others = {}
    found = answer(shared, path, {**others, name: shape.format(value)})
    assert found == answer(shared, path, {**others, name: value})


@pytest.mark.parametrize("shape", ["%20{}", "{}.0", "{}%20", "+{}"])
@pytest.mark.parametrize(
    ("path", "number"),
    [
        ("/rest/v1/lead/{}.json", 1001),
        ("/rest/v1/lists/{}.json", LIST),
        ("/rest/v1/lists/{}/leads.json", LIST),
        ("/rest/asset/v1/staticList/{}.json", LIST),
        ("/rest/asset/v1/program/{}.json", 1004),
    ],
)
def test_ids_in_paths(shared: Instance, path: str, number: int, shape: str) -> None:
    found = answer(shared, path.format(shape.format(number)))
    assert found == answer(shared, path.format(number))


@pytest.mark.parametrize("written", ["true", "TRUE", " true ", "1"])
def test_booleans(shared: Instance, written: str) -> None:
    path = "/rest/v1/campaigns.json"
    found, proper = (
        result(shared.get(path, params={"isTriggerable": text}, user="marketer"))
        for text in (written, "true")
    )
    assert found == proper


def test_jobs_and_their_list(shared: Instance) -> None:
    export_id = shared.created()
    assert only(shared.status(f"%20{export_id}%20"))["exportId"] == export_id
    proper = result(shared.jobs(params={"status": "Created", "batchSize": "300"}))
    assert result(shared.jobs(params={"status": " created , ", "batchSize": " 300.0 "})) == proper


@pytest.mark.parametrize(
    "shape", ["Bearer {}", "Bearer{}", "bearer {}", "BEARER  {}", "  bearer\t {} ", "bearer{}"]
)
def test_tokens_in_the_header(shared: Instance, shape: str) -> None:
    headers = [(b"authorization", shape.format(shared.token("etl")).encode())]
    assert shared.raw("GET", "/bulk/v1/leads/export.json", headers=headers).json()["success"]


@pytest.mark.parametrize(
    "shape", ["{}", "Basic {}", "Bear {}", "Token {}", "", "Bearer", "Bearer "]
)
def test_other_headers_have_no_token(shared: Instance, shape: str) -> None:
    headers = [(b"authorization", shape.format(shared.token("etl")).encode())]
    found = shared.raw("GET", "/bulk/v1/leads/export.json", headers=headers).json()
    assert found["errors"][0]["code"] == "603"
