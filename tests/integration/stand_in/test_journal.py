"""The journal of calls, as a client of the control API sees it."""

import json
from typing import Any

import pytest
from tests.support.activities import BODY
from tests.support.stand_in import Bench


def test_the_calls_of_an_extract_are_in_the_journal(bench: Bench) -> None:
    job = bench.queued()
    bench.call("GET", f"/activities/export/{job}/file.json", headers={"Range": "bytes=0-9"})
    token, create, enqueue, file = bench.calls()
    assert [each["call"] for each in (token, create, enqueue, file)] == [
        "token",
        "create",
        "enqueue",
        "file",
    ]
    assert [each["job"] for each in (token, create, enqueue, file)] == [None, job, job, job]
    assert (create["body"], create["kind"], create["status"]) == (BODY, "activities", 200)
    assert (create["user"], create["service_name"]) == ("test@example.com", "test")
    assert {each["service"] for each in bench.calls()} == {token["body"]["client_id"]}
    assert file["range"] == "bytes=0-9"


def test_no_secret_and_no_token_is_in_the_journal(bench: Bench) -> None:
    made = bench.control("POST", "/services", {})
    grant = {"grant_type": "client_credentials", **made}
    secret = made["client_secret"]
    token = bench.client.post("/identity/oauth/token", data=grant).json()["access_token"]
    bench.client.get("/identity/oauth/token", params=grant)
    bench.client.post("/identity/oauth/token", params=grant, content=json.dumps(grant))
    bench.client.get(f"/rest/v1/{token}.json", headers={"Authorization": f"Bearer {token}"})
    bench.client.get("/rest/v1/leads.json", params={"access_token": token})
    bench.client.post(
        "/bulk/v1/leads/export/create.json",
        json={"a": [f"x{token}y", {"access_token": token}]},
        headers={"Authorization": f"Bearer{token}"},
    )
    everything = bench.raw("GET", "/calls").text + bench.at("GET", "/_outhaul/calls").text
    assert len(bench.calls()) == 6
    assert everything.count("***") >= 7
    assert token not in everything
    assert secret not in everything


def test_errors_have_their_codes(bench: Bench) -> None:
    job = bench.queued()
    bench.call("POST", f"/activities/export/{job}/enqueue.json")
    bench.call("GET", "/activities/export/none/status.json")
    bench.call("POST", "/activities/export/create.json", content="{")
    assert [each["code"] for each in bench.calls()][3:] == ["1029", "1001", "609"]
    assert bench.calls(code="609")[0]["body"] == "{"
    assert bench.control("GET", "/calls/count", code="1029") == {"count": 1, "dropped": 0}


def test_calls_are_selected(bench: Bench) -> None:
    for types in ([1], [2, 1], [1, 2]):
        bench.created(filter={**BODY["filter"], "activityTypeIds": types})
    service = bench.calls()[0]["service"]
    expected: list[tuple[dict[str, Any], int]] = [
        ({"call": "create"}, 3),
        ({"call": ["create", "token"]}, 4),
        ({"call": "create", "kind": "leads"}, 0),
        ({"body": '{"filter": {"activityTypeIds": [1, 2]}}'}, 2),
        ({"body": '{"filter": {"activityTypeIds": [1]}}'}, 3),
        ({"method": "post", "status": "200"}, 4),
        ({"path": "/bulk/*"}, 3),
        ({"path": "/bulk/v1/activities/export/create.json"}, 3),
        ({"service": service}, 4),
        ({"service": "test"}, 4),
        ({"service": "another"}, 0),
        ({"job": bench.calls()[2]["job"]}, 1),
        ({"since": str(bench.calls()[1]["number"])}, 2),
        ({"since": bench.calls()[3]["at"]}, 1),
    ]
    for wanted, count in expected:
        assert len(bench.calls(**wanted)) == count, wanted


def test_the_journal_is_cleared(bench: Bench) -> None:
    bench.created()
    bench.control("DELETE", "/calls")
    assert bench.calls() == []


def test_calls_of_nobody_are_apart(bench: Bench) -> None:
    bench.client.get("/rest/v1/leads.json", headers={"Authorization": "Bearer wrong"})
    assert bench.calls() == []
    (call,) = bench.at("GET", "/_outhaul/calls").json()["calls"]
    assert (call["code"], call["service"]) == ("601", None)
    bench.at("DELETE", "/_outhaul/calls")
    assert bench.at("GET", "/_outhaul/calls").json()["calls"] == []


def test_a_large_body_is_not_recorded(bench: Bench) -> None:
    bench.log_in()
    answer = bench.call("POST", "/activities/export/create.json", content=b" " * 10_000_001)
    assert answer.status_code == 413
    call = bench.calls()[-1]
    assert (call["body"], call["status"], call["call"]) == (None, 413, "create")


@pytest.mark.parametrize(
    ("params", "parameter"),
    [
        ({"calls": "create"}, "calls"),
        ({"status": "fine"}, "status"),
        ({"status": "²00"}, "status"),
        ({"body": "{"}, "body"),
        ({"body": "[" * 7_000}, "body"),
        ({"since": "yesterday"}, "since"),
        ({"since": "9" * 5_000}, "since"),
    ],
)
def test_a_wrong_filter_is_400_and_names_the_parameter(
    bench: Bench, params: dict[str, str], parameter: str
) -> None:
    for path in ("/calls", "/calls/count"):
        assert bench.refused("GET", path, params=params)[::2] == (400, parameter)
