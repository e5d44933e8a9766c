"""The token endpoint: OAuth 2.0 with client credentials."""

from dataclasses import replace
from urllib.parse import parse_qs

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from outhaul.accounts.tokens import CredentialsInvalidError, issue_token
from outhaul.api.calls import FORM, Call, Reply, form_of
from outhaul.api.json import JsonResponse
from outhaul.api.service import Service
from outhaul.protocol.answers.envelope import Failure
from outhaul.protocol.answers.identity import OAuthError, Token
from outhaul.protocol.parameters import Parameter
from outhaul.protocol.shapes import TEXT

PATH = "/identity/oauth/token"

# Answers with tokens must not be cached (RFC 6749, 5.1).
_HEADERS = {"Cache-Control": "no-store"}


_GRANT = Parameter(
    name="grant_type",
    shape={"type": "string", "enum": ["client_credentials"]},
    description="How the client authenticates.",
    required=True,
)
_CLIENT_ID = Parameter(
    name="client_id", shape=TEXT, description="The id of a custom service.", required=True
)
_CLIENT_SECRET = Parameter(
    name="client_secret", shape=TEXT, description="The secret of that service.", required=True
)
PARAMETERS = (_GRANT, _CLIENT_ID, _CLIENT_SECRET)

_NOT_STORED = {"Cache-Control": "`no-store`."}
_REPLIES = {
    200: Reply(
        description="A token, or a failure if the database cannot be reached.",
        models=(Token, Failure),
    ),
    400: Reply(description="Unknown grant type.", models=(OAuthError,), headers=_NOT_STORED),
    401: Reply(
        description="The id or the secret of the service is wrong.",
        models=(OAuthError,),
        headers=_NOT_STORED | {"WWW-Authenticate": "How to authenticate."},
    ),
}


def identity_calls(service: Service) -> list[Call]:
    """Return the calls of the token endpoint."""

    async def token(request: Request) -> Response:
        given = await _parameters(request)
        if given.get(_GRANT.name) != "client_credentials":
            return _refusal(400, "unsupported_grant_type", "grant_type must be client_credentials")
        return await run_in_threadpool(_issue, service, given)

    return [
        Call(
            method="GET",
            path=PATH,
            endpoint=token,
            operation_id="token_get",
            tag="identity",
            summary="Issue an access token.",
            parameters=PARAMETERS,
            replies=_REPLIES,
            needs_token=False,
        ),
        Call(
            method="POST",
            path=PATH,
            endpoint=token,
            operation_id="token_post",
            tag="identity",
            summary="Issue an access token.",
            description="Each parameter may be in the query or in the form.",
            parameters=tuple(replace(entry, required=False) for entry in PARAMETERS),
            bodies={FORM: form_of(PARAMETERS)},
            body_required=False,
            replies=_REPLIES,
            needs_token=False,
        ),
    ]


def _issue(service: Service, given: dict[str, str]) -> Response:
    try:
        token = issue_token(
            service.database,
            client_id=given.get(_CLIENT_ID.name, ""),
            client_secret=given.get(_CLIENT_SECRET.name, ""),
            life_seconds=lambda overrides, moment: (
                service.settings.limits_of(overrides, moment).token_seconds
            ),
            real=service.clock(),
        )
    except CredentialsInvalidError as error:
        return _refusal(401, "invalid_client", str(error))
    return JsonResponse(
        Token(
            access_token=token.text,
            token_type="bearer",  # noqa: S106 - a type of tokens
            expires_in=token.seconds,
            scope=token.scope,
        ),
        headers=_HEADERS,
    )


def _refusal(status: int, error: str, description: str) -> Response:
    """Return an OAuth error. A 401 has `WWW-Authenticate`, without which clients fail."""
    body = OAuthError(error=error, error_description=description)
    headers = _HEADERS | ({"WWW-Authenticate": 'Basic realm="outhaul"'} if status == 401 else {})  # noqa: PLR2004
    return JsonResponse(body, status_code=status, headers=headers)


async def _parameters(request: Request) -> dict[str, str]:
    given = dict(request.query_params)
    if "urlencoded" in request.headers.get("content-type", ""):
        body = (await request.body()).decode("utf-8", "replace")
        form = parse_qs(body, keep_blank_values=True)
        given = {name: values[0] for name, values in form.items()} | given
    return given
