"""Points in time as the protocol writes them: ISO 8601, to the second (bulk lead extract)."""

import re
from datetime import UTC, datetime, timedelta

EXPECTED = "ISO 8601 datetime, such as 2026-01-31T23:59:59Z"

ASSET_ZONE = "Z+0000"

_PATTERN = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)"
    r"(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:\.\d+)?)?(Z(?:\+0000)?|[+-](?:[01]\d|2[0-3]):?[0-5]\d)?)?",
    re.ASCII,
)


def parse_instant(text: str) -> datetime:
    """Return the moment that `text` names, in UTC, to the second.

    Clients leave out seconds (`2026-11-16T05:28Z`), the offset, which then is UTC, or the time of
    day, which then is midnight. They send the time of their clock, whose fraction of a second is
    cut off, and the dates of assets, which end in `Z+0000`. Blanks around the text are ignored, and
    a blank may stand for the `T`. Raises `ValueError` for any other text.
    """
    match = _PATTERN.fullmatch(text.strip(" \t\r\n"))
    if match is None:
        raise ValueError(f"{text!r} is not an {EXPECTED}")
    *numbers, zone = match.groups()
    year, month, day, hour, minute, second = (int(number or 0) for number in numbers)
    local = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    try:
        return local - _offset(zone)
    except OverflowError as error:
        raise ValueError(f"{text!r} is out of the calendar's range") from error


def render_instant(moment: datetime) -> str:
    """Return an aware `moment` as text, such as `2026-01-31T23:59:59Z`, cut to the second."""
    # strftime's %Y writes the years before 1000 without leading zeros on some platforms.
    return moment.astimezone(UTC).replace(microsecond=0, tzinfo=None).isoformat() + "Z"


def _offset(zone: str | None) -> timedelta:
    if zone is None or zone.startswith("Z"):
        return timedelta()
    hours, minutes = int(zone[1:3]), int(zone[-2:])
    offset = timedelta(hours=hours, minutes=minutes)
    return -offset if zone[0] == "-" else offset
