"""Calls that a meter lets in or refuses."""

from datetime import UTC, date, datetime
from typing import Any

import pytest

from outhaul.accounts.meter import Meter, Ticket
from outhaul.errors import ApiError
from outhaul.limits import LIMIT_SETS, Limits

MOMENT = datetime(2026, 1, 20, 12, tzinfo=UTC)
TODAY = date(2026, 1, 20)
FREE = LIMIT_SETS["open"]


def limits(**single: Any) -> Limits:
    """Return limits that allow everything but what is named."""
    return FREE.model_copy(update=single)


def enter(
    meter: Meter, of: Limits, moment: datetime = MOMENT, *, name: str = "default", user: int = 1
) -> Ticket:
    """Let a call in."""
    return meter.enter(name, user, of, moment)


def refused(meter: Meter, of: Limits, moment: datetime = MOMENT, *, name: str = "default") -> str:
    """Make a call that has to be refused; return the error."""
    with pytest.raises(ApiError) as caught:
        enter(meter, of, moment, name=name)
    return str(caught.value)
