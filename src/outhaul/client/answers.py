"""Reading the answers of an endpoint: a success becomes its envelope, a failure an exception."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Self, TypeVar

import httpx2
from pydantic import ValidationError

from outhaul.client.errors import AnswerError, HttpError, ProtocolError, refusal
from outhaul.protocol.answers.identity import OAuthError
from outhaul.protocol.answers.model import Answer
from outhaul.protocol.texts import one_line

A = TypeVar("A", bound=Answer)

_SHOWN = 200
_LONGEST_BYTES = 64 << 20
_LONGEST_WAIT = 86_400.0
_CODE_FIRST = re.compile(r"\s*(\d{3,4})\b[\s:,-]*(.*)", re.ASCII | re.DOTALL)
_REFUSALS = ("invalid_client", "unauthorized_client", "invalid_grant", "access_denied")
_TITLE = re.compile(r"<title[^>]*>([^<]{1,200})", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class Reply:
    """An answer that was read to its end."""

    status: int
    reason: str
    headers: Mapping[str, str]
    """Their names are in any case."""
    body: bytes

    @classmethod
    def of(cls, response: httpx2.Response, check: Callable[[], None]) -> Self:
        """Read an answer. `check` is called for each piece, and may raise.

        An answer that comes drop by drop would otherwise take longer than any timeout. Raises
        `AnswerError` if the answer is too long to be one.
        """
        pieces, size = [], 0
        for piece in response.iter_bytes():
            check()
            size += len(piece)
            if size > _LONGEST_BYTES:
                raise AnswerError(f"it has more than {_LONGEST_BYTES >> 20} MiB")
            pieces.append(piece)
        return cls(
            status=response.status_code,
            reason=response.reason_phrase,
            headers=response.headers,
            body=b"".join(pieces),
        )

    def json(self) -> object:
        """Return the content. Raises `ValueError` if it is not JSON."""
        try:
            return json.loads(self.body)
        except RecursionError:
            raise ValueError("it is nested too deeply") from None

    def shown(self) -> str:
        """Return the beginning of the text, for a message: one line, of a page its title only."""
        text = self.body[: 16 * _SHOWN].decode("utf-8", "replace")
        if "html" in self.headers.get("Content-Type", "") or text.lstrip()[:1] == "<":
            title = _TITLE.search(text)
            name = one_line(title[1], _SHOWN) if title else ""
            return f"an HTML page, {name!r}" if name else "an HTML page"
        return one_line(text, _SHOWN)

    def quoted(self) -> str:
        """Return what `shown` returns, as the subject of a sentence."""
        shown = self.shown()
        return shown if shown.startswith("an HTML page") else repr(shown)


def unwrap(reply: Reply) -> dict[str, Any]:
    """Return the envelope of a success. Raises the `ClientError` that a failure stands for."""
    if not httpx2.codes.is_success(reply.status):
        refused = _refusal(reply) if httpx2.codes.is_client_error(reply.status) else None
        raise refused or http_error(reply)
    refused = _refusal(reply)
    if refused is not None:
        raise refused
    body = json_object(reply)
    if body.get("success") in ("true", "True"):
        body["success"] = True
    if body.get("success") is not True:
        raise AnswerError("it has neither a success nor an error")
    return body


def _refusal(reply: Reply) -> ProtocolError | None:
    """Return the first error with a code of an answer that is not a success.

    Errors are read in any shape: one object or a list, with a code as a text or as a number, with
    or without a message. `None` if there is no code.
    """
    try:
        body = reply.json()
    except ValueError:
        return None
    if not isinstance(body, dict) or body.get("success") in (True, "true", "True"):
        return None
    errors = body.get("errors")
    for error in errors if isinstance(errors, list) else [errors]:
        code, message = _code_and_message(error)
        if code:
            return refusal(code, message)
    return None


def _code_and_message(error: object) -> tuple[str, str]:
    """Return both as texts, each empty if it is missing. A text can begin with its code."""
    if isinstance(error, str) and (match := _CODE_FIRST.match(error)):
        return match[1], one_line(match[2], _SHOWN)
    entry = error if isinstance(error, dict) else {"code": error}
    code, message = entry.get("code"), entry.get("message")
    if isinstance(code, float):
        code = f"{code:.0f}"
    if isinstance(code, bool) or not isinstance(code, int | str):
        return "", ""
    if entry is not error and not isinstance(code, int):
        return "", ""
    return one_line(str(code), _SHOWN), "" if message is None else one_line(str(message), _SHOWN)


def json_object(reply: Reply) -> dict[str, Any]:
    """Return the JSON object of an answer. Raises `AnswerError` if the answer is not one."""
    if not reply.body.strip():
        raise AnswerError("it is empty")
    try:
        body = reply.json()
    except ValueError:
        raise AnswerError(f"{reply.quoted()} is not JSON") from None
    if not isinstance(body, dict):
        raise AnswerError(f"{reply.quoted()} is not an object")
    return body


def read(answer: type[A], content: object, what: str) -> A:
    """Return content as a declared answer. Raises `AnswerError` if the content is invalid.

    `what` names the content in the message.
    """
    try:
        return answer.model_validate(content)
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}"
            for problem in error.errors(include_url=False, include_context=False)
        )
        raise AnswerError(f"{what} cannot be read: {one_line(problems, _SHOWN)}") from error


def http_error(reply: Reply) -> HttpError:
    """Return the error for an answer whose HTTP status is not 200."""
    if httpx2.codes.is_redirect(reply.status):
        detail = f"the endpoint is elsewhere: {reply.headers.get('Location', '')}"
        # The address of a redirected token call contains the client secret in its query.
        return HttpError(reply.status, one_line(detail.partition("?")[0], _SHOWN))
    wait = retry_after(reply.headers.get("Retry-After"), moment_of(reply.headers))
    return HttpError(reply.status, reply.shown() or reply.reason, retry_after=wait)


def moment_of(headers: Mapping[str, str]) -> datetime | None:
    """Return the time of the endpoint's clock when it answered: the header `Date`."""
    return _http_date(headers.get("Date"))


def retry_after(value: str | None, sent: datetime | None) -> float | None:
    """Return the wait in seconds that `Retry-After` asks for, or `None` if it cannot be read.

    The value is a number of seconds or an HTTP date. `sent` is the time of the endpoint's clock
    when it answered; without it a date is compared with the clock of this machine.
    """
    text = (value or "").strip()
    try:
        seconds = float(text)
    except ValueError:
        date = _http_date(text)
        if date is None:
            return None
        seconds = (date - (sent or datetime.now(UTC))).total_seconds()
    # NaN is in no order, and so is refused here too.
    return min(max(seconds, 0.0), _LONGEST_WAIT) if seconds == seconds else None  # noqa: PLR0124


def _http_date(text: str | None) -> datetime | None:
    if not text:
        return None
    try:
        moment = parsedate_to_datetime(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def is_refusal(reply: Reply) -> bool:
    """Return whether the token endpoint says that it does not know the client id or the secret."""
    try:
        return OAuthError.model_validate(reply.json()).error in _REFUSALS
    except ValueError:
        return False


def oauth_problem(reply: Reply) -> str:
    """Return the reason that the token endpoint gives for a refusal."""
    try:
        error = OAuthError.model_validate(reply.json())
    except ValueError:
        return reply.shown()
    return one_line(error.error_description or error.error, _SHOWN) or reply.shown()
