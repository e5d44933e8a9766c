"""The options of `outhaul mirror`."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

import typer

from outhaul.cli.durations import parse_duration, render_duration
from outhaul.cli.options import variable_of
from outhaul.mirror.options import FIRST_MOMENT
from outhaul.protocol.instants import parse_instant, render_instant
from outhaul.protocol.windows import Period

TOLD = "told"
NONE = "none"
_UNITS = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9}


def _option(name: str, text: str, **more: Any) -> Any:  # noqa: ANN401 - typer's own type
    return typer.Option(name, envvar=variable_of(name), help=text, **more)


def _read(read: Callable[[str], Any]) -> Callable[[Any], Any]:
    """Return a parser of Typer: a `ValueError` becomes a message that names the option."""

    def parse(value: Any) -> Any:  # noqa: ANN401 - Typer parses defaults that are parsed already
        if not isinstance(value, str):
            return value
        try:
            return read(value)
        except ValueError as error:
            raise typer.BadParameter(str(error)) from None

    return parse


def _duration(shortest: float) -> Callable[[str], float]:
    def read(text: str) -> float:
        seconds = parse_duration(text)
        if seconds < shortest:
            raise ValueError(f"{text!r} is shorter than {render_duration(shortest)}")
        return seconds

    return read


@dataclass(frozen=True)
class DailyBytes:
    """The quota of a day in bytes, `None` for none, or the one that the endpoint tells."""

    bytes: int | None
    is_told: bool = False


def _bytes(text: str) -> DailyBytes:
    """Return a size, which may be one of the words `told` and `none`."""
    word = text.strip()
    if word.lower() in (TOLD, NONE):
        return DailyBytes(None, word.lower() == TOLD)
    digits = word.rstrip("BKMGbkmg ")
    unit = word[len(digits) :].strip().upper()
    if not digits.isascii() or not digits.isdigit() or unit not in _UNITS:
        raise ValueError(f"{text!r} is no size, such as 500MB, and neither {NONE!r} nor {TOLD!r}")
    return DailyBytes(int(digits) * _UNITS[unit])


Since = Annotated[
    datetime,
    _option(
        "--since",
        "First moment that is mirrored: 2024-01-01. An earlier moment than before adds the time "
        "before; a later one changes nothing.",
        metavar="DATE",
        parser=_read(parse_instant),
        show_default=render_instant(FIRST_MOMENT)[:10],
    ),
]
Every = Annotated[
    float | None,
    _option(
        "--every",
        "Keep running, and read what is new this often: 1h, 1d. Without it, there is one run.",
        metavar="DURATION",
        parser=_read(_duration(1.0)),
    ),
]
Wait = Annotated[
    bool,
    _option(
        "--wait",
        "Go on by itself when a day's quota is spent and the next day begins. Without it, the run "
        "then ends with status 75; the next run goes on.",
    ),
]
DailyQuota = Annotated[
    DailyBytes,
    _option(
        "--daily-quota",
        "Export quota of a day: 500MB, none. 'told' is what an outhaul endpoint says of itself, "
        "and 500MB for all others.",
        metavar="SIZE",
        parser=_read(_bytes),
    ),
]
Overlap = Annotated[
    float,
    _option(
        "--overlap",
        "How much of what was read last is read again, for records that came late: 2h, 1d.",
        metavar="DURATION",
        parser=_read(_duration(0.0)),
    ),
]
Again = Annotated[
    Period | None,
    _option(
        "--again",
        "Period that is read again, whatever was read of it: 2026-01-01/2026-02-01.",
        metavar="START/END",
        parser=_read(Period.of),
    ),
]
SnapshotsEvery = Annotated[
    float,
    _option(
        "--snapshots-every",
        "How often static lists and programs are read again that show no sign of change: 7d. As "
        "long as that takes few jobs, all are read in each run.",
        metavar="DURATION",
        parser=_read(_duration(0.0)),
    ),
]
Jobs = Annotated[
    int,
    _option(
        "--jobs",
        "Most export jobs in the endpoint's queue at a time, those of others included.",
        min=1,
    ),
]
WindowDays = Annotated[
    int | None,
    _option("--window-days", "Longest period of one export job, in days.", min=1, max=36_500),
]
Months = Annotated[
    int, _option("--months", "Months of the calendar, the newest first.", min=0, max=1200)
]
