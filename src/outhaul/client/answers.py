"""Reading an endpoint's answers: the envelope, or the error that an answer stands for."""

from typing import Any

import httpx2

from outhaul.client.errors import AnswerError, HttpError, ProtocolError, refusal

_SHOWN = 200


def unwrap(response: httpx2.Response) -> dict[str, Any]:
    """Return the envelope of a success. Raises the error that the answer stands for."""
    if response.status_code != httpx2.codes.OK:
        if response.is_client_error and (refused := _refusal(response)) is not None:
            raise refused
        raise http_error(response)
    refused = _refusal(response)
    if refused is not None:
        raise refused
    body = json_object(response)
    if body.get("success") is not True:
        raise AnswerError("it says neither success nor an error")
    return body


def _refusal(response: httpx2.Response) -> ProtocolError | None:
    try:
        body = response.json()
    except ValueError:
        return None
    match body:
        case {"success": False, "errors": [{"code": code, "message": message}, *_]}:
            return refusal(str(code), str(message))
    return None


def json_object(response: httpx2.Response) -> dict[str, Any]:
    """Return the JSON object that an answer holds. Raises `AnswerError` where it holds none."""
    try:
        body = response.json()
    except ValueError:
        raise AnswerError(f"{_shown(response)!r} is not JSON") from None
    if not isinstance(body, dict):
        raise AnswerError(f"{_shown(response)!r} is not an object")
    return body


def http_error(response: httpx2.Response) -> HttpError:
    """Return the error that an answer with an HTTP status of its own stands for."""
    if response.is_redirect:
        detail = f"the endpoint is elsewhere: {response.headers.get('Location', '')}"
        # A redirected token call carries the secret in its address.
        return HttpError(response.status_code, detail.partition("?")[0])
    wait = response.headers.get("Retry-After", "")
    return HttpError(
        response.status_code,
        _shown(response) or response.reason_phrase,
        retry_after=float(wait) if wait.isascii() and wait.isdigit() else None,
    )


def oauth_problem(response: httpx2.Response) -> str:
    """Return what the token endpoint says is wrong."""
    try:
        body = response.json()
    except ValueError:
        return _shown(response)
    match body:
        case {"error_description": str(problem)} | {"error": str(problem)}:
            return problem
    return _shown(response)


def _shown(response: httpx2.Response) -> str:
    text = " ".join(response.text.split())
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"
