"""Answers of the token endpoint (OAuth 2.0, RFC 6749)."""

import math
from typing import Annotated

from pydantic import BeforeValidator, ConfigDict, Field

from outhaul.protocol.answers.model import Answer, always

_UNKNOWN_LIFE = 60
_LONGEST_LIFE = 86_400


def _read_life(value: object) -> int | float:
    """Return a life in seconds from any notation. It is short if it cannot be read."""
    if isinstance(value, int):
        return min(max(value, 0), _LONGEST_LIFE)
    try:
        life = float(value) if isinstance(value, float | str) else math.nan
    except ValueError:
        return _UNKNOWN_LIFE
    return _UNKNOWN_LIFE if math.isnan(life) else min(max(life, 0.0), _LONGEST_LIFE)


class Token(Answer):
    """An access token. The members have the names of OAuth, in snake case."""

    model_config = ConfigDict(alias_generator=None, **always("token_type", "expires_in", "scope"))

    access_token: str
    token_type: str | None = None
    expires_in: Annotated[int | float, BeforeValidator(_read_life)] = Field(
        default=_UNKNOWN_LIFE,
        description="Seconds until the token expires.",
        json_schema_extra={"type": "integer"},
    )
    scope: str | None = Field(default=None, description="The e-mail address of the API user.")


class OAuthError(Answer):
    """The reason why no token was issued."""

    model_config = ConfigDict(alias_generator=None, **always("error", "error_description"))

    error: str = ""
    error_description: str | None = None
