"""Which errors permit that a call is repeated, and how long to wait before that."""

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
# Rate limit (606), concurrency limit (615), temporarily unavailable (608): checked before a call
# has any effect.
_NOTHING_DONE_CODES = frozenset({"606", "608", "615"})
_NOTHING_DONE_STATUSES = frozenset({429, 503})
_LONGEST_RETRY_AFTER = 60.0

# Waits of 0.5 s, 1 s, 2 s … 20 s, about 70 s in all: longer than the 20 s of the rate limit.
_caller = stamina.RetryingCaller(
    attempts=9, timeout=300.0, wait_initial=0.5, wait_max=20.0, wait_jitter=0.5
)


def is_temporary(error: Exception) -> bool:
    """Return whether the same call may succeed if it is repeated."""
    match error:
        case UnreachableError():
            return True
        case HttpError(status=status):
            return status >= 500 or status in (408, 429)  # noqa: PLR2004 - HTTP's own numbers
        case ProtocolError(code=code):
            return code in _TRANSIENT_CODES
    return False


def did_nothing(error: Exception) -> bool:
    """Return whether a call that got this error has certainly changed nothing."""
    match error:
        case UnreachableError(sent=sent):
            return not sent
        case HttpError(status=status):
            return status in _NOTHING_DONE_STATUSES
        case ProtocolError(code=code):
            return code not in _TRANSIENT_CODES or code in _NOTHING_DONE_CODES
    return False


def repeat(call: Callable[[], T], *, on: Callable[[ClientError], bool]) -> T:
    """Return what `call` returns. Repeat the call after errors for which `on` is true.

    The wait grows with each attempt. If the server sends `Retry-After`, that is the wait, 60
    seconds at most. Raises the last error.
    """

    def again(error: Exception) -> bool | float:
        if not isinstance(error, ClientError) or not on(error):
            return False
        if isinstance(error, HttpError) and error.retry_after is not None:
            # The random part spreads clients that were sent the same `Retry-After`.
            return min(error.retry_after, _LONGEST_RETRY_AFTER) + random.random()  # noqa: S311
        return True

    return _caller(again, call)
