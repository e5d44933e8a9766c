"""The `If-None-Match` header of a file call (RFC 9110 section 13.1.2)."""

import re

_TAG = re.compile(r'(?:W/)?("[^"]*")')


def has_tag(header: str | None, tag: str) -> bool:
    """Tell whether an `If-None-Match` header names a file by its tag, which is given with quotes.

    `*` names any file. Tags are compared weakly, as that section says: `W/"a"` names `"a"`.
    """
    if header is None:
        return False
    return header.strip() == "*" or tag in _TAG.findall(header)
