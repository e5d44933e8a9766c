"""Periods on the command line: which of them need several jobs, and what their options mean."""

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from outhaul.client import Period, Session, told_limits

FIRST = ("oldest", "newest")
"""Which windows come first."""

TOLD = "told"
"""Stands for the quota that the endpoint tells."""

_FILTERS = {"createdAt": "--created-at", "updatedAt": "--updated-at"}
_USUAL = timedelta(days=31)
_DAY = timedelta(days=1)
_SIZE = re.compile(r"(\d{1,9}(?:\.\d{1,3})?)\s*([KMGT]?B)", re.ASCII | re.IGNORECASE)
_UNITS = {"B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}


class ShorterWindowsError(Exception):
    """The endpoint refused a period that most endpoints take in one job."""


def period_in(filters: Mapping[str, Any]) -> tuple[str, Period] | None:
    """Return the filter that is a period, and the period, if there is one."""
    for name in _FILTERS:
        if window := filters.get(name):
            return name, Period.of(f"{window['startAt']}/{window.get('endAt', '')}")
    return None


def flag_of(name: str) -> str:
    """Return the option of a filter that is a period."""
    return _FILTERS[name]


def fits_in_one(period: Period, window_days: int | None) -> bool:
    """Return whether one job has the whole period, if the endpoint is like most."""
    return period.fits(_USUAL if window_days is None else timedelta(days=window_days))


def has_shorter_windows(session: Session, filters: Mapping[str, Any]) -> bool:
    """Return whether a period is longer than the endpoint says that it may be.

    It is asked when it has refused a request. Then nothing has been created yet.
    """
    found = period_in(filters)
    if found is None or found[1].fits(_DAY):
        return False
    days = told_limits(session).date_range_days
    return days is not None and not found[1].fits(timedelta(days=days))


def parse_size(text: str) -> int | None:
    """Return the bytes of `500MB` or `1.5 GB`; `None` for `none`. Raises `ValueError`."""
    if text.strip().lower() == "none":
        return None
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is no size, such as 500MB, 1.5GB or none")
    return round(float(match[1]) * _UNITS[match[2].upper()])
