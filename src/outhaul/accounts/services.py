"""API users, their permissions, and their custom services."""

import hashlib
import hmac
import secrets
import uuid
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from outhaul.database.engine import Database, insert
from outhaul.database.schema import api_user, permission, service, subscription

DEFAULT_SUBSCRIPTION = "default"

PERMISSIONS = (
    "Read-Only Activity",
    "Read-Write Activity",
    "Read-Only Assets",
    "Read-Write Assets",
    "Read-Only Campaign",
    "Read-Write Campaign",
    "Read-Only Company",
    "Read-Write Company",
    "Read-Only Custom Object",
    "Read-Write Custom Object",
    "Read-Only Lead",
    "Read-Write Lead",
    "Read-Only Named Account",
    "Read-Write Named Account",
)


_PERMISSIONS = sa.select(permission.c.name).where(permission.c.api_user == sa.bindparam("user"))


class PermissionUnknownError(ValueError):
    """There is no permission of this name."""


class SubscriptionUnknownError(LookupError):
    """There is no subscription of this name."""


@dataclass(frozen=True, kw_only=True)
class Credentials:
    """The client id and secret of a custom service. The database has only a hash of the secret."""

    client_id: str
    client_secret: str


def create_service(  # noqa: PLR0913 - each is an option of the command
    database: Database,
    name: str,
    *,
    email: str,
    permissions: Collection[str],
    moment: datetime,
    subscription_name: str = DEFAULT_SUBSCRIPTION,
    known: Collection[str] = PERMISSIONS,
) -> Credentials:
    """Create a custom service, and its API user if no user has this `email`.

    The `permissions` are added to those of the user. Each must be one of `known`. Raises
    `PermissionUnknownError` and `SubscriptionUnknownError`.
    """
    for wanted in permissions:
        if wanted not in known:
            raise PermissionUnknownError(
                f"there is no permission {wanted!r}; there are: {', '.join(known)}"
            )
    credentials = Credentials(client_id=str(uuid.uuid4()), client_secret=secrets.token_urlsafe(24))
    with database.write() as connection:
        user = _user(connection, subscription_name, email, moment)
        for wanted in sorted(set(permissions)):
            connection.execute(
                insert(connection, permission)
                .values(api_user=user, name=wanted)
                .on_conflict_do_nothing()
            )
        connection.execute(
            service.insert().values(
                client_id=credentials.client_id,
                api_user=user,
                name=name,
                secret_hash=secret_hash(credentials.client_secret),
                created_at=moment,
            )
        )
    return credentials


def permissions_of(connection: sa.Connection, user: int) -> frozenset[str]:
    """Return the names of the permissions of an API user."""
    return frozenset(connection.execute(_PERMISSIONS, {"user": user}).scalars())


def secret_hash(secret: str) -> str:
    """Return the hash of a secret, which the database stores.

    A fast hash is safe, because secrets have 192 random bits and cannot be guessed. A slow hash
    would delay clients that request a token before every call.
    """
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def secret_matches(secret: str, stored: str) -> bool:
    """Return whether `stored` is the hash of `secret`, in a time that reveals neither."""
    return hmac.compare_digest(secret_hash(secret), stored)


def _user(connection: sa.Connection, subscription_name: str, email: str, moment: datetime) -> int:
    known = sa.select(subscription.c.name).where(subscription.c.name == subscription_name)
    if connection.execute(known).first() is None:
        raise SubscriptionUnknownError(f"there is no subscription {subscription_name!r}")
    # If two commands create a user at the same time, the second waits here and then finds it.
    connection.execute(
        insert(connection, api_user)
        .values(subscription=subscription_name, email=email, created_at=moment)
        .on_conflict_do_nothing(index_elements=["subscription", "email"])
    )
    found = connection.execute(
        sa.select(api_user.c.id).where(
            api_user.c.subscription == subscription_name, api_user.c.email == email
        )
    )
    return int(found.scalar_one())
