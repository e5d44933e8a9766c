"""Calls to an endpoint, with access tokens, the reading of envelopes, and retries."""

import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx2

from outhaul.client.answers import http_error, json_object, oauth_problem, read, unwrap
from outhaul.client.errors import (
    AnswerError,
    ClientError,
    CredentialsError,
    ProtocolError,
    UnreachableError,
)
from outhaul.client.retries import TOKEN_CODES, did_nothing, is_temporary, repeat
from outhaul.protocol.answers.identity import Token

T = TypeVar("T")
Params = Mapping[str, str | int | list[str]]

_TOKEN_PATH = "/identity/oauth/token"  # noqa: S105 - a path
_URL = re.compile(r"(https?://[^/?#\s]+(?:/[^?#\s]*?)??)/*(?:/(?:rest|identity|bulk)/*)?", re.ASCII)
_NOT_SENT = (
    httpx2.ConnectError,
    httpx2.ConnectTimeout,
    httpx2.PoolTimeout,
    httpx2.ProxyError,
    httpx2.UnsupportedProtocol,
)
_CONNECT_SECONDS = 10.0
_RENEW_SECONDS = 60.0
_FIRST_CONTACT_ATTEMPTS = 3


class Session:
    """Calls to one endpoint as one custom service. Threads may share a session.

    `url` is the endpoint's root, or its `/rest` or `/identity` address. `timeout` is in seconds.
    `transport` replaces the network, for tests. A session is a context manager that closes its
    connections. Raises `ValueError` if `url` is not an HTTP address.
    """

    def __init__(  # noqa: PLR0913 - each says how an endpoint is reached
        self,
        url: str,
        client_id: str,
        client_secret: str,
        *,
        transport: httpx2.BaseTransport | None = None,
        timeout: float = 60.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        match = _URL.fullmatch(url.strip())
        if match is None:
            raise ValueError(f"{url!r} is not an address such as https://123-ABC-456.mktorest.com")
        self.url = match.group(1)
        self._credentials = {"client_id": client_id, "client_secret": client_secret}
        self._clock = clock
        try:
            self._client = httpx2.Client(
                base_url=self.url,
                transport=transport,
                timeout=httpx2.Timeout(timeout, connect=min(timeout, _CONNECT_SECONDS)),
            )
        except httpx2.InvalidURL as error:
            raise ValueError(f"{url!r} is not an address: {error}") from error
        self._token = ""
        self._token_ends = float("-inf")
        self._token_lock = threading.Lock()
        self._met = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def call(
        self,
        method: str,
        path: str,
        params: Params | None = None,
        json: Mapping[str, Any] | None = None,
        *,
        repeatable: bool | None = None,
    ) -> dict[str, Any]:
        """Return the envelope of a successful call: `result`, `nextPageToken` and so on.

        The call is repeated after temporary errors. A call that is not `repeatable` (the default
        for all methods but GET) is repeated only if the error shows that it changed nothing. A
        `ProtocolError` of a repeatable call has `repeated` set if an earlier attempt may have
        succeeded. Raises `ClientError`.
        """
        if repeatable is None:
            repeatable = method == "GET"
        unsure = False

        def attempt() -> dict[str, Any]:
            nonlocal unsure
            try:
                return self._with_token(lambda token: self._send(method, path, params, json, token))
            except ClientError as error:
                if isinstance(error, ProtocolError):
                    error.repeated = unsure
                unsure = unsure or not did_nothing(error)
                raise

        return self.repeat(attempt, on=is_temporary if repeatable else _certain)

    def repeat(self, call: Callable[[], T], *, on: Callable[[ClientError], bool]) -> T:
        """Return what `call` returns. Repeat the call after errors for which `on` is true.

        A server that has never answered gets three attempts only: its address is probably wrong.
        """
        misses = 0

        def again(error: ClientError) -> bool:
            nonlocal misses
            if isinstance(error, UnreachableError) and not self._met:
                misses += 1
                if misses >= _FIRST_CONTACT_ATTEMPTS:
                    return False
            return on(error)

        return repeat(call, on=again)

    @contextmanager
    def stream(
        self, path: str, headers: Mapping[str, str] | None = None
    ) -> Iterator[httpx2.Response]:
        """Yield the answer of a file call, status 200 or 206, before its body is read.

        The call is repeated only if its token was refused. Raises `ClientError`, also while the
        body is read.
        """
        response = self._with_token(lambda token: self._open(path, headers or {}, token))
        try:
            with self._network():
                yield response
        finally:
            response.close()

    def _send(
        self,
        method: str,
        path: str,
        params: Params | None,
        json: Mapping[str, Any] | None,
        token: str,
    ) -> dict[str, Any]:
        with self._network():
            response = self._client.request(
                method, path, params=params, json=json, headers=_bearer(token)
            )
        return unwrap(response)

    def _open(self, path: str, headers: Mapping[str, str], token: str) -> httpx2.Response:
        # Ranges and checksums count bytes of the uncompressed file.
        headers = {**headers, **_bearer(token), "Accept-Encoding": "identity"}
        with self._network():
            request = self._client.build_request("GET", path, headers=headers)
            # The endpoint may redirect to a bucket; httpx2 does not send the token to another host.
            response = self._client.send(request, stream=True, follow_redirects=True)
            if response.status_code in (200, 206) and not _is_envelope(response):
                return response
            try:
                response.read()
            finally:
                response.close()
        unwrap(response)
        raise AnswerError("the server sent JSON in place of a file")

    def _with_token(self, call: Callable[[str], T]) -> T:
        token = self._fresh_token()
        try:
            return call(token)
        except ProtocolError as error:
            if error.code not in TOKEN_CODES:
                raise
        return call(self._fresh_token(refused=token))

    def _fresh_token(self, refused: str | None = None) -> str:
        with self._token_lock:
            if self._token == refused or self._clock() >= self._token_ends:
                self._token, life = self._ask_token()
                # The life can be short: a server may return an earlier token again.
                self._token_ends = self._clock() + life - min(_RENEW_SECONDS, life / 10)
            return self._token

    def _ask_token(self) -> tuple[str, float]:
        """Return an access token and its life in seconds. Raises `CredentialsError`."""
        params = {"grant_type": "client_credentials", **self._credentials}
        with self._network():
            response = self._client.get(_TOKEN_PATH, params=params)
        if response.status_code == httpx2.codes.UNAUTHORIZED:
            raise CredentialsError(oauth_problem(response))
        if response.is_error or response.is_redirect:
            raise http_error(response)
        found = read(Token, json_object(response), "the token")
        return found.access_token, found.expires_in

    @contextmanager
    def _network(self) -> Iterator[None]:
        try:
            yield
        except httpx2.RequestError as error:
            sent = not isinstance(error, _NOT_SENT)
            detail = f"{self.url}: {error or type(error).__name__}"
            raise UnreachableError(detail, sent=sent) from error
        self._met = True


def _certain(error: ClientError) -> bool:
    return is_temporary(error) and did_nothing(error)


def _is_envelope(response: httpx2.Response) -> bool:
    """Return whether an answer is JSON. A file in JSON Lines has another media type."""
    media_type: str = response.headers.get("Content-Type", "").partition(";")[0]
    return media_type.strip().lower() in ("application/json", "text/json")


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}
