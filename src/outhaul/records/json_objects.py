"""JSON objects of one record: the texts of their members, and names that are there twice."""

import json
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from outhaul.records.numbers import number_text

_QUOTE, _N, _NINE = b'"n9'
_TEXT = msgspec.json.Decoder(str)


def text_of(raw: bytes) -> str | None:
    """Return the text of a member, which is given as JSON. Objects and arrays are not parsed."""
    first = raw[0]  # tells the type of a value; numbers begin with a digit or a minus
    if first == _QUOTE:
        return _TEXT.decode(raw)
    if first == _N:
        return None
    text = raw.decode()
    return text if first > _NINE or text.isdigit() else number_text(text)


def may_repeat(content: bytes, names: Iterable[str], values: Sequence[bytes]) -> bool:
    """Return whether an object may have a name twice. The decoder drops all but the last one.

    It has not if there are as many colons after names as decoded members, or if its length is that
    of the decoded members, so no bytes are missing.
    """
    apart = b" :" in content or b"\t:" in content or b"\r:" in content
    if not apart and content.count(b'":') == len(values):
        return False
    content = content.strip()
    size = (
        sum(map(len, names))
        + sum(map(len, values))
        + len('{"":}')
        + (len(values) - 1) * len(',"":')
    )
    if len(content) == size or not values:
        return False
    spaced = (b'"%b": %b' % pair for pair in zip((n.encode() for n in names), values, strict=True))
    return content != b"{" + b", ".join(spaced) + b"}"


def names_of(content: bytes) -> list[str]:
    """Return the names of an object, in the order of the text."""
    found: list[str] = []

    def take(pairs: list[tuple[str, Any]]) -> None:
        # The outermost object ends last.
        found[:] = [name for name, _ in pairs]

    json.loads(content, object_pairs_hook=take, parse_int=len, parse_float=len)
    return found
