"""Control calls about subscriptions, their limits and custom services, and their reset."""

from collections.abc import Collection, Mapping
from typing import Any

from pydantic import Field
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from outhaul.accounts.services import (
    PERMISSIONS,
    Credentials,
    PermissionUnknownError,
    create_service,
)
from outhaul.accounts.subscriptions import (
    NAME,
    LimitError,
    Subscription,
    SubscriptionNameError,
    create_subscription,
    override_limits,
    subscriptions,
)
from outhaul.api.json import JsonResponse
from outhaul.kinds import KINDS
from outhaul.stand_in.control.requests import Body, ControlError, read_body, read_query
from outhaul.stand_in.control.state import State
from outhaul.stand_in.resetting import reset

DEFAULT_SERVICE = "test"
DEFAULT_EMAIL = "test@example.com"


class New(Body):
    """A subscription that is to exist."""

    limits: Mapping[str, Any] = Field(default_factory=dict)
    """The limits that it overrides."""


class NewService(Body):
    """A custom service, and the API user that owns it."""

    name: str = Field(default=DEFAULT_SERVICE, min_length=1, max_length=200)
    email: str = Field(default=DEFAULT_EMAIL, min_length=1, max_length=200)
    permissions: list[str] | None = Field(default=None, min_length=1)
    """Added to those that the user has. Default: what the export of every kind needs."""


class Nothing(Body):
    """No parameters."""


def subscriptions_routes(state: State) -> list[Route]:
    """Return the routes of subscriptions."""
    routes = _Routes(state)
    base = "/_outhaul/subscriptions/{name}"
    return [
        Route("/_outhaul/subscriptions", routes.list, methods=["GET"]),
        Route(base, routes.show, methods=["GET"]),
        Route(base, routes.put, methods=["PUT"]),
        Route(f"{base}/reset", routes.reset, methods=["POST"]),
        Route(f"{base}/services", routes.add_service, methods=["POST"]),
    ]


class _Routes:
    def __init__(self, state: State) -> None:
        self._state = state
        self._database = state.service.database

    async def list(self, request: Request) -> Response:
        read_query(request, ())
        found = await run_in_threadpool(subscriptions, self._database)
        return JsonResponse({"subscriptions": [_shown(each) for each in found]})

    async def show(self, request: Request) -> Response:
        read_query(request, ())
        return JsonResponse(_shown(await self._state.subscription(request)))

    async def put(self, request: Request) -> Response:
        """Create a subscription if there is none, and override limits of it."""
        read_query(request, ())
        new = await read_body(request, New)
        return await run_in_threadpool(self._put, request.path_params["name"], new)

    async def reset(self, request: Request) -> Response:
        subscription = await self._state.subscription(request)
        read_query(request, ())
        await read_body(request, Nothing)
        state = self._state
        await run_in_threadpool(
            reset, state.service, state.journal, state.orders, subscription.name
        )
        state.wake()
        return JsonResponse({})

    async def add_service(self, request: Request) -> Response:
        subscription = await self._state.subscription(request)
        read_query(request, ())
        new = await read_body(request, NewService)
        made = await run_in_threadpool(self._add_service, subscription, new)
        content = {
            "client_id": made.client_id,
            "client_secret": made.client_secret,
            "email": new.email,
        }
        return JsonResponse(content, status_code=201)

    def _put(self, name: str, new: New) -> Response:
        if not NAME.fullmatch(name):
            raise ControlError(
                400, "the name of a subscription is 1 to 40 characters of a-z, 0-9 and -", "name"
            )
        try:
            create_subscription(self._database, name, self._state.service.clock())
            status = 201
        except SubscriptionNameError:
            status = 200  # it exists
        try:
            found = override_limits(self._database, name, new.limits)
        except LimitError as error:
            raise ControlError(400, str(error), "limits") from None
        return JsonResponse(_shown(found), status_code=status)

    def _add_service(self, subscription: Subscription, new: NewService) -> Credentials:
        if new.permissions is None:
            wanted: Collection[str] = permissions()
        else:
            wanted = new.permissions
        of_kinds = (name for kind in KINDS.values() for name in sorted(kind.permissions))
        try:
            return create_service(
                self._database,
                new.name,
                email=new.email,
                permissions=wanted,
                moment=self._state.service.clock(),
                subscription_name=subscription.name,
                known=dict.fromkeys([*PERMISSIONS, *of_kinds]),
            )
        except PermissionUnknownError as error:
            raise ControlError(400, str(error), "permissions") from None


def permissions() -> list[str]:
    """Return a permission for the export of each kind, as few as the kinds declare."""
    return sorted({min(kind.permissions) for kind in KINDS.values()})


def _shown(subscription: Subscription) -> dict[str, Any]:
    return {"name": subscription.name, "limits": dict(subscription.limit_overrides)}
