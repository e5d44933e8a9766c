"""The control API: its token, subscriptions, services, and their reset."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from tests.support.activities import on_disk
from tests.support.stand_in import TOKEN, Bench
from tests.support.waiting import wait_for

from outhaul.database.schema import error_count, export_job, export_part, export_plan, token, usage
from outhaul.protocol.states import State


@pytest.mark.parametrize(
    "header",
    [None, "", "Bearer", "Bearer wrong", f"Basic {TOKEN}", f"Bearer {TOKEN}x", "Bearer \xe9"],
)
def test_every_call_needs_the_token(bench: Bench, header: str | None) -> None:
    headers = {} if header is None else {b"Authorization": header.encode("latin-1")}
    for method, path in [
        ("GET", "/_outhaul"),
        ("GET", "/_outhaul/calls"),
        ("POST", "/_outhaul/subscriptions/default/reset"),
        ("GET", "/_outhaul/none"),
    ]:
        answer = bench.client.request(method, path, headers=headers)
        assert answer.status_code == 401
        assert "control token" in answer.json()["error"]


def test_a_token_of_a_client_is_no_control_token(bench: Bench) -> None:
    headers = {"Authorization": f"Bearer {bench.log_in()}"}
    assert bench.client.get("/_outhaul/calls", headers=headers).status_code == 401


def test_subscriptions_are_made_once(bench: Bench) -> None:
    path = "/_outhaul/subscriptions/a-test"
    limits = {"queued_jobs": 3, "calls_per_day": None}
    made = bench.at("PUT", path, json={"limits": limits})
    assert (made.status_code, made.json()) == (201, {"name": "a-test", "limits": limits})
    again = bench.at("PUT", path)
    assert (again.status_code, again.json()) == (200, made.json())
    assert bench.at("GET", path).json() == made.json()
    names = [
        each["name"] for each in bench.at("GET", "/_outhaul/subscriptions").json()["subscriptions"]
    ]
    assert names == ["a-test", "default"]


def test_a_service_may_export_every_kind(bench: Bench) -> None:
    bench.log_in()
    for kind in ("leads", "activities", "program/members"):
        assert bench.call("GET", f"/{kind}/export.json").json()["success"]


def test_a_service_has_the_permissions_that_it_is_given(bench: Bench) -> None:
    made = bench.control(
        "POST",
        "/services",
        {"name": "etl", "email": "etl@example.com", "permissions": ["Read-Only Lead"]},
    )
    assert made["email"] == "etl@example.com"


@pytest.mark.parametrize(
    ("method", "path", "json", "refusal"),
    [
        ("PUT", "Upper", {}, (400, "name")),
        ("PUT", "a" * 41, {}, (400, "name")),
        ("PUT", "%00", {}, (400, "name")),
        ("PUT", "a", {"limits": {"queued": 1}}, (400, "limits")),
        ("PUT", "a", {"limits": {"queued_jobs": -1}}, (400, "limits")),
        ("PUT", "a", {"limits": 1}, (400, "limits")),
        ("PUT", "a", {"limit": {}}, (400, "limit")),
        ("POST", "default/services", {"permissions": ["Fly"]}, (400, "permissions")),
        ("POST", "default/services", {"permissions": []}, (400, "permissions")),
        ("POST", "default/services", {"permissions": [1]}, (400, "permissions.0")),
        ("POST", "default/services", {"name": ""}, (400, "name")),
        ("POST", "default/services", [], (400, None)),
        ("PUT", "default/pace", {"mode": "slow"}, (400, "mode")),
        ("PUT", "default/pace", {}, (400, "mode")),
        ("POST", "none/reset", {}, (404, "name")),
        ("GET", "none/calls", None, (404, "name")),
        ("GET", "none/jobs", None, (404, "name")),
        ("GET", "default/jobs/%00%ff", None, (404, "job")),
        ("POST", "default/reset?all=true", {}, (400, "all")),
        ("DELETE", "default/pace", None, (405, None)),
        ("GET", "default/none", None, (404, None)),
    ],
)
def test_a_wrong_call_is_4xx_and_names_the_parameter(
    bench: Bench, method: str, path: str, json: Any, refusal: tuple[int, str | None]
) -> None:
    answer = bench.at(method, f"/_outhaul/subscriptions/{path}", json=json)
    assert (answer.status_code, answer.json().get("parameter")) == refusal
    assert answer.json()["error"]


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"{", 400),
        (b"\xff", 400),
        (b"[" * 100_000, 400),
        (b'{"mode": "at_once"' + b" " * 1_000_000 + b"}", 413),
        (b"x" * 10_000_000, 413),
        (b'"\\ud800"', 400),
        (b'{"mode": "\\ud800"}', 400),
        (b'{"\\ud800": 1}', 400),
        (b'{"mode": NaN}', 400),
    ],
)
def test_an_odd_body_is_refused(bench: Bench, content: bytes, status: int) -> None:
    assert bench.raw("PUT", "/pace", content=content).status_code == status
    pieces = iter([content[:10], content[10:]])
    assert bench.raw("PUT", "/pace", content=pieces).status_code == status


def test_a_reset_leaves_no_trace(bench: Bench, tmp_path: Path) -> None:
    job = bench.queued()
    wait_for(lambda: bench.state(job) is State.COMPLETED)
    bench.call("GET", "/activities/export/none/status.json")
    bench.by_hand()
    bench.stand_in.service.meter.flush()
    assert on_disk(tmp_path / "data")
    assert bench.control("POST", "/reset") == {}
    assert on_disk(tmp_path / "data") == []
    assert bench.calls() == []
    assert bench.control("GET", "/pace") == {"mode": "at_once"}
    with bench.stand_in.service.database.read() as connection:
        for table in (export_job, export_part, export_plan, token, usage, error_count):
            assert connection.execute(sa.select(table)).all() == [], table.name
    # The old token is unknown, and the journal still says whose it was.
    refused = bench.call("GET", "/activities/export.json").json()
    assert refused["errors"][0]["code"] == "601"
    assert [each["code"] for each in bench.calls()] == ["601"]
    bench.log_in()
    assert bench.call("GET", "/activities/export.json").json()["success"]


def test_a_reset_forgets_the_calls_that_limits_count(bench: Bench) -> None:
    bench.raw("PUT", "", json={"limits": {"calls_in_20_seconds": 2, "calls_per_day": 2}})
    for _ in range(3):
        codes = []
        for _ in range(3):
            answer = bench.call("GET", "/activities/export.json").json()
            codes += [error["code"] for error in answer.get("errors", [])]
        assert codes == ["606"]
        bench.control("POST", "/reset")
        bench.log_in()


def test_a_reset_of_one_subscription_leaves_the_others(bench: Bench) -> None:
    job = bench.queued()
    bench.at("PUT", "/_outhaul/subscriptions/other")
    bench.at("POST", "/_outhaul/subscriptions/other/reset")
    wait_for(lambda: bench.state(job) is State.COMPLETED)
    assert len(bench.calls()) >= 3


def test_jobs_that_run_do_not_survive_a_reset(bench: Bench, tmp_path: Path) -> None:
    for by_hand in (True, False):
        for _ in range(5):
            if by_hand:
                bench.by_hand()
            job = bench.queued()
            if by_hand:
                bench.step(job, "Processing")
            bench.control("POST", "/reset")
            assert bench.control("GET", "/jobs") == {"jobs": []}
            bench.log_in()
    job = bench.queued()
    wait_for(lambda: bench.state(job) is State.COMPLETED)
    wait_for(lambda: all(job in str(path) for path in on_disk(tmp_path / "data")))


def test_many_calls_at_once(bench: Bench) -> None:
    bench.log_in()

    def call(_: int) -> int:
        return bench.call("GET", "/activities/export.json").status_code

    with ThreadPoolExecutor(50) as pool:
        assert set(pool.map(call, range(1_000))) == {200}
    assert bench.control("GET", "/calls/count", call="list")["count"] == 1_000
