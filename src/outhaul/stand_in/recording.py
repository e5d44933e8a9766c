"""Recording of calls: who makes a call, what it asks for, and how it is answered."""

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import parse_qs

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from outhaul.api.gate import normal_path
from outhaul.database.engine import Database
from outhaul.stand_in.calls import Call, name_call, set_call
from outhaul.stand_in.who import header_token, query_of, who

BODY_BYTES = 65_536
"""Largest body that is recorded, in bytes."""

HIDDEN = "***"
"""What replaces secrets and access tokens."""

_SECRETS = ("client_secret", "access_token")


class Recording:
    """ASGI middleware, the outermost one. It attaches a `Call` to the scope of each call."""

    def __init__(self, app: ASGIApp, database: Database, clock: Callable[[], datetime]) -> None:
        self._app = app
        self._database = database
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one call."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        scope = {**scope, "state": dict(scope.get("state") or {})}
        early = await _Early.read(scope, receive)
        set_call(scope, await run_in_threadpool(self._call, scope, early.body))
        await self._app(scope, early.receive, send)

    def _call(self, scope: Scope, body: bytes | None) -> Call:
        at = self._clock()
        path = normal_path(scope["path"])
        query = query_of(scope)
        form = _form(scope, body)
        named = name_call(path)
        secrets = [
            value
            for value in (
                header_token(scope),
                *(given.get(name) for given in (query, form) for name in _SECRETS),
            )
            if value
        ]
        return Call(
            name=named.name,
            kind=named.kind,
            job=named.job,
            method=scope["method"],
            path=hidden(path, secrets),
            query=hidden(query, secrets),
            body=dict(hidden(form, secrets)) if form else _content(body, secrets),
            who=who(self._database, {**scope, "path": path}, form),
            at=at,
        )


class _Early:
    """A body that was read before the application asks for it, and is given to it again."""

    def __init__(self, messages: list[Message], receive: Receive, body: bytes | None) -> None:
        self._messages = messages
        self._receive = receive
        self.body = body
        """The whole body; `None` if it is larger than `BODY_BYTES`, or broke off."""

    @classmethod
    async def read(cls, scope: Scope, receive: Receive) -> "_Early":
        length = Headers(scope=scope).get("content-length", "0")
        # A body that is too large to be recorded is left to the application, which may refuse it
        # before it arrives.
        if not length.isdecimal() or len(length) > 9 or int(length) > BODY_BYTES:  # noqa: PLR2004
            return cls([], receive, None)
        messages: list[Message] = []
        body = b""
        while len(body) <= BODY_BYTES:
            message = await receive()
            messages.append(message)
            if message["type"] != "http.request":
                return cls(messages, receive, None)
            body += message.get("body", b"")
            if not message.get("more_body", False):
                return cls(messages, receive, body)
        return cls(messages, receive, None)

    async def receive(self) -> Message:
        return self._messages.pop(0) if self._messages else await self._receive()


def hidden(value: Any, secrets: list[str]) -> Any:  # noqa: ANN401 - any JSON value
    """Return a JSON value in which no text contains one of `secrets`."""
    if isinstance(value, str):
        for secret in secrets:
            value = value.replace(secret, HIDDEN)
        return value
    if isinstance(value, Mapping):
        return {
            hidden(name, secrets): HIDDEN if name in _SECRETS else hidden(inner, secrets)
            for name, inner in value.items()
        }
    if isinstance(value, list):
        return [hidden(inner, secrets) for inner in value]
    return value


def _form(scope: Scope, body: bytes | None) -> Mapping[str, str]:
    if not body or "urlencoded" not in Headers(scope=scope).get("content-type", ""):
        return {}
    fields = parse_qs(body.decode("utf-8", "replace"), keep_blank_values=True)
    return {name: values[0] for name, values in fields.items()}


def _content(body: bytes | None, secrets: list[str]) -> Any:  # noqa: ANN401 - any JSON value
    """Return the JSON value of a body, or its text if it is no JSON, both without secrets."""
    if not body:
        return None
    try:
        return hidden(json.loads(body), secrets)
    except (ValueError, RecursionError):
        return hidden(body.decode("utf-8", "replace"), secrets)
