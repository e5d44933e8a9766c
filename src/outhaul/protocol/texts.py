"""Texts: shortened for a message, and told from those that UTF-8 cannot write."""

import re

_SURROGATES = re.compile("[\ud800-\udfff]")


def shortened(text: str, longest: int = 80) -> str:
    """Return a text of at most `longest` characters, and an ellipsis where it is cut."""
    return text if len(text) <= longest else text[:longest] + "…"


def has_surrogate(text: str) -> bool:
    """Tell whether a text holds half a surrogate pair, which JSON can spell and UTF-8 cannot."""
    return _SURROGATES.search(text) is not None
