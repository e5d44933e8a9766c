"""Reading the answers of an endpoint: a success becomes its envelope, a failure an exception."""

from typing import Any, TypeVar

import httpx2
from pydantic import ValidationError

from outhaul.client.errors import AnswerError, HttpError, ProtocolError, refusal
from outhaul.protocol.answers.envelope import Failure
from outhaul.protocol.answers.identity import OAuthError
from outhaul.protocol.answers.model import Answer
from outhaul.protocol.texts import shortened

A = TypeVar("A", bound=Answer)

_SHOWN = 200


def unwrap(response: httpx2.Response) -> dict[str, Any]:
    """Return the envelope of a success. Raises the `ClientError` that a failure stands for."""
    if response.status_code != httpx2.codes.OK:
        if response.is_client_error and (refused := _refusal(response)) is not None:
            raise refused
        raise http_error(response)
    refused = _refusal(response)
    if refused is not None:
        raise refused
    body = json_object(response)
    if body.get("success") is not True:
        raise AnswerError("it has neither a success nor an error")
    return body


def _refusal(response: httpx2.Response) -> ProtocolError | None:
    try:
        failure = Failure.model_validate(response.json())
    except ValueError:
        return None
    error = failure.errors[0]
    return refusal(error.code, error.message)


def json_object(response: httpx2.Response) -> dict[str, Any]:
    """Return the JSON object of an answer. Raises `AnswerError` if the answer is not one."""
    try:
        body = response.json()
    except ValueError:
        raise AnswerError(f"{_shown(response)!r} is not JSON") from None
    if not isinstance(body, dict):
        raise AnswerError(f"{_shown(response)!r} is not an object")
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
        raise AnswerError(f"{what} cannot be read: {problems}") from error


def http_error(response: httpx2.Response) -> HttpError:
    """Return the error for an answer whose HTTP status is not 200."""
    if response.is_redirect:
        detail = f"the endpoint is elsewhere: {response.headers.get('Location', '')}"
        # The address of a redirected token call contains the client secret in its query.
        return HttpError(response.status_code, detail.partition("?")[0])
    wait = response.headers.get("Retry-After", "")
    return HttpError(
        response.status_code,
        _shown(response) or response.reason_phrase,
        retry_after=float(wait) if wait.isascii() and wait.isdigit() else None,
    )


def oauth_problem(response: httpx2.Response) -> str:
    """Return the reason that the token endpoint gives for a refusal."""
    try:
        error = OAuthError.model_validate(response.json())
    except ValueError:
        return _shown(response)
    return error.error_description or error.error or _shown(response)


def _shown(response: httpx2.Response) -> str:
    text = " ".join(response.text.split())
    return shortened(text, _SHOWN)
