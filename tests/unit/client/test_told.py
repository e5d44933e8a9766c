"""Which limits an endpoint has: those that it tells, or the published ones."""

from typing import Any

import httpx2
import pytest
from tests.support.simulated import Simulated

from outhaul.client import ClientError, Told, told_limits
from outhaul.limits import Limits


def told(answer: httpx2.Response | None) -> Told:
    endpoint = Simulated()
    endpoint.fault = lambda name, _nth: None if name == "token" else answer
    with endpoint.session() as session:
        limits = told_limits(session)
        assert endpoint.count("unknown") == 1
        return limits


def success(**entry: Any) -> httpx2.Response:
    return httpx2.Response(200, json={"requestId": "r", "success": True, "result": [entry]})


def refusal(code: str) -> httpx2.Response:
    errors = [{"code": code, "message": "no"}]
    return httpx2.Response(200, json={"requestId": "r", "success": False, "errors": errors})


@pytest.mark.parametrize(
    "answer",
    [
        None,  # 610
        refusal("603"),
        refusal("605"),
        refusal("607"),
        httpx2.Response(404, text="Not Found"),
        httpx2.Response(403, html="<title>Forbidden</title>"),
        httpx2.Response(200, json={"requestId": "r", "success": True}),
        httpx2.Response(200, json={"requestId": "r", "success": True, "result": []}),
        httpx2.Response(200, json={"requestId": "r", "success": True, "result": [7]}),
    ],
)
def test_an_endpoint_that_does_not_tell_has_the_published_limits(
    answer: httpx2.Response | None,
) -> None:
    limits = told(answer)
    assert limits == Told()
    assert not limits.is_told
    assert (limits.daily_bytes, limits.queued_jobs, limits.date_range_days) == (500_000_000, 10, 31)


def test_limits_are_read_in_the_names_of_the_wire() -> None:
    limits = told(success(dailyExportMb=7, queuedJobs=None, updatedAtFilter=False, newLimit=[1]))
    assert limits.is_told
    assert (limits.daily_bytes, limits.queued_jobs) == (7_000_000, None)
    assert limits.updated_at_filter is False


def test_a_limit_that_cannot_be_read_is_as_published() -> None:
    limits = told(success(dailyExportMb="many", queuedJobs=-1, processingJobs=5))
    assert (limits.daily_export_mb, limits.queued_jobs, limits.processing_jobs) == (500, 10, 5)


def test_outhaul_has_a_limit_of_each_name() -> None:
    assert set(Told.model_fields) <= set(Limits.model_fields)


def test_an_endpoint_that_cannot_be_reached_is_an_error() -> None:
    endpoint = Simulated()

    def broken(_name: str, _nth: int) -> None:
        raise httpx2.ConnectError("refused")

    endpoint.fault = broken
    with endpoint.session() as session, pytest.raises(ClientError):
        told_limits(session)


def test_a_server_that_is_down_for_a_moment_is_asked_again() -> None:
    endpoint = Simulated()
    answers = iter([httpx2.Response(503), success(dailyExportMb=None)])
    endpoint.fault = lambda name, _nth: None if name == "token" else next(answers)
    with endpoint.session() as session:
        assert told_limits(session).daily_bytes is None
