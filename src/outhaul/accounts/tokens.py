"""Access tokens: issued to a custom service, and what a call learns from one."""

import hashlib
import hmac
import secrets
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from outhaul.accounts.services import permissions_of, secret_matches
from outhaul.database.engine import Database
from outhaul.database.schema import api_user, service, subscription, token
from outhaul.errors import Error

# Every call begins with this statement: it is put together once.
_CALLER = (
    sa.select(
        token.c.expires_at,
        api_user.c.id,
        api_user.c.subscription,
        subscription.c.limit_overrides,
    )
    .join(service, service.c.client_id == token.c.client_id)
    .join(api_user, api_user.c.id == service.c.api_user)
    .join(subscription, subscription.c.name == api_user.c.subscription)
    .where(token.c.token_hash == sa.bindparam("token_hash"))
)


class CredentialsInvalidError(Exception):
    """The client id or the secret is wrong."""


@dataclass(frozen=True, kw_only=True)
class Token:
    """An access token as it is answered: `seconds` is what is left of its life."""

    text: str
    seconds: int
    scope: str


@dataclass(frozen=True, kw_only=True)
class Caller:
    """Who calls: an API user of a subscription, and what it may do."""

    subscription: str
    limit_overrides: Mapping[str, Any]
    user: int
    permissions: frozenset[str]

    def require(self, allowed: frozenset[str]) -> None:
        """Raise 603 where the caller has none of the `allowed` permissions."""
        if not self.permissions & allowed:
            raise Error.ACCESS_DENIED()


def issue_token(
    database: Database,
    *,
    client_id: str,
    client_secret: str,
    life_seconds: Callable[[Mapping[str, Any]], int],
    moment: datetime,
) -> Token:
    """Return the access token of a custom service: the one it has, or a new one.

    `life_seconds` tells how long a new one lives, from what the subscription of the service
    overrides of the limits. Raises `CredentialsInvalidError`.
    """
    with database.read() as connection:
        known = connection.execute(
            sa.select(service.c.secret_hash, api_user.c.email, subscription.c.limit_overrides)
            .join(api_user, api_user.c.id == service.c.api_user)
            .join(subscription, subscription.c.name == api_user.c.subscription)
            .where(service.c.client_id == client_id)
        ).first()
        if known is None or not secret_matches(client_secret, known.secret_hash):
            raise CredentialsInvalidError("client id or client secret is wrong")
        held = _held(connection, client_id, moment)
    if held is None:
        with database.write() as connection:
            # Another call may have been quicker: all who ask at once wait for each other at the
            # row of the service, and are given one token.
            connection.execute(
                sa.select(service.c.client_id)
                .where(service.c.client_id == client_id)
                .with_for_update(key_share=True)
            )
            held = _held(connection, client_id, moment)
            if held is None:
                life = timedelta(seconds=life_seconds(known.limit_overrides))
                held = secrets.token_hex(16), moment + life
                text = _text(client_secret, held[0])
                connection.execute(
                    token.insert().values(
                        token_hash=_hash(text),
                        client_id=client_id,
                        nonce=held[0],
                        expires_at=held[1],
                    )
                )
    nonce, expires_at = held
    return Token(
        text=_text(client_secret, nonce),
        seconds=int((expires_at - moment).total_seconds()),
        scope=known.email,
    )


def authenticate(database: Database, text: str | None, moment: datetime) -> Caller:
    """Return who calls with an access token. Raises 600, 601 and 602."""
    if not text:
        raise Error.TOKEN_MISSING()
    with database.read() as connection:
        row = connection.execute(_CALLER, {"token_hash": _hash(text)}).first()
        if row is None:
            raise Error.TOKEN_INVALID()
        if row.expires_at <= moment:
            raise Error.TOKEN_EXPIRED()
        return Caller(
            subscription=row.subscription,
            limit_overrides=row.limit_overrides,
            user=row.id,
            permissions=permissions_of(connection, row.id),
        )


def _held(
    connection: sa.Connection, client_id: str, moment: datetime
) -> tuple[str, datetime] | None:
    """Return nonce and end of the service's token, if one has at least a second to live."""
    row = connection.execute(
        sa.select(token.c.nonce, token.c.expires_at)
        .where(token.c.client_id == client_id, token.c.expires_at >= moment + timedelta(seconds=1))
        .order_by(token.c.expires_at.desc())
        .limit(1)
    ).first()
    return None if row is None else (row.nonce, row.expires_at)


def _text(client_secret: str, nonce: str) -> str:
    digest = hmac.digest(client_secret.encode(), nonce.encode(), "sha256")
    return f"{uuid.UUID(bytes=digest[:16])}:{digest[16:20].hex()}"


def _hash(text: str) -> str:
    # A token from a header may hold any Latin-1 character; none of those is known.
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def forget_tokens(database: Database, moment: datetime) -> None:
    """Remove the tokens that expired before a moment: they are as good as unknown ones."""
    with database.write() as connection:
        connection.execute(token.delete().where(token.c.expires_at < moment))
