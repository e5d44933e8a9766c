"""Usage and errors: how many calls a subscription has made, and what they were answered with."""

from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from outhaul.accounts.meter import REPORT_DAYS
from outhaul.accounts.usage import Totals
from outhaul.api.json import JsonResponse
from outhaul.api.service import Service, call_id
from outhaul.clock import QUOTA_ZONE, day_begin
from outhaul.protocol.envelope import success

BASE = "/rest/v1/stats"


class UserCount(BaseModel):
    """The calls of one API user."""

    userId: str  # noqa: N815 - the protocol's name
    count: int


class UsageDay(BaseModel):
    """The calls of a day, which begins at `date`."""

    date: str
    total: int
    users: list[UserCount]


class ErrorCount(BaseModel):
    """How often calls were answered with one error."""

    errorCode: str  # noqa: N815 - the protocol's name
    count: int


class ErrorDay(BaseModel):
    """The errors of a day, which begins at `date`."""

    date: str
    total: int
    errors: list[ErrorCount]


class UsageAnswer(BaseModel):
    """The envelope of an answer about usage."""

    requestId: str  # noqa: N815 - the protocol's name
    success: bool
    result: list[UsageDay]


class ErrorsAnswer(BaseModel):
    """The envelope of an answer about errors."""

    requestId: str  # noqa: N815 - the protocol's name
    success: bool
    result: list[ErrorDay]


def stats_router(service: Service) -> APIRouter:
    """Return the routes. Whoever has a token may ask; what is told is of its subscription."""
    router = APIRouter(tags=["usage"], prefix=BASE)

    def usage(request: Request, days: int) -> Response:
        caller = service.caller(request)
        found = service.meter.calls(caller.subscription, service.clock(), days)
        return _answer(request, found, "users", "userId")

    def errors(request: Request, days: int) -> Response:
        caller = service.caller(request)
        found = service.meter.errors(caller.subscription, service.clock(), days)
        return _answer(request, found, "errors", "errorCode")

    @router.get("/usage.json", response_model=UsageAnswer)
    def usage_today(request: Request) -> Response:
        """Tell how many calls succeeded today, by API user."""
        return usage(request, 1)

    @router.get("/usage/last7days.json", response_model=UsageAnswer)
    def usage_of_a_week(request: Request) -> Response:
        """Tell how many calls succeeded today and on each of the six days before."""
        return usage(request, REPORT_DAYS)

    @router.get("/errors.json", response_model=ErrorsAnswer)
    def errors_today(request: Request) -> Response:
        """Tell how many calls were answered with errors today, by code."""
        return errors(request, 1)

    @router.get("/errors/last7days.json", response_model=ErrorsAnswer)
    def errors_of_a_week(request: Request) -> Response:
        """Tell how many calls were answered with errors today and on each of six days before."""
        return errors(request, REPORT_DAYS)

    return router


def _answer(request: Request, totals: Totals, members: str, name: str) -> Response:
    result: list[dict[str, Any]] = [
        {
            # A moment, as the published description has it, which begins with the day's date.
            "date": day_begin(day).astimezone(QUOTA_ZONE).isoformat(),
            "total": sum(counts.values()),
            members: [{name: who, "count": count} for who, count in counts.items()],
        }
        for day, counts in totals.items()
    ]
    return JsonResponse(success(call_id(request), result))
