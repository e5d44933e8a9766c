"""Usage and errors: what is counted, for whom, on which day. The limits of the caller."""

from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic.alias_generators import to_camel
from tests.support.instance import (
    ACTIVITY_COUNT,
    LEAD_COUNT,
    UNKNOWN_ID,
    USERS,
    Instance,
    Serve,
    refusal,
    result,
)

from outhaul.accounts.subscriptions import override_limits
from outhaul.limits import LIMIT_SETS, Limits

USAGE = "/rest/v1/stats/usage.json"
ERRORS = "/rest/v1/stats/errors.json"
USAGE_OF_A_WEEK = "/rest/v1/stats/usage/last7days.json"
ERRORS_OF_A_WEEK = "/rest/v1/stats/errors/last7days.json"
LIMITS = "/rest/v1/stats/limits.json"
RECORDS = "/rest/v1/stats/records.json"
ALL = (USAGE, ERRORS, USAGE_OF_A_WEEK, ERRORS_OF_A_WEEK, LIMITS)
TODAY = "2026-01-20"


def today(instance: Instance, path: str, **request: Any) -> dict[str, Any]:
    (day,) = result(instance.get(path, **request))
    return day


def test_nothing_was_called_yet(instance: Instance) -> None:
    assert today(instance, ERRORS) == {"date": TODAY, "total": 0, "errors": []}
    # The call before this one succeeded; this one is not answered yet.
    users = [{"userId": "etl@example.com", "count": 1}]
    assert today(instance, USAGE) == {"date": TODAY, "total": 1, "users": users}


def test_calls_are_told_by_user(instance: Instance) -> None:
    for user, count in (("writer", 3), ("leads", 2)):
        for _ in range(count):
            result(instance.jobs(user=user))
    assert today(instance, USAGE) == {
        "date": TODAY,
        "total": 5,
        "users": [
            {"userId": "leads@example.com", "count": 2},
            {"userId": "writer@example.com", "count": 3},
        ],
    }


def test_errors_are_told_by_code(instance: Instance) -> None:
    for _ in range(2):
        assert refusal(instance.status(UNKNOWN_ID))[0] == "1003"
    assert refusal(instance.jobs(user="nobody"))[0] == "603"
    assert instance.file(UNKNOWN_ID).status_code == 404
    assert refusal(instance.get("/no/such/path"))[0] == "610"
    assert today(instance, ERRORS) == {
        "date": TODAY,
        "total": 5,
        "errors": [
            {"errorCode": "1003", "count": 2},
            {"errorCode": "404", "count": 1},
            {"errorCode": "603", "count": 1},
            {"errorCode": "610", "count": 1},
        ],
    }
    assert today(instance, USAGE)["total"] == 1


def test_a_call_that_was_too_many_is_an_error(serve: Serve) -> None:
    instance = serve(calls_in_20_seconds=1)
    result(instance.jobs())
    assert refusal(instance.jobs())[0] == "606"
    instance.clock.advance(seconds=20)
    assert today(instance, ERRORS)["errors"] == [{"errorCode": "606", "count": 1}]


def test_the_last_seven_days_begin_with_today(instance: Instance) -> None:
    instance.clock.moment = datetime(2026, 3, 5, 12, tzinfo=UTC)
    result(instance.jobs())
    instance.clock.advance(days=1)
    refusal(instance.status(UNKNOWN_ID))
    instance.clock.advance(days=5)  # over the beginning of daylight saving
    usage = result(instance.get(USAGE_OF_A_WEEK))
    errors = result(instance.get(ERRORS_OF_A_WEEK))
    dates = [day["date"] for day in usage]
    assert dates == [day["date"] for day in errors]
    assert (dates[0], dates[-1]) == ("2026-03-11", "2026-03-05")
    assert len(dates) == 7
    assert [day["total"] for day in usage] == [0, 0, 0, 0, 0, 0, 1]
    assert [day["total"] for day in errors] == [0, 0, 0, 0, 0, 1, 0]
    instance.clock.advance(days=1)
    assert [day["total"] for day in result(instance.get(USAGE_OF_A_WEEK))] == [0, 2, *[0] * 5]


@pytest.mark.parametrize("path", ALL)
def test_whoever_has_a_token_may_ask(shared: Instance, path: str) -> None:
    for user in USERS:
        assert result(shared.get(path, user=user, params={"batchSize": "x"}))
    assert refusal(shared.get(path, user=None))[0] == "603"
    assert refusal(shared.post(path))[0] == "605"


def test_each_limit_is_told_by_its_name_in_camel_case(instance: Instance) -> None:
    (told,) = result(instance.get(LIMITS))
    limits = instance.settings.limits_of({}, instance.clock()).model_dump()
    assert told == {to_camel(name): value for name, value in limits.items()}
    assert (told["queuedJobs"], told["dailyExportMb"], told["queryToken"]) == (10, 500, False)


def test_no_limit_is_told_as_null(serve: Serve) -> None:
    (told,) = result(serve(limits="open").get(LIMITS))
    unlimited = {name for name, value in LIMIT_SETS["open"].model_dump().items() if value is None}
    assert {name for name, value in told.items() if value is None} == {*map(to_camel, unlimited)}
    assert len(told) == len(Limits.model_fields)


def test_the_limits_told_are_those_of_the_caller_at_the_moment(serve: Serve) -> None:
    instance = serve(daily_export_mb=7)

    def told() -> tuple[int | None, ...]:
        (limits,) = result(instance.get(LIMITS))
        return limits["dailyExportMb"], limits["queuedJobs"], limits["listIdLeads"]

    assert told() == (7, 10, None)
    override_limits(instance.database, "default", {"queued_jobs": "3"})
    assert told() == (7, 3, None)
    instance.clock.moment = datetime(2026, 12, 30, 6, tzinfo=UTC)
    assert told() == (7, 3, 10_000)


def test_what_is_stored_is_told_to_those_who_may_read_it(shared: Instance) -> None:
    told = {each["name"]: each for each in result(shared.get(RECORDS))}
    assert [*told] == ["leads", "activities", "program/members", "customobjects/boat_c"]
    assert (told["leads"]["records"], told["activities"]["records"]) == (
        LEAD_COUNT,
        ACTIVITY_COUNT,
    )
    days = told["activities"]["days"]
    assert sum(day["records"] for day in days) == ACTIVITY_COUNT
    assert days[0]["day"] == told["activities"]["first"][:10]
    assert days[-1]["day"] == told["activities"]["last"][:10]
    of_leads = result(shared.get(RECORDS, user="leads"))
    assert [each["name"] for each in of_leads] == ["leads", "program/members"]
    assert refusal(shared.get(RECORDS, user="nobody"))[0] == "603"
