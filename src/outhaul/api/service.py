"""What routes need: the database, the files, and who calls."""

from collections.abc import Callable
from datetime import datetime

from starlette.requests import Request

from outhaul.catalog.store import Catalog
from outhaul.clock import now
from outhaul.errors import Error
from outhaul.files.store import FileStore
from outhaul.jobs.store import JobStore
from outhaul.kinds.kind import Context
from outhaul.protocol.envelope import request_id
from outhaul.settings import Limits, Settings
from outhaul.state.database import Database
from outhaul.subscription.tokens import Caller, authenticate

_BEARER = "bearer "


class Service:
    """One open service."""

    def __init__(self, settings: Settings, clock: Callable[[], datetime] = now) -> None:
        self.settings = settings
        self.clock = clock
        self.database = Database(settings.database_url)
        self.files = FileStore(settings.files_folder)

    def caller(self, request: Request) -> Caller:
        """Return who calls. Raises 600, 601 and 602."""
        caller = authenticate(self.database, _token(request), self.clock())
        if _query_token(request) and not self.limits(caller).query_token:
            raise Error.TOKEN_MISSING()
        return caller

    def limits(self, caller: Caller) -> Limits:
        """Return the limits of the caller's subscription."""
        return self.settings.limits_of(caller.limit_overrides)

    def jobs(self, caller: Caller) -> JobStore:
        """Return the caller's jobs."""
        return JobStore(self.database, caller, self.limits(caller))

    def context(self, caller: Caller) -> Context:
        """Return what the meaning of the caller's requests depends on."""
        return Context(
            catalog=Catalog(self.database, caller.subscription), limits=self.limits(caller)
        )


def call_id(request: Request) -> str:
    """Return the id of a call: the same wherever it is asked for."""
    if not hasattr(request.state, "call_id"):
        request.state.call_id = request_id()
    return str(request.state.call_id)


def _token(request: Request) -> str | None:
    header = request.headers.get("authorization", "")
    if header.lower().startswith(_BEARER):
        return header[len(_BEARER) :].strip()
    return request.query_params.get("access_token")


def _query_token(request: Request) -> bool:
    header = request.headers.get("authorization", "")
    return not header.lower().startswith(_BEARER)
