"""The numbers of calls of a subscription and of their errors, and its limits."""

from collections.abc import Callable, Mapping
from datetime import date

from starlette.requests import Request
from starlette.responses import Response

from outhaul.accounts.meter import REPORT_DAYS
from outhaul.api.calls import Call, Reply
from outhaul.api.json import JsonResponse
from outhaul.api.limits import SubscriptionLimits
from outhaul.api.service import Service, call_id
from outhaul.protocol.answers.envelope import Failure, Found, Success
from outhaul.protocol.answers.usage import ErrorCount, ErrorDay, UsageDay, UserCount

BASE = "/rest/v1/stats"

LIMITS = f"{BASE}/limits.json"
"""The path of a call that only outhaul has."""


def stats_calls(service: Service) -> list[Call]:
    """Return these calls. Any token is sufficient, and shows the numbers of its subscription."""

    def usage(days: int) -> Callable[[Request], Response]:
        def endpoint(request: Request) -> Response:
            caller = service.caller(request)
            found = service.meter.calls(caller.subscription, service.moment(caller), days)
            return JsonResponse(
                Success[UsageDay].of(
                    call_id(request),
                    Found([_usage_day(day, counts) for day, counts in found.items()]),
                )
            )

        return endpoint

    def errors(days: int) -> Callable[[Request], Response]:
        def endpoint(request: Request) -> Response:
            caller = service.caller(request)
            found = service.meter.errors(caller.subscription, service.moment(caller), days)
            return JsonResponse(
                Success[ErrorDay].of(
                    call_id(request),
                    Found([_error_day(day, counts) for day, counts in found.items()]),
                )
            )

        return endpoint

    def limits(request: Request) -> Response:
        shown = SubscriptionLimits.of(service.limits(service.caller(request)))
        return JsonResponse(Success[SubscriptionLimits].of(call_id(request), Found([shown])))

    def call(path: str, endpoint: Callable[[Request], Response], summary: str) -> Call:
        shown = UsageDay if path.startswith("/usage") else ErrorDay
        return Call(
            method="GET",
            path=f"{BASE}{path}.json",
            endpoint=endpoint,
            operation_id=f"stats{path.replace('/', '_')}",
            tag="usage",
            summary=summary,
            replies={
                200: Reply(
                    description="The days, today first, or a failure.",
                    models=(Success[shown], Failure),  # type: ignore[valid-type]
                )
            },
        )

    return [
        call("/usage", usage(1), "Show how many calls succeeded today, by API user."),
        call(
            "/usage/last7days",
            usage(REPORT_DAYS),
            "Show how many calls succeeded today and on each of the six days before.",
        ),
        call("/errors", errors(1), "Show how many calls were answered with errors today, by code."),
        call(
            "/errors/last7days",
            errors(REPORT_DAYS),
            "Show how many calls were answered with errors today and on each of six days before.",
        ),
        Call(
            method="GET",
            path=LIMITS,
            endpoint=limits,
            operation_id="stats_limits",
            tag="usage",
            summary="Show the limits of the subscription.",
            description="This call is outhaul's own.",
            replies={
                200: Reply(
                    description="One object, or a failure.",
                    models=(Success[SubscriptionLimits], Failure),
                )
            },
        ),
    ]


def _usage_day(day: date, counts: Mapping[str, int]) -> UsageDay:
    users = [UserCount(user_id=who, count=count) for who, count in counts.items()]
    return UsageDay(date=day, total=sum(counts.values()), users=users)


def _error_day(day: date, counts: Mapping[str, int]) -> ErrorDay:
    errors = [ErrorCount(error_code=code, count=count) for code, count in counts.items()]
    return ErrorDay(date=day, total=sum(counts.values()), errors=errors)
