"""Which errors permit that a call is repeated, and how long to wait before that."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from typing import TypeVar

from outhaul.client.errors import (
    AnswerError,
    CallsSpentError,
    ClientError,
    HttpError,
    OutOfTimeError,
    ProtocolError,
    UnreachableError,
)
from outhaul.client.patience import Patience
from outhaul.protocol.texts import one_line

T = TypeVar("T")

_TOKEN_CODES = frozenset({"601", "602"})
_TRANSIENT_CODES = frozenset({"500", "502", "503", "504", "604", "606", "608", "611", "615", "713"})
# Rate limit (606), concurrency limit (615), temporarily unavailable (608): checked before a call
# has any effect. So are tokens.
_NOTHING_DONE_CODES = frozenset({"606", "608", "615", *_TOKEN_CODES})
_TRANSIENT_STATUSES = frozenset({401, 408, 425, 429})
_NOTHING_DONE_STATUSES = frozenset({401, 429, 503})
_LONGEST_RETRY_AFTER = 60.0
_SHOWN = 240


@dataclass(frozen=True, kw_only=True)
class Backoff:
    """How often a call is tried, and how the waits between the attempts grow.

    Waits of 0.5 s, 1 s, 2 s … 20 s, about 70 s in all: longer than the 20 s of the rate limit.
    """

    attempts: int = 9
    seconds: float = 300.0
    first_wait: float = 0.5
    longest_wait: float = 20.0

    def wait(self, attempt: int) -> float:
        """Return the wait after the attempt with this number, the first of which is 1."""
        return min(self.first_wait * 2.0 ** min(attempt - 1, 32), self.longest_wait)


def is_token_refusal(error: Exception) -> bool:
    """Return whether the access token was refused: it is invalid or has expired."""
    match error:
        case ProtocolError(code=code):
            return code in _TOKEN_CODES
        case HttpError(status=status):
            return status == 401  # noqa: PLR2004 - HTTP's own number
    return False


def is_temporary(error: Exception) -> bool:
    """Return whether the same call may succeed if it is repeated.

    An answer that cannot be read counts: it often comes from a proxy, for as long as the server is
    down.
    """
    match error:
        case UnreachableError() | AnswerError():
            return True
        case HttpError(status=status):
            return status >= 500 or status in _TRANSIENT_STATUSES  # noqa: PLR2004 - HTTP's own
        case ProtocolError(code=code):
            return code in _TRANSIENT_CODES or code in _TOKEN_CODES
    return False


def may_pass(error: Exception) -> bool:
    """Return whether a call about a thing that certainly exists may succeed if it is repeated.

    Then an HTTP error such as 403 or 404, or a redirect, is a page of a server in maintenance.
    """
    return isinstance(error, HttpError) or is_temporary(error)


def is_of_endpoint(error: Exception) -> bool:
    """Return whether an error shows that no other call would succeed now, whatever it asks for.

    It is an error that calls were repeated after in vain.
    """
    match error:
        case CallsSpentError():
            return True
        case HttpError():
            return is_temporary(error)
        case ProtocolError(code=code):
            return code in _NOTHING_DONE_CODES
    return True


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


def is_harmless(error: Exception) -> bool:
    """Return whether a call that must not be carried out twice can be repeated."""
    return is_temporary(error) and did_nothing(error)


def repeat(
    call: Callable[[], T],
    *,
    on: Callable[[ClientError], bool],
    patience: Patience,
    notice: Callable[[str], None],
    backoff: Backoff,
) -> T:
    """Return what `call` returns. Repeat the call after errors for which `on` is true.

    The wait grows with each attempt. If the server sends `Retry-After`, that is the wait, 60
    seconds at most. `notice` gets a line of text before each wait. Raises the last error, marked
    as `given_up`: if this call is a step of another one, that one is not repeated for it.
    """
    begun = patience.now()
    for attempt in count(1):
        try:
            return call()
        except ClientError as error:
            wait = _wait(error, backoff, attempt)
            spent = patience.now() - begun
            is_last = attempt >= backoff.attempts or spent + wait > backoff.seconds
            if error.given_up or is_last or not on(error):
                error.given_up = True
                raise
            notice(f"{one_line(str(error), _SHOWN)}; trying again in {wait:.0f} s")
            _pause(patience, wait, error)
    raise AssertionError("a loop without an end")


def _wait(error: ClientError, backoff: Backoff, attempt: int) -> float:
    # The random part spreads clients that were refused at the same moment.
    spread = random.random()  # noqa: S311 - no secret
    if isinstance(error, HttpError) and error.retry_after is not None:
        return min(error.retry_after, _LONGEST_RETRY_AFTER) + spread
    return backoff.wait(attempt) + spread / 2


def _pause(patience: Patience, wait: float, error: ClientError) -> None:
    try:
        patience.pause(wait)
    except OutOfTimeError as over:
        raise OutOfTimeError(over.limit, str(error)) from error
