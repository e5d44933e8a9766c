"""Page tokens: opaque to clients, a place in an order to us."""

import base64
import binascii
import json
from collections.abc import Sequence

from outhaul.protocol.texts import has_surrogate


def encode_token(place: Sequence[str]) -> str:
    """Return a token that says after which place the next page begins."""
    text = json.dumps(list(place), separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def decode_token(token: str, length: int) -> tuple[str, ...]:
    """Return the place of `length` texts that a token says. Raises `ValueError` if it says none."""
    try:
        padded = token.encode("ascii") + b"=" * (-len(token) % 4)
        place = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (binascii.Error, UnicodeError, json.JSONDecodeError, RecursionError) as error:
        raise ValueError("not a page token") from error
    if not isinstance(place, list) or len(place) != length:
        raise ValueError("not a page token of this list")
    if not all(isinstance(text, str) and not has_surrogate(text) for text in place):
        raise ValueError("not a page token of this list")
    return tuple(place)
