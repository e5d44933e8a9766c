"""Answers of the token endpoint (OAuth 2.0, RFC 6749)."""

from pydantic import ConfigDict, Field

from outhaul.protocol.answers.model import Answer, always


class Token(Answer):
    """An access token. The members have the names of OAuth, in snake case."""

    model_config = ConfigDict(alias_generator=None, **always("token_type", "scope"))

    access_token: str
    token_type: str | None = None
    expires_in: int | float = Field(
        description="Seconds until the token expires.",
        json_schema_extra={"type": "integer"},
    )
    scope: str | None = Field(default=None, description="The e-mail address of the API user.")


class OAuthError(Answer):
    """The reason why no token was issued."""

    model_config = ConfigDict(alias_generator=None, **always("error", "error_description"))

    error: str = ""
    error_description: str | None = None
