"""The first checks of every call: the size of URI and body. Paths are normalized."""

import posixpath
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from outhaul.api.errors import render_error
from outhaul.errors import ApiError, Error
from outhaul.limits import Limits
from outhaul.protocol.answers.envelope import request_id

_DIGITS = 18


class Gate:
    """ASGI middleware that normalizes paths, and refuses URIs and bodies that are too large."""

    def __init__(self, app: ASGIApp, limits: Limits) -> None:
        self._app = app
        self._limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one call, or answer with status 413 or 414."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        uri_bytes = _uri_bytes(scope)
        # Clients send /rest/../bulk/v1/leads/export/create.json.
        path = normal_path(scope["path"])
        scope = {**scope, "path": path, "raw_path": path.encode()}
        try:
            body_limit = self._check(scope, uri_bytes)
        except ApiError as error:
            await render_error(request_id(), error)(scope, receive, send)
            return
        await self._app(scope, _Metered(receive, body_limit), send)

    def _check(self, scope: Scope, uri_bytes: int) -> int:
        """Return the limit of the body, in bytes."""
        limit = self._limits.uri_bytes
        if uri_bytes > limit:
            raise Error.URI_TOO_LONG(limit=limit)
        bulk = scope["path"].startswith("/bulk/")
        limit = self._limits.bulk_body_bytes if bulk else self._limits.body_bytes
        length = Headers(scope=scope).get("content-length", "")
        # Python refuses to parse integers of thousands of digits, so long ones are not parsed.
        if length.isdecimal() and (len(length) > _DIGITS or int(length) > limit):
            raise Error.BODY_TOO_LARGE(limit=limit)
        return limit


class _Metered:
    """Receives a body, and refuses it once it is longer than the limit."""

    def __init__(
        self, receive: Callable[[], Awaitable[MutableMapping[str, Any]]], limit: int
    ) -> None:
        self._receive = receive
        self._limit = limit
        self._seen = 0

    async def __call__(self) -> MutableMapping[str, Any]:
        message = await self._receive()
        self._seen += len(message.get("body", b""))
        if self._seen > self._limit:
            raise Error.BODY_TOO_LARGE(limit=self._limit)
        return message


def _uri_bytes(scope: Scope) -> int:
    """Return the bytes of path and query as the client sent them, before any decoding."""
    path = scope.get("raw_path") or scope["path"].encode()
    query = scope["query_string"]
    return len(path) + (len(query) + 1 if query else 0)


def normal_path(path: str) -> str:
    """Return a path without dot segments and doubled slashes."""
    normal = posixpath.normpath("/" + path.lstrip("/"))
    return normal + "/" if path.endswith("/") and normal != "/" else normal
