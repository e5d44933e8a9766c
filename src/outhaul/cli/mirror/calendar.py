"""A calendar of days in the terminal: how far each day of a stream is read."""

import calendar
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime

from rich.text import Text

from outhaul.mirror.report import DayState, Report, StreamReport

_SHOWN: Mapping[DayState, tuple[str, str]] = {
    DayState.COMPLETE: ("■", "green"),
    DayState.PARTLY: ("▣", "yellow"),
    DayState.OPEN: ("□", "yellow"),
    DayState.PERISHED: ("x", "red"),
}
"""The sign of a state and its colour. The signs differ without colours too."""


def legend() -> Text:
    """Return what the signs mean."""
    parts = [(f"{sign} {state.value}  ", colour) for state, (sign, colour) in _SHOWN.items()]
    return Text.assemble(*parts, "· not asked for")


def month_rows(
    stream: StreamReport, report: Report, moment: datetime, months: int
) -> Iterator[Text]:
    """Yield a row for each of the latest months, the newest first: a sign for each day."""
    year, month = moment.year, moment.month
    for _ in range(months):
        last = calendar.monthrange(year, month)[1]
        if datetime(year, month, last, 23, 59, 59, tzinfo=UTC) < report.since:
            return
        row = Text(f"{year}-{month:02} ")
        for day in range(1, last + 1):
            sign, style = _sign(stream.day(date(year, month, day), moment, report.since))
            row.append(sign, style)
        yield row
        year, month = (year - 1, 12) if month == 1 else (year, month - 1)


def _sign(state: DayState | None) -> tuple[str, str]:
    return ("·", "dim") if state is None else _SHOWN[state]
