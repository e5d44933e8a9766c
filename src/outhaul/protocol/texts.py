"""Texts for messages, on one line and not too long, and texts that UTF-8 cannot encode."""

import re

_SURROGATES = re.compile("[\ud800-\udfff]")


def shortened(text: str, longest: int = 80) -> str:
    """Return the text, cut to `longest` characters and an ellipsis if it is longer."""
    return text if len(text) <= longest else text[:longest] + "…"


def has_surrogate(text: str) -> bool:
    """Return whether a text holds half a surrogate pair, which JSON can hold and UTF-8 cannot."""
    return _SURROGATES.search(text) is not None


def one_line(text: str, longest: int = 80) -> str:
    """Return the text on one line, shortened, without the characters that control a terminal."""
    # What is cut off is not looked at: a text can have millions of characters.
    printable = "".join(char if char.isprintable() else " " for char in text[: 8 * longest])
    return shortened(" ".join(printable.split()), longest)
