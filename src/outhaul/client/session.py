"""Calls to an endpoint, with access tokens, the reading of envelopes, and retries."""

import copy
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx2

from outhaul.client.answers import Reply, moment_of, unwrap
from outhaul.client.errors import (
    AnswerError,
    ClientError,
    HttpError,
    ProtocolError,
    UnreachableError,
)
from outhaul.client.pacing import Pacing
from outhaul.client.patience import Patience
from outhaul.client.retries import (
    Backoff,
    did_nothing,
    is_harmless,
    is_temporary,
    is_token_refusal,
    may_pass,
    repeat,
)
from outhaul.client.tokens import Tokens

T = TypeVar("T")
Params = dict[str, str] | Mapping[str, str | int | list[str]]

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
_FIRST_CONTACT_ATTEMPTS = 3
_TOKEN_REFUSALS = 3


def _quiet(_line: str) -> None:
    pass


@dataclass(frozen=True, kw_only=True)
class Call:
    """What is sent in one call, except for the token."""

    method: str
    path: str
    params: Params | None = None
    json: Mapping[str, Any] | None = None
    form: Mapping[str, str] | None = None
    """Parameters in the body, for those that are too long for a URI."""
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass
class _Contact:
    """What is known of an endpoint from its answers."""

    met: bool = False
    """Whether it has ever answered."""
    date: datetime | None = None
    """The time of its clock in its latest answer, if it gives one."""
    dated: float = 0.0
    """When that answer came, in seconds of the client's clock."""


