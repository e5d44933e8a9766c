"""Who makes a call: the custom service whose access token or client id the call has."""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qs

import sqlalchemy as sa
from starlette.datastructures import Headers
from starlette.types import Scope

from outhaul.accounts.tokens import token_hash
from outhaul.api.identity import PATH as TOKEN_PATH
from outhaul.database.engine import Database
from outhaul.database.schema import api_user, service, token

_BEARER = "bearer"

_SERVICES = sa.select(
    service.c.client_id, service.c.name.label("service"), api_user.c.email, api_user.c.subscription
).join(api_user, api_user.c.id == service.c.api_user)

_BY_TOKEN = _SERVICES.join(token, token.c.client_id == service.c.client_id).where(
    token.c.token_hash == sa.bindparam("token_hash")
)
_BY_CLIENT = _SERVICES.where(service.c.client_id == sa.bindparam("client_id"))


@dataclass(frozen=True, kw_only=True)
class Who:
    """A custom service that makes calls."""

    subscription: str
    client_id: str
    service: str
    """The name of the custom service."""
    email: str
    """The e-mail address of its API user."""


def who(database: Database, scope: Scope, form: Mapping[str, str] | None = None) -> Who | None:
    """Return the custom service that makes a call, or `None` if the call names none that exists.

    A call names a service by its access token, which may have expired. A call for a token names it
    by the client id, in the query or in the `form` of its body. The secret is not checked.
    """
    given = query_of(scope)
    if scope["path"] == TOKEN_PATH:
        client_id = given.get("client_id") or (form or {}).get("client_id")
        return _find(database, _BY_CLIENT, client_id=client_id) if client_id else None
    text = header_token(scope) or given.get("access_token")
    return _find(database, _BY_TOKEN, token_hash=token_hash(text)) if text else None


def header_token(scope: Scope) -> str | None:
    """Return the access token in the header of a call."""
    header = Headers(scope=scope).get("authorization", "").strip()
    return header[len(_BEARER) :].strip() if header.lower().startswith(_BEARER) else None


def query_of(scope: Scope) -> dict[str, str]:
    """Return the parameters in the query of a call. Of one that is repeated, the first counts."""
    text = scope["query_string"].decode("latin-1")
    return {name: values[0] for name, values in parse_qs(text, keep_blank_values=True).items()}


def _find(
    database: Database, statement: sa.Select[tuple[str, str, str, str]], **by: str
) -> Who | None:
    with database.read() as connection:
        row = connection.execute(statement, by).first()
    return (
        None
        if row is None
        else Who(
            subscription=row.subscription,
            client_id=row.client_id,
            service=row.service,
            email=row.email,
        )
    )
