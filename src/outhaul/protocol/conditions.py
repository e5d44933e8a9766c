"""The `If-None-Match` header of a file call (RFC 9110 section 13.1.2)."""

import re

_TAG = re.compile(r'(?:W/)?("[^"]*")')


def has_tag(header: str | None, tag: str) -> bool:
    """Return whether an `If-None-Match` header contains `tag`, which includes its quotes.

    The header `*` matches any tag. Tags are compared weakly, as the RFC requires: `W/"a"` matches
    `"a"`.
    """
    if header is None:
        return False
    return header.strip() == "*" or tag in _TAG.findall(header)
