"""Durations as options give them: a number of seconds, or a number and a unit."""

import math
import re

_UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
_PATTERN = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)\s*([smhd]?)", re.ASCII | re.IGNORECASE)


def parse_duration(text: str) -> float:
    """Return the seconds of `90`, `1.5`, `90s`, `30m`, `2h` or `1d`. Raises `ValueError`."""
    match = _PATTERN.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is no duration, such as 90s, 30m, 2h or 28d")
    return float(match[1]) * _UNITS[match[2].lower()]


def render_duration(seconds: float) -> str:
    """Return the duration in its largest unit that divides it, as `parse_duration` reads it."""
    for unit in ("h", "m"):
        count = seconds / _UNITS[unit]
        if count >= 1 and math.isclose(count, round(count), abs_tol=1e-9):
            return f"{round(count)}{unit}"
    return f"{seconds:.10g}s"
