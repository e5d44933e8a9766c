"""The application of the control API: its token, its routes, and its answers to errors."""

import hmac

import structlog
from sqlalchemy.exc import SQLAlchemyError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from outhaul.api.json import JsonResponse
from outhaul.database.engine import is_unavailable
from outhaul.stand_in.control.calls import calls_routes
from outhaul.stand_in.control.clocks import clock_routes
from outhaul.stand_in.control.jobs import jobs_routes
from outhaul.stand_in.control.requests import ControlError
from outhaul.stand_in.control.state import State
from outhaul.stand_in.control.subscriptions import subscriptions_routes
from outhaul.stand_in.who import header_token

ROOT = "/_outhaul"
"""What the paths of all control calls begin with."""

log = structlog.get_logger()


def control_app(state: State, token: str) -> ASGIApp:
    """Return the application. Every call needs `Authorization: Bearer <token>`."""
    app = Starlette(
        routes=[
            *subscriptions_routes(state),
            *calls_routes(state),
            *jobs_routes(state),
            *clock_routes(state),
        ],
        exception_handlers={
            ControlError: _refused,
            HTTPException: _not_found,
            ClientDisconnect: _gone,
            SQLAlchemyError: _database_failed,
            Exception: _failed,
        },
    )
    app.router.redirect_slashes = False
    return _Guard(app, token)


class _Guard:
    """Lets calls with the control token in."""

    def __init__(self, app: ASGIApp, token: str) -> None:
        self._app = app
        self._token = token.encode("utf-8", "surrogatepass")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        given = (header_token(scope) or "").encode("utf-8", "surrogatepass")
        if hmac.compare_digest(given, self._token):
            await self._app(scope, receive, send)
            return
        refusal = ControlError(
            401, "the control token is missing or wrong: send Authorization: Bearer <control token>"
        )
        answer = _answer(refusal)
        answer.headers["WWW-Authenticate"] = 'Bearer realm="outhaul control"'
        await answer(scope, receive, send)


def _answer(error: ControlError) -> JsonResponse:
    content = {"error": error.message}
    if error.parameter is not None:
        content["parameter"] = error.parameter
    return JsonResponse(content, status_code=error.status)


def _refused(_request: Request, error: Exception) -> Response:
    assert isinstance(error, ControlError)  # noqa: S101 - it is registered for these
    return _answer(error)


def _not_found(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - it is registered for these
    path = request.scope["path"][:200]
    if error.status_code == 405:  # noqa: PLR2004 - the status that routing gives
        answer = _answer(ControlError(405, f"{request.method} is not possible for {path}"))
        answer.headers.update(error.headers or {})
        return answer
    return _answer(ControlError(404, f"there is no control call {path}"))


def _gone(_request: Request, _error: Exception) -> Response:
    return Response(status_code=408)  # nobody reads it


def _database_failed(request: Request, error: Exception) -> Response:
    if not is_unavailable(error):
        return _failed(request, error)
    return _answer(ControlError(503, "the database cannot be reached"))


def _failed(request: Request, error: Exception) -> Response:
    log.error("a control call failed", path=request.scope["path"], exc_info=error)
    return _answer(ControlError(500, "the call failed; the log of the server has the reason"))
