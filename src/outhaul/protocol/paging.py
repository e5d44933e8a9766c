"""Page tokens. A token is opaque to clients; it holds the position at which a page begins."""

import base64
import binascii
import json
from collections.abc import Sequence

from outhaul.protocol.texts import has_surrogate


def encode_token(position: Sequence[str]) -> str:
    """Return the token of the page that begins after a position."""
    text = json.dumps(list(position), separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def decode_token(token: str, length: int) -> tuple[str, ...]:
    """Return the position in a token, which has `length` texts.

    Raises `ValueError` if the token holds no such position.
    """
    try:
        padded = token.encode("ascii") + b"=" * (-len(token) % 4)
        position = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (binascii.Error, UnicodeError, json.JSONDecodeError, RecursionError) as error:
        raise ValueError("not a page token") from error
    if not isinstance(position, list) or len(position) != length:
        raise ValueError("not a page token of this list")
    if not all(isinstance(text, str) and not has_surrogate(text) for text in position):
        raise ValueError("not a page token of this list")
    return tuple(position)
