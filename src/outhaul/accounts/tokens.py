"""Issuing access tokens to custom services, and authenticating calls by them."""

import hashlib
import hmac
import secrets
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from outhaul.accounts.clocks import REAL, SubscriptionClock
from outhaul.accounts.services import permissions_of, secret_matches
from outhaul.database.engine import Database
from outhaul.database.schema import api_user, service, subscription, token
from outhaul.errors import Error

# Every call begins with this statement. It is built once.
_CALLER = (
    sa.select(
        token.c.expires_at,
        api_user.c.id,
        api_user.c.subscription,
        subscription.c.limit_overrides,
        subscription.c.clock,
    )
    .join(service, service.c.client_id == token.c.client_id)
    .join(api_user, api_user.c.id == service.c.api_user)
    .join(subscription, subscription.c.name == api_user.c.subscription)
    .where(token.c.token_hash == sa.bindparam("token_hash"))
)


LONGEST_SECONDS = 2**31 - 1
"""The largest `expires_in` that is sent: clients read it as an integer of 32 bits."""


class CredentialsInvalidError(Exception):
    """The client id or the secret is wrong."""


@dataclass(frozen=True, kw_only=True)
class Token:
    """An access token for a client."""

    text: str
    seconds: int
    """The seconds until the token expires."""
    scope: str
    """The e-mail address of the API user."""


@dataclass(frozen=True, kw_only=True)
class Caller:
    """The API user that makes a call, with its subscription and permissions."""

    subscription: str
    limit_overrides: Mapping[str, Any]
    user: int
    permissions: frozenset[str]
    clock: SubscriptionClock = REAL
    """The clock of the subscription, as it was when the call began."""

    def require(self, allowed: frozenset[str]) -> None:
        """Raise 603 if the caller has none of the `allowed` permissions."""
        if not self.permissions & allowed:
            raise Error.ACCESS_DENIED()


def issue_token(
    database: Database,
    *,
    client_id: str,
    client_secret: str,
    life_seconds: Callable[[Mapping[str, Any], datetime], int],
    real: datetime,
) -> Token:
    """Return the access token of a custom service: its current token, or a new one.

    `life_seconds` returns the lifetime of a new token, given the limits that the subscription
    overrides, and what its clock shows. `real` is the current time. Raises
    `CredentialsInvalidError`.
    """
    with database.read() as connection:
        known = connection.execute(
            sa.select(
                service.c.secret_hash,
                api_user.c.email,
                subscription.c.limit_overrides,
                subscription.c.clock,
            )
            .join(api_user, api_user.c.id == service.c.api_user)
            .join(subscription, subscription.c.name == api_user.c.subscription)
            .where(service.c.client_id == client_id)
        ).first()
        if known is None or not secret_matches(client_secret, known.secret_hash):
            raise CredentialsInvalidError("client id or client secret is wrong")
        moment = SubscriptionClock.from_json(known.clock).at(real)
        held = _held(connection, client_id, moment)
    if held is None:
        with database.write() as connection:
            # Concurrent calls wait for each other at the row of the service, and get one token.
            # Another call may therefore have issued it already.
            connection.execute(
                sa.select(service.c.client_id)
                .where(service.c.client_id == client_id)
                .with_for_update(key_share=True)
            )
            held = _held(connection, client_id, moment)
            if held is None:
                life = timedelta(seconds=life_seconds(known.limit_overrides, moment))
                held = secrets.token_hex(16), moment + life
                text = _text(client_secret, held[0])
                connection.execute(
                    token.insert().values(
                        token_hash=token_hash(text),
                        client_id=client_id,
                        nonce=held[0],
                        expires_at=held[1],
                    )
                )
    nonce, expires_at = held
    return Token(
        text=_text(client_secret, nonce),
        # After the clock was set back, more than the longest lifetime may be left.
        seconds=min(int((expires_at - moment).total_seconds()), LONGEST_SECONDS),
        scope=known.email,
    )


def authenticate(database: Database, text: str | None, real: datetime) -> Caller:
    """Return the caller with this access token. Raises 601, 602 and 603.

    `real` is the current time. The token expires by the clock of the subscription.
    """
    if not text:
        raise Error.TOKEN_MISSING()
    with database.read() as connection:
        row = connection.execute(_CALLER, {"token_hash": token_hash(text)}).first()
        if row is None:
            raise Error.TOKEN_INVALID()
        clock = SubscriptionClock.from_json(row.clock)
        if row.expires_at <= clock.at(real):
            raise Error.TOKEN_EXPIRED()
        return Caller(
            subscription=row.subscription,
            limit_overrides=row.limit_overrides,
            user=row.id,
            permissions=permissions_of(connection, row.id),
            clock=clock,
        )


def _held(
    connection: sa.Connection, client_id: str, moment: datetime
) -> tuple[str, datetime] | None:
    """Return the nonce and the end of the service's token, if it is valid for a second or more."""
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


def token_hash(text: str) -> str:
    """Return the hash of an access token, which the database stores."""
    # A token from a client may be any text: `surrogatepass` encodes what UTF-8 alone cannot.
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def drop_tokens(database: Database, subscription_name: str) -> None:
    """Delete all access tokens of a subscription. They are then answered as unknown (601)."""
    clients = (
        sa.select(service.c.client_id)
        .join(api_user, api_user.c.id == service.c.api_user)
        .where(api_user.c.subscription == subscription_name)
    )
    with database.write() as connection:
        connection.execute(token.delete().where(token.c.client_id.in_(clients)))


def forget_tokens(database: Database, name: str, moment: datetime) -> None:
    """Delete a subscription's tokens that expired before a moment.

    They are then answered as unknown (601).
    """
    clients = (
        sa.select(service.c.client_id)
        .join(api_user, api_user.c.id == service.c.api_user)
        .where(api_user.c.subscription == name)
    )
    with database.write() as connection:
        connection.execute(
            token.delete().where(token.c.client_id.in_(clients), token.c.expires_at < moment)
        )
