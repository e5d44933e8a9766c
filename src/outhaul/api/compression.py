"""Compression of answers under /rest, if the client accepts it (performance, HTTP compression)."""

from collections.abc import Callable

from starlette.datastructures import Headers
from starlette.middleware.gzip import GZipResponder, IdentityResponder
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from outhaul.api.service import LIMITS
from outhaul.limits import Limits
from outhaul.protocol.encodings import accepts_gzip

_REST = "/rest/"
_LEVEL = 6  # of higher levels, answers get hardly smaller, and much slower


class Compression:
    """ASGI middleware. Bulk calls are never compressed, nor are those of the token endpoint."""

    def __init__(self, app: ASGIApp, limits: Callable[[], Limits]) -> None:
        self._app = app
        self._limits = limits
        """The limits of calls whose caller is not known."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one call."""
        if scope["type"] != "http" or not scope["path"].startswith(_REST):
            await self._app(scope, receive, send)
            return
        accepted = accepts_gzip(",".join(Headers(scope=scope).getlist("accept-encoding")))
        # The second one only adds `Vary`, so that caches do not send a compressed answer to others.
        responder: IdentityResponder = (
            GZipResponder(self._app, 0, _LEVEL) if accepted else IdentityResponder(self._app, 0)
        )

        async def sized(scope: Scope, receive: Receive, send: Send) -> None:
            async def begun(message: Message) -> None:
                if message["type"] == "http.response.start":
                    # The limit is that of the caller, who is known only now.
                    limits: Limits = scope["state"].get(LIMITS) or self._limits()
                    least = limits.gzip_bytes
                    responder.minimum_size = _NEVER if least is None else least
                await send(message)

            await self._app(scope, receive, begun)

        responder.app = sized
        await responder(scope, receive, send)


_NEVER = 2**63
