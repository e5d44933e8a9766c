"""What every call passes first: its path in order, its URI and body not too large."""

import posixpath
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from outhaul.api.errors import render_error
from outhaul.errors import ApiError, Error
from outhaul.protocol.envelope import request_id
from outhaul.settings import Limits


class Gate:
    """ASGI middleware."""

    def __init__(self, app: ASGIApp, limits: Limits) -> None:
        self._app = app
        self._limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one call, or answer 413 or 414."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        # Clients send /rest/../bulk/v1/leads/export/create.json.
        path = normal_path(scope["path"])
        scope = {**scope, "path": path, "raw_path": path.encode()}
        try:
            body_limit = self._check(scope)
        except ApiError as error:
            await render_error(request_id(), error)(scope, receive, send)
            return
        await self._app(scope, _Metered(receive, body_limit), send)

    def _check(self, scope: Scope) -> int:
        """Return how long the body may be."""
        limit = self._limits.uri_bytes
        if len(scope["path"].encode()) + 1 + len(scope["query_string"]) > limit:
            raise Error.URI_TOO_LONG(limit=limit)
        bulk = scope["path"].startswith("/bulk/")
        limit = self._limits.bulk_body_bytes if bulk else self._limits.body_bytes
        length = Headers(scope=scope).get("content-length", "")
        if length.isdecimal() and int(length) > limit:
            raise Error.BODY_TOO_LARGE(limit=limit)
        return limit


class _Metered:
    """A body that is refused when it turns out to be longer than allowed."""

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


def normal_path(path: str) -> str:
    """Return a path without dot segments and doubled slashes."""
    normal = posixpath.normpath("/" + path.lstrip("/"))
    return normal + "/" if path.endswith("/") and normal != "/" else normal
