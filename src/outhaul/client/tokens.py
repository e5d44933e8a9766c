"""The access token of a session: asked for when it is needed, and renewed before it ends."""

import threading
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import httpx2

from outhaul.client.answers import (
    Reply,
    http_error,
    is_refusal,
    json_object,
    oauth_problem,
    read,
)
from outhaul.client.errors import AnswerError, CredentialsError
from outhaul.client.patience import Patience
from outhaul.protocol.answers.identity import Token
from outhaul.protocol.texts import one_line

Ask = Callable[[dict[str, str]], Reply]

_RENEW_SECONDS = 60.0
_LONGEST_TOKEN = 8192
_SHORTEST_SECRET = 6


class Tokens:
    """The token of one custom service. Threads may share it."""

    def __init__(self, client_id: str, client_secret: str) -> None:
        self._params = {
            "grant_type": "client_credentials",
            "client_id": client_id,
            "client_secret": client_secret,
        }
        self._secret = client_secret
        self._token = ""
        self._ends = float("-inf")
        self._lock = threading.Lock()

    @property
    def had(self) -> bool:
        """Whether a token has ever been issued."""
        return bool(self._token)

    def get(self, ask: Ask, patience: Patience, refused: str | None = None) -> str:
        """Return a token that is not `refused`. Raises `ClientError`.

        `ask` makes a call to the token endpoint with the given parameters. It is called once at
        most.
        """
        with self._lock:
            if self._token == refused or patience.now() >= self._ends:
                found = self._issued(ask)
                life = found.expires_in
                self._token = found.access_token
                # The life can be short: a server may return an earlier token again.
                self._ends = patience.now() + life - min(_RENEW_SECONDS, life / 10)
            return self._token

    def _issued(self, ask: Ask) -> Token:
        reply = self._without_secret(ask(self._params))
        if reply.status == httpx2.codes.UNAUTHORIZED or is_refusal(reply):
            raise CredentialsError(oauth_problem(reply))
        if not httpx2.codes.is_success(reply.status):
            raise http_error(reply)
        found = read(Token, json_object(reply), "the token")
        text = found.access_token
        # It becomes the value of a header.
        if not text.isascii() or not text.isprintable() or not 0 < len(text) <= _LONGEST_TOKEN:
            raise AnswerError(f"{one_line(text)!r} is no access token")
        return found

    def _without_secret(self, reply: Reply) -> Reply:
        """Return the answer without the secret, in case the server repeats what it was sent."""
        secret = self._secret
        if len(secret) < _SHORTEST_SECRET:
            return reply
        body = reply.body
        for form in {secret, quote(secret, safe=""), quote_plus(secret)}:
            body = body.replace(form.encode(), b"(secret)")
        return Reply(status=reply.status, reason=reply.reason, headers=reply.headers, body=body)
