"""What a mirror serves is what the original serves, byte for byte."""

from collections.abc import Mapping
from typing import Any

from tests.support.instance import WINDOW
from tests.support.mirroring import Endpoint, Side, mirror

MIDDLE = {"startAt": "2026-01-01T00:00:00Z", "endAt": "2026-01-10T23:59:59Z"}


def requests(endpoint: Endpoint) -> dict[str, tuple[str, Mapping[str, Any]]]:
    """Return requests of every kind, by name."""
    fields = [entry["rest"]["name"] for entry in _result(endpoint, "/rest/v1/leads/describe.json")]
    boat = _result(endpoint, "/rest/v1/customobjects/boat_c/describe.json")[0]
    recent = {"startAt": "2026-01-01T00:00:00Z", "endAt": "2026-01-31T00:00:00Z"}
    return {
        "leads": ("leads", {"fields": fields, "filter": {"createdAt": WINDOW}}),
        "leads of a list": ("leads", {"filter": {"staticListId": 1001}}),
        "activities": ("activities", {"filter": {"createdAt": WINDOW}}),
        "activities of types": (
            "activities",
            {"filter": {"createdAt": MIDDLE, "activityTypeIds": [1, 37, 104]}},
        ),
        "members": (
            "program/members",
            {"fields": ["leadId", "statusName", "email"], "filter": {"programId": 1004}},
        ),
        "objects": (
            "customobjects/boat_c",
            {
                "fields": [field["name"] for field in boat["fields"]],
                "filter": {"updatedAt": recent},
            },
        ),
    }


def _result(endpoint: Endpoint, path: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = endpoint.instance.get(path).json()["result"]
    return found


def assert_same(endpoint: Endpoint, copy: Side) -> None:
    """Assert that the original and its copy export the same, and describe themselves alike."""
    with copy.served() as other:
        wanted = requests(endpoint)
        assert wanted == requests(other)
        for name, (kind, request) in wanted.items():
            assert endpoint.file(kind, **request) == other.file(kind, **request), name
        other.close()


def test_a_mirror_serves_the_same(endpoint: Endpoint, copy: Side) -> None:
    summary = mirror(endpoint, copy)
    assert (summary.outcome, summary.errors) == ("complete", [])
    assert_same(endpoint, copy)
    assert not [code for _, _, code in endpoint.seen if code]
