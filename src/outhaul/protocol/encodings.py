"""The `Accept-Encoding` header (RFC 9110 section 12.5.3)."""

import re

_WEIGHT = re.compile(r"q=(0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)", re.ASCII | re.IGNORECASE)


def accepts_gzip(header: str) -> bool:
    """Return whether a client accepts gzip, and does not prefer an answer that is not compressed.

    A coding with a weight that cannot be read is not accepted.
    """
    weights: dict[str, float] = {}
    for entry in header.split(","):
        coding, *parameters = (piece.strip().lower() for piece in entry.split(";"))
        weights.setdefault("gzip" if coding == "x-gzip" else coding, _weight(parameters))
    gzip = weights.get("gzip", weights.get("*", 0.0))
    return gzip > 0 and gzip >= weights.get("identity", 0.0)


def _weight(parameters: list[str]) -> float:
    if not parameters:
        return 1.0
    match = _WEIGHT.fullmatch(parameters[0])
    return 0.0 if match is None else float(match[1])
