"""What control calls act on."""

from collections.abc import Callable
from dataclasses import dataclass

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from outhaul.accounts.services import SubscriptionUnknownError
from outhaul.accounts.subscriptions import Subscription, subscription_named
from outhaul.api.service import Service
from outhaul.stand_in.control.requests import ControlError
from outhaul.stand_in.journal import Journal
from outhaul.stand_in.orders import Orders


@dataclass(frozen=True, kw_only=True)
class State:
    """The state of a stand-in."""

    service: Service
    journal: Journal
    orders: Orders
    wake: Callable[[], None]
    """Tells the worker that a job may start."""

    async def subscription(self, request: Request) -> Subscription:
        """Return the subscription in the path of a call. Raises `ControlError` if it is unknown."""
        name: str = request.path_params["name"]
        try:
            return await run_in_threadpool(subscription_named, self.service.database, name)
        except SubscriptionUnknownError:
            raise ControlError(404, f"there is no subscription {name[:100]!r}", "name") from None