class Session:
    """Calls to one endpoint as one custom service. Threads may share a session.

    `url` is the endpoint's root, or its `/rest` or `/identity` address. `timeout` is how long one
    call waits for the server, in seconds. `patience` limits the time of all calls and of the pauses
    between them; `backoff` says how often a call is repeated, and `notice` gets a line of text
    before that. `calls_in_20_seconds` is the endpoint's limit; calls wait so as to stay below it.
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
        patience: Patience | None = None,
        backoff: Backoff | None = None,
        notice: Callable[[str], None] = _quiet,
        calls_in_20_seconds: int | None = None,
    ) -> None:
        match = _URL.fullmatch(url.strip())
        if match is None:
            raise ValueError(f"{url!r} is not an address such as https://123-ABC-456.mktorest.com")
        self.url = match.group(1)
        self.patience = patience or Patience()
        self.notice = notice
        self._backoff = backoff or Backoff()
        self._timeout = timeout
        try:
            self._client = httpx2.Client(base_url=self.url, transport=transport)
        except httpx2.InvalidURL as error:
            raise ValueError(f"{url!r} is not an address: {error}") from error
        self._tokens = Tokens(client_id, client_secret)
        self._contact = _Contact()
        self._pacing = Pacing(calls_in_20_seconds)
        self._paced = True

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

    def within(self, seconds: float) -> Self:
        """Return the same session with a limit of its own, for the calls that tidy up at the end.

        It shares the connections and the token, and shows no notices. Do not close it.
        """
        other = copy.copy(self)
        other.patience = self.patience.within(seconds)
        other.notice = _quiet
        other._paced = False  # noqa: SLF001 - an object of this class
        return other

    def pace(self, calls_in_20_seconds: int | None) -> None:
        """Stay below a limit on calls from now on, such as the one that the endpoint tells."""
        self._pacing.limit(calls_in_20_seconds)

    def endpoint_time(self) -> datetime | None:
        """Return what the endpoint's clock shows now, or `None` if it has not told its time."""
        contact = self._contact
        if contact.date is None:
            return None
        return contact.date + timedelta(seconds=self.patience.now() - contact.dated)

    def call(
        self,
        method: str,
        path: str,
        params: Params | None = None,
        json: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Return the envelope of a successful call: `result`, `nextPageToken` and so on.

        The call is repeated after temporary errors; if it is not a GET, only after those that show
        that it changed nothing. Raises `ClientError`.
        """
        call = Call(method=method, path=path, params=params, json=json)
        return self.ask(dict, call, on=is_temporary if method == "GET" else is_harmless)

    def ask(
        self,
        read: Callable[[dict[str, Any]], T],
        call: Call,
        *,
        on: Callable[[ClientError], bool] = is_temporary,
    ) -> T:
        """Return what `read` makes of the envelope of a successful call.

        The call is repeated after errors for which `on` is true, also those that `read` raises. A
        `ProtocolError` has `repeated` set if an earlier attempt may have succeeded. Raises
        `ClientError`.
        """
        unsure = False

        def attempt() -> T:
            nonlocal unsure
            try:
                return self.once(read, call)
            except ClientError as error:
                if isinstance(error, ProtocolError):
                    error.repeated = unsure
                unsure = unsure or not did_nothing(error)
                raise

        return self.repeat(attempt, on=on)

    def once(
        self,
        read: Callable[[dict[str, Any]], T],
        call: Call,
        run: Callable[[Callable[[], T]], T] = lambda send: send(),
    ) -> T:
        """Make a call as `ask` does, but do not repeat it, unless its token was refused.

        `run` runs the function that sends the call and reads the answer. When it begins, the token
        has been asked for and waited for. Raises `ClientError`.
        """

        def send(token: str) -> T:
            return read(unwrap(self._exchange(replace(call, headers=_bearer(token)))))

        return self._with_token(lambda token: run(lambda: send(token)))

    def repeat(self, call: Callable[[], T], *, on: Callable[[ClientError], bool]) -> T:
        """Return what `call` returns. Repeat the call after errors for which `on` is true.

        A server that has never answered gets three attempts only: its address is probably wrong.
        So does a call whose token is refused, although each attempt asks for a new one.
        """
        misses = refusals = 0

        def again(error: ClientError) -> bool:
            nonlocal misses, refusals
            misses += isinstance(error, UnreachableError) and not self._contact.met
            refusals += is_token_refusal(error)
            if misses >= _FIRST_CONTACT_ATTEMPTS or refusals >= _TOKEN_REFUSALS:
                return False
            return on(error)

        return repeat(
            call, on=again, patience=self.patience, notice=self.notice, backoff=self._backoff
        )

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

    def _exchange(self, call: Call) -> Reply:
        """Send one request, and read the answer to its end."""
        self._admit()
        asked = self._client.stream(
            call.method,
            call.path,
            params=call.params,
            json=call.json,
            data=call.form,
            headers=call.headers,
            timeout=self._limits(),
        )
        with self._network(), asked as response:
            self._note(response)
            return Reply.of(response, self.patience.check)

    def _open(self, path: str, headers: Mapping[str, str], token: str) -> httpx2.Response:
        # Ranges and checksums count bytes of the uncompressed file.
        headers = {**headers, **_bearer(token), "Accept-Encoding": "identity"}
        self._admit()
        with self._network():
            request = self._client.build_request(
                "GET", path, headers=headers, timeout=self._limits()
            )
            # The endpoint may redirect to a bucket; httpx2 does not send the token to another host.
            response = self._client.send(request, stream=True, follow_redirects=True)
            self._note(response)
            if response.status_code in (200, 206) and not _is_envelope(response):
                return response
            try:
                reply = Reply.of(response, self.patience.check)
            finally:
                response.close()
        unwrap(reply)
        raise AnswerError("the server sent JSON in place of a file")

    def _admit(self) -> None:
        # What tidies up at the end has too little time to wait for 20 seconds.
        self._pacing.admit(self.patience, waits=self._paced)

    def _limits(self) -> httpx2.Timeout:
        longest = self.patience.at_most(self._timeout)
        return httpx2.Timeout(longest, connect=min(longest, _CONNECT_SECONDS))

    def _note(self, response: httpx2.Response) -> None:
        self._contact.met = True
        if (date := moment_of(response.headers)) is not None:
            self._contact.date, self._contact.dated = date, self.patience.now()

    def _with_token(self, call: Callable[[str], T]) -> T:
        token = self._token()
        try:
            return call(token)
        except (ProtocolError, HttpError) as error:
            if not is_token_refusal(error):
                raise
        return call(self._token(refused=token))

    def _token(self, refused: str | None = None) -> str:
        """Return an access token. Its call is repeated on its own account.

        An endpoint that has issued a token before is in maintenance if it answers 404; one that has
        not is probably none.
        """
        on = may_pass if self._tokens.had else is_temporary
        return self.repeat(lambda: self._tokens.get(self._ask_token, self.patience, refused), on=on)

    def _ask_token(self, params: dict[str, str]) -> Reply:
        return self._exchange(Call(method="GET", path=_TOKEN_PATH, params=params))

    @contextmanager
    def _network(self) -> Iterator[None]:
        try:
            yield
        except httpx2.RequestError as error:
            sent = not isinstance(error, _NOT_SENT)
            detail = f"{self.url}: {error or type(error).__name__}"
            raise UnreachableError(detail, sent=sent) from error


def _is_envelope(response: httpx2.Response) -> bool:
    """Return whether an answer is JSON. A file in JSON Lines has another media type."""
    media_type: str = response.headers.get("Content-Type", "").partition(";")[0]
    return media_type.strip().lower() in ("application/json", "text/json")


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}
