"""Recording of calls: who makes a call, what it asks for, and how it is answered."""

import json
import time
import zlib
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import parse_qs

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from outhaul.accounts.tokens import token_hash
from outhaul.api.gate import normal_path
from outhaul.database.engine import Database
from outhaul.stand_in.calls import Call, name_call, set_call
from outhaul.stand_in.journal import Entry, Journal
from outhaul.stand_in.who import Who, header_token, query_of, who

BODY_BYTES = 65_536
"""Largest body that is recorded, in bytes."""

HIDDEN = "***"
"""What replaces secrets and access tokens."""

_MOST_TOKENS = 10_000
_SECRETS = ("client_secret", "access_token")


class Recording:
    """ASGI middleware, the outermost one. It attaches a `Call` to the scope of each call.

    When a call ends, it becomes an entry of the journal, before the last byte of its answer is
    sent. A client that has an answer thus finds its call in the journal.
    """

    def __init__(
        self, app: ASGIApp, database: Database, journal: Journal, clock: Callable[[], datetime]
    ) -> None:
        self._app = app
        self._database = database
        self._journal = journal
        self._clock = clock
        self._services: dict[str, Who] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one call."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.monotonic()
        scope = {**scope, "state": dict(scope.get("state") or {})}
        early = await _Early.read(scope, receive)
        call = await run_in_threadpool(self._call, scope, early.body)
        set_call(scope, call)
        answer = _Answer()

        async def watched(message: Message) -> None:
            if answer.ends_with(message):
                self._journal.add(self._entry(call, answer, began))
            await send(message)

        try:
            await self._app(scope, early.receive, watched)
        finally:
            if not answer.ended:
                self._journal.add(self._entry(call, answer, began))

    def _entry(self, call: Call, answer: "_Answer", began: float) -> Entry:
        code, job = answer.said(call.name)
        return Entry(
            number=self._journal.next_number(),
            call=call,
            job=call.job or job,
            status=answer.status,
            code=code,
            milliseconds=1_000 * (time.monotonic() - began),
        )

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
            name=hidden(named.name, secrets),
            kind=hidden(named.kind, secrets),
            job=hidden(named.job, secrets),
            method=scope["method"],
            path=hidden(path, secrets),
            query=hidden(query, secrets),
            body=dict(hidden(form, secrets)) if form else _content(body, secrets),
            body_bytes=len(body or b""),
            range=hidden(Headers(scope=scope).get("range"), secrets),
            who=self._who({**scope, "path": path}, form),
            at=at,
        )

    def _who(self, scope: Scope, form: Mapping[str, str]) -> Who | None:
        """Return who makes a call. An access token is known also after it was deleted."""
        text = header_token(scope) or query_of(scope).get("access_token")
        key = token_hash(text) if text else ""
        found = who(self._database, scope, form) or self._services.get(key)
        if key and found is not None:
            if len(self._services) >= _MOST_TOKENS:
                self._services.clear()
            self._services[key] = found
        return found


class _Answer:
    """What the journal needs of an answer."""

    def __init__(self) -> None:
        self.status: int | None = None
        self.ended = False
        self._encoding: str | None = None
        self._body: bytes | None = None

    def ends_with(self, message: Message) -> bool:
        """Take in a message of the answer; return whether it is the last one."""
        if message["type"] == "http.response.start":
            headers = Headers(raw=message.get("headers", []))
            self.status = message["status"]
            self._encoding = headers.get("content-encoding")
            self._body = b"" if "json" in headers.get("content-type", "") else None
        elif message["type"] == "http.response.body":
            if self._body is not None:
                self._body += message.get("body", b"")
                if len(self._body) > BODY_BYTES:
                    self._body = None
            self.ended = not message.get("more_body", False)
        return self.ended

    def said(self, name: str) -> tuple[str | None, str | None]:
        """Return the code of the error, and the id of the job that a call `create` made."""
        try:
            content = json.loads(_decompressed(self._body or b"", self._encoding))
            if errors := content.get("errors"):
                return str(errors[0]["code"]), None
            if "error" in content:
                return str(content["error"]), None
            return None, str(content["result"][0]["exportId"]) if name == "create" else None
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError, zlib.error):
            return None, None  # a long answer was not kept, and others are no JSON


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


def _decompressed(body: bytes, encoding: str | None) -> bytes:
    if encoding != "gzip":
        return body
    return zlib.decompressobj(wbits=31).decompress(body, BODY_BYTES)


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
