"""Answers to errors. One function builds the body, for every row of `outhaul.errors`."""

from http import HTTPStatus

import structlog
from sqlalchemy.exc import SQLAlchemyError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from outhaul.api.json import JsonResponse
from outhaul.api.service import ERROR_CODE, call_id
from outhaul.database.engine import is_unavailable, reason
from outhaul.errors import LIMITS_ON_CALLS, ApiError, Error
from outhaul.lake.failures import LakeError
from outhaul.protocol.answers.envelope import Failure

log = structlog.get_logger()


def install_error_handlers(app: Starlette) -> None:
    """Have every exception answered with a failure envelope."""
    app.add_exception_handler(ApiError, _api_error)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(SQLAlchemyError, _database_error)
    app.add_exception_handler(LakeError, _lake_error)
    app.add_exception_handler(ClientDisconnect, _client_gone)
    app.add_exception_handler(Exception, _other_error)


def render_error(call: str, error: ApiError) -> JsonResponse:
    """Return the answer for an error."""
    body = Failure.of(call, error.error.code, error.message)
    return JsonResponse(body, status_code=error.error.status)


def _api_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, ApiError)  # noqa: S101 - it is registered for these
    setattr(request.state, ERROR_CODE, error.error.code)
    return render_error(call_id(request), error)


def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - it is registered for these
    try:
        # No endpoint has read the token, but a call with a valid token counts for the limits.
        request.app.state.service.caller(request)
    except ApiError as refusal:
        if refusal.error in LIMITS_ON_CALLS:
            return _api_error(request, refusal)
    except SQLAlchemyError as failure:
        return _database_error(request, failure)
    path = request.scope["path"]
    if error.status_code == 405:  # noqa: PLR2004 - the status that routing gives
        return _api_error(request, Error.METHOD_NOT_SUPPORTED(method=request.method, path=path))
    return _api_error(request, Error.PATH_UNKNOWN(path=path))


def _database_error(request: Request, error: Exception) -> Response:
    if not is_unavailable(error):
        return _other_error(request, error)
    log.error("the database cannot be reached", error=reason(error))
    return _api_error(request, Error.TRANSIENT(problem="the database cannot be reached"))


def _lake_error(request: Request, error: Exception) -> Response:
    log.error("the lake cannot be read", error=str(error))
    return _api_error(request, Error.TRANSIENT(problem="the records cannot be read"))


def _client_gone(_request: Request, _error: Exception) -> Response:
    """Count a call whose client left before the body was complete. Nobody reads the answer."""
    return Response(status_code=HTTPStatus.REQUEST_TIMEOUT)


def _other_error(request: Request, error: Exception) -> Response:
    log.error("a call failed", path=request.scope["path"], exc_info=error)
    return _api_error(request, Error.SYSTEM_ERROR())
