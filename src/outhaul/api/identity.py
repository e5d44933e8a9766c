"""The token endpoint: OAuth client credentials."""

from typing import Any
from urllib.parse import parse_qs

from fastapi import APIRouter
from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from outhaul.accounts.tokens import CredentialsInvalidError, issue_token
from outhaul.api.json import JsonResponse
from outhaul.api.service import Service

PATH = "/identity/oauth/token"

# A client of a token endpoint must not keep its answer (RFC 6749, 5.1).
_HEADERS = {"Cache-Control": "no-store"}


class TokenAnswer(BaseModel):
    """An access token, and the seconds that are left of its life."""

    access_token: str
    token_type: str
    expires_in: int
    scope: str


def identity_router(service: Service) -> APIRouter:
    """Return the routes of the token endpoint."""
    router = APIRouter(tags=["identity"])

    async def token(request: Request) -> Response:
        """Issue an access token for `grant_type=client_credentials`.

        Parameters come in the query, in a form body, or both.
        """
        given = await _parameters(request)
        if given.get("grant_type") != "client_credentials":
            return _refusal(400, "unsupported_grant_type", "grant_type must be client_credentials")
        return await run_in_threadpool(_issue, service, given)

    for method in ("GET", "POST"):
        router.add_api_route(
            PATH,
            token,
            methods=[method],
            response_model=TokenAnswer,
            operation_id=f"token_{method.lower()}",
        )
    return router


def _issue(service: Service, given: dict[str, str]) -> Response:
    try:
        token = issue_token(
            service.database,
            client_id=given.get("client_id", ""),
            client_secret=given.get("client_secret", ""),
            life_seconds=lambda overrides: service.settings.limits_of(overrides).token_seconds,
            moment=service.clock(),
        )
    except CredentialsInvalidError as error:
        return _refusal(401, "invalid_client", str(error))
    return JsonResponse(
        {
            "access_token": token.text,
            "token_type": "bearer",
            "expires_in": token.seconds,
            "scope": token.scope,
        },
        headers=_HEADERS,
    )


def _refusal(status: int, error: str, description: str) -> Response:
    """Return an OAuth error; clients fail on a 401 that does not say how to authenticate."""
    body: dict[str, Any] = {"error": error, "error_description": description}
    headers = _HEADERS | ({"WWW-Authenticate": 'Basic realm="outhaul"'} if status == 401 else {})  # noqa: PLR2004
    return JsonResponse(body, status_code=status, headers=headers)


async def _parameters(request: Request) -> dict[str, str]:
    given = dict(request.query_params)
    if "urlencoded" in request.headers.get("content-type", ""):
        body = (await request.body()).decode("utf-8", "replace")
        form = parse_qs(body, keep_blank_values=True)
        given = {name: values[0] for name, values in form.items()} | given
    return given
