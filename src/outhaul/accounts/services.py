"""API users, their permissions, and their custom services."""

import hashlib
import hmac
import secrets
import uuid
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from difflib import get_close_matches

import sqlalchemy as sa

from outhaul.database.engine import Database, insert
from outhaul.database.schema import api_user, permission, service, subscription

DEFAULT_SUBSCRIPTION = "default"

_AREAS = (
    "Activity",
    "Activity Metadata",
    "Assets",
    "Campaign",
    "Company",
    "Custom Object",
    "Custom Object Type",
    "Lead",
    "Named Account",
    "Named Account List",
    "Opportunity",
    "Sales Person",
)

PERMISSIONS = (
    *(f"{way} {area}" for area in _AREAS for way in ("Read-Only", "Read-Write")),
    "Read-Write Schema Custom Field",
    "Read-Write Schema Standard Field",
    "Approve Assets",
    "Execute Campaign",
    "Access User Management Api",
)
"""The permissions of an API user on a live instance (custom services, permission list).

Those that no call of outhaul needs are accepted too, so that roles can be copied as they are.
"""

_OTHER_NAMES = {
    "Read-Only Person": "Read-Only Lead",
    "Read-Write Person": "Read-Write Lead",
}
"""Permissions that some pages of the original call by another name."""

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

    The `permissions` are added to those of the user. Each must be one of `known`, in upper or lower
    case. Raises `PermissionUnknownError` and `SubscriptionUnknownError`.
    """
    granted = {_permission(wanted, known) for wanted in permissions}
    credentials = Credentials(client_id=str(uuid.uuid4()), client_secret=secrets.token_urlsafe(24))
    with database.write() as connection:
        user = _user(connection, subscription_name, email, moment)
        for wanted in sorted(granted):
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


def _permission(wanted: str, known: Collection[str]) -> str:
    """Return a permission as it is spelled in `known`."""
    spelled = {_folded(name): name for name in known}
    spelled |= {_folded(name): of for name, of in _OTHER_NAMES.items() if of in known}
    found = spelled.get(_folded(wanted))
    if found is None:
        near = dict.fromkeys(spelled[name] for name in get_close_matches(_folded(wanted), spelled))
        advice = f"did you mean {' or '.join(map(repr, near))}? " if near else ""
        raise PermissionUnknownError(
            f"there is no permission {wanted!r}; {advice}there are: {', '.join(known)}"
        )
    return found


def _folded(name: str) -> str:
    return " ".join(name.split()).casefold()


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
