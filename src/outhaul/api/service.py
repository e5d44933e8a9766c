"""What all endpoints use: settings, database, files, limits, and the caller of a request."""

import time
from collections.abc import Callable
from datetime import datetime
from functools import partial

import structlog
from sqlalchemy.exc import SQLAlchemyError
from starlette.requests import Request

from outhaul.accounts.meter import Meter
from outhaul.accounts.tokens import Caller, authenticate
from outhaul.accounts.usage import UsageStore
from outhaul.api.checks import Checks
from outhaul.catalog.store import Catalog
from outhaul.clock import now
from outhaul.database.engine import Database, is_unavailable, reason
from outhaul.errors import Error
from outhaul.jobs.store import JobStore
from outhaul.kinds.filter import Context
from outhaul.lake.snapshot import Lake, check_lakes, open_lake
from outhaul.limits import Limits
from outhaul.protocol.answers.envelope import request_id
from outhaul.settings import Settings
from outhaul.storage.opening import open_files

# Attributes of a request's state, which middleware reads.
TICKET = "ticket"
ERROR_CODE = "error_code"
LIMITS = "limits"

log = structlog.get_logger()

_CALLER = "caller"
_BEARER = "bearer"


class Service:
    """The resources of one server, open until `close`."""

    def __init__(
        self,
        settings: Settings,
        clock: Callable[[], datetime] = now,
        timer: Callable[[], float] = time.monotonic,
    ) -> None:
        self.settings = settings
        self.clock = clock
        self.database = Database(settings.database_url)
        self.files = open_files(settings)
        self.meter = Meter(UsageStore(self.database), timer)
        self.checks = Checks(
            {
                "database": self.database.check,
                "files": self.files.check,
                "lake": partial(check_lakes, settings),
            }
        )

    def caller(self, request: Request) -> Caller:
        """Authenticate a request, and count the call; a second time, return the same caller.

        The call counts as concurrent until its answer is sent. Raises 601, 602 and 603 for a bad
        token, and 606, 607 and 615 if the subscription exceeds a limit on calls.
        """
        known = getattr(request.state, _CALLER, None)
        if isinstance(known, Caller):
            return known
        token = _header_token(request)
        in_query = token is None
        if in_query:
            token = request.query_params.get("access_token")
        caller = authenticate(self.database, token, self.clock())
        limits = self.limits(caller)
        if in_query and not limits.query_token:
            raise Error.TOKEN_MISSING()
        ticket = self.meter.enter(
            caller.subscription,
            caller.user,
            limits,
            self.moment(caller),
            skipped=caller.clock.skipped.total_seconds(),
        )
        setattr(request.state, TICKET, ticket)
        setattr(request.state, LIMITS, limits)
        setattr(request.state, _CALLER, caller)
        return caller

    def close(self) -> None:
        """Write the counts of calls to the database, and close the database."""
        try:
            self.meter.flush()
        except SQLAlchemyError as error:
            if not is_unavailable(error):
                raise
            log.error("calls could not be counted: no database", error=reason(error))  # noqa: TRY400
        finally:
            self.checks.close()
            self.database.close()

    def moment(self, caller: Caller) -> datetime:
        """Return the current time by the clock of the caller's subscription."""
        return caller.clock.at(self.clock())

    def limits(self, caller: Caller) -> Limits:
        """Return the limits of the caller's subscription."""
        return self.settings.limits_of(caller.limit_overrides, self.moment(caller))

    def jobs(self, caller: Caller) -> JobStore:
        """Return the caller's jobs."""
        return JobStore(self.database, caller, self.limits(caller))

    def lake(self, caller: Caller) -> Lake:
        """Return the lake of the caller's subscription."""
        return open_lake(self.settings, caller.subscription, self.database)

    def context(self, caller: Caller) -> Context:
        """Return the context in which the caller's requests are read."""
        return Context(
            catalog=Catalog(self.database, caller.subscription),
            limits=self.limits(caller),
            moment=self.moment(caller),
        )


def call_id(request: Request) -> str:
    """Return the id of a call, which stays the same for one request."""
    if not hasattr(request.state, "call_id"):
        request.state.call_id = request_id()
    return str(request.state.call_id)


def _header_token(request: Request) -> str | None:
    """Return the token in the header, `None` if the header has no bearer token.

    One client leaves out the blank after `Bearer`.
    """
    header = request.headers.get("authorization", "").strip()
    if not header.lower().startswith(_BEARER):
        return None
    return header[len(_BEARER) :].strip()
