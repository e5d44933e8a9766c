"""The clock of a subscription is set by the control API."""

from typing import Any

import pytest
from tests.support.stand_in import Bench


def test_a_frozen_clock_is_advanced_and_reset(bench: Bench) -> None:
    shown = bench.control("PUT", "/clock", {"moment": "2026-03-08T05:59:59Z", "frozen": True})
    frozen = {"moment": "2026-03-08T05:59:59.000Z", "frozen": True, "real": False}
    assert shown == bench.control("GET", "/clock") == frozen
    job = bench.created()
    later = bench.control("POST", "/clock", {"advance_seconds": 86_400})
    assert later["moment"] == "2026-03-09T05:59:59.000Z"
    answer = bench.call("GET", f"/activities/export/{job}/status.json").json()
    assert answer["errors"][0]["code"] == "602"
    (listed,) = bench.control("GET", "/jobs")["jobs"]
    assert listed["createdAt"] == "2026-03-08T05:59:59Z"
    assert bench.control("DELETE", "/clock")["real"]


def test_a_reset_gives_real_time_again(bench: Bench) -> None:
    bench.control("PUT", "/clock", {"moment": "2020-01-01T00:00:00Z"})
    bench.control("POST", "/reset")
    assert bench.control("GET", "/clock")["real"]


def test_a_step_ends_a_job_by_the_clock(bench: Bench) -> None:
    bench.control("PUT", "/clock", {"moment": "2030-01-01T00:00:00Z", "frozen": True})
    job = bench.created()
    bench.control("POST", "/clock", {"advance_seconds": 60})
    assert bench.step(job, "Cancelled").json()["finishedAt"] == "2030-01-01T00:01:00Z"


@pytest.mark.parametrize(
    ("method", "json", "parameter"),
    [
        ("PUT", {"moment": "tomorrow"}, "moment"),
        ("PUT", {"moment": "2026-01-01T00:00:00"}, "moment"),
        ("PUT", {"moment": "9999-12-31T00:00:00Z"}, "moment"),
        ("PUT", {"moment": 1}, "moment"),
        ("PUT", {"frozen": "yes"}, "frozen"),
        ("POST", {}, "advance_seconds"),
        ("POST", {"advance_seconds": -1}, "advance_seconds"),
        ("POST", {"advance_seconds": 1e300}, "advance_seconds"),
        ("POST", {"advance_seconds": True}, "advance_seconds"),
    ],
)
def test_a_wrong_clock_is_400_and_names_the_parameter(
    bench: Bench, method: str, json: Any, parameter: str
) -> None:
    assert bench.refused(method, "/clock", json=json)[::2] == (400, parameter)
