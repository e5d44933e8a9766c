"""Which calls are made again after which errors, and how long is waited in between."""

import random
from collections.abc import Callable
from typing import TypeVar

import stamina

from outhaul.client.errors import (
    ClientError,
    HttpError,
    ProtocolError,
    UnreachableError,
)

T = TypeVar("T")

TOKEN_CODES = frozenset({"601", "602"})
"""The access token is invalid or has expired."""

_TRANSIENT_CODES = frozenset({"502", "503", "504", "604", "606", "608", "611", "615", "713"})
# Over the rate limit, over the concurrency limit, temporarily unavailable: refused at the door.
_NOTHING_DONE_CODES = frozenset({"606", "608", "615"})
_NOTHING_DONE_STATUSES = frozenset({429, 503})
_LONGEST_RETRY_AFTER = 60.0

# 0.5 s, 1 s, 2 s … 20 s: some 70 s in all, so that a limit of calls in 20 s is outlasted.
_caller = stamina.RetryingCaller(
    attempts=9, timeout=300.0, wait_initial=0.5, wait_max=20.0, wait_jitter=0.5
)


def passes(error: Exception) -> bool:
    """Return whether an error may be gone if the call is made again."""
    match error:
        case UnreachableError():
            return True
        case HttpError(status=status):
            return status >= 500 or status in (408, 429)  # noqa: PLR2004 - HTTP's own numbers
        case ProtocolError(code=code):
            return code in _TRANSIENT_CODES
    return False


def did_nothing(error: Exception) -> bool:
    """Return whether it is certain that the call that got this error changed nothing."""
    match error:
        case UnreachableError(sent=sent):
            return not sent
        case HttpError(status=status):
            return status in _NOTHING_DONE_STATUSES
        case ProtocolError(code=code):
            return code not in _TRANSIENT_CODES or code in _NOTHING_DONE_CODES
    return False


def repeat(call: Callable[[], T], *, on: Callable[[ClientError], bool]) -> T:
    """Return what `call` returns, made again after the errors that `on` says yes to.

    Waits longer and longer, and as long as the server asks for (`Retry-After`, 60 seconds at
    most). Raises the last error.
    """

    def again(error: Exception) -> bool | float:
        if not isinstance(error, ClientError) or not on(error):
            return False
        if isinstance(error, HttpError) and error.retry_after is not None:
            # All who were told the same moment should not come back at the same moment.
            return min(error.retry_after, _LONGEST_RETRY_AFTER) + random.random()  # noqa: S311
        return True

    return _caller(again, call)
