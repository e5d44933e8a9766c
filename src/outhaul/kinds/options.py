"""Declarations of the options of `outhaul extract`, and the reading of their values.

The help of each option contains an example of a value.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from outhaul.protocol.instants import render_instant
from outhaul.protocol.windows import EXAMPLE, Period

WINDOW = EXAMPLE
"""An example of a window of time."""


def _as_given(value: Any) -> Any:  # noqa: ANN401 - JSON
    return value


@dataclass(frozen=True, kw_only=True)
class Option:
    """The option of a filter. Its environment variable has the same name."""

    flag: str
    """The name, such as `--created-at`; for a boolean `--exhausted/--not-exhausted`."""
    help: str
    example: str = ""
    """A value, which the help contains. Options for booleans have none."""
    type: type = str
    """The type of a value: `str`, `int` or `bool`. A `repeated` option has a list of values."""
    read: Callable[[Any], Any] = _as_given
    """Returns the value of the filter in the request. Raises `ValueError`."""
    metavar: str | None = None
    repeated: bool = False
    required: bool = False
    first: bool = False
    """Whether the help shows the option before `--fields`."""
    alone: str | None = None
    """The filter to use in place of this one if the option has only one value."""

    @property
    def name(self) -> str:
        """The flag, for a boolean only the one for true."""
        return self.flag.partition("/")[0]


@dataclass(frozen=True, kw_only=True)
class TypeOption:
    """The option of both commands that names the type of records, for a kind with types."""

    help: str
    example: str
    metavar: str
    flag: str = "--type"
    pattern: re.Pattern[str] = re.compile(r"[A-Za-z0-9_]+")
    """The valid names. A name becomes a segment of a path, so it cannot contain `/` or `..`."""
    noun: str = "API name"


def window_option(flag: str, text: str, *, first: bool = False) -> Option:
    """Return an option for a window of time. `{}` in the text stands for the example."""
    return Option(
        flag=flag,
        help=text.replace("{}", WINDOW),
        example=WINDOW,
        read=read_window,
        metavar="START/END",
        first=first,
    )


def integer_option(flag: str, text: str, example: int) -> Option:
    """Return an option for one integer. `{}` in the text stands for the example."""
    return Option(flag=flag, help=text.replace("{}", str(example)), example=str(example), type=int)


def text_option(flag: str, text: str, example: str) -> Option:
    """Return an option for one text. `{}` in the text stands for the example."""
    return Option(flag=flag, help=text.replace("{}", example), example=example)


def integers_option(
    flag: str, text: str, example: str, *, required: bool = False, alone: str | None = None
) -> Option:
    """Return an option for several integers. `{}` in the text stands for the example."""
    return Option(
        flag=flag,
        help=text.replace("{}", example),
        example=example,
        read=read_integers,
        metavar="N,N",
        required=required,
        first=required,
        alone=alone,
    )


def texts_option(flag: str, text: str, example: str) -> Option:
    """Return an option for several texts. It is repeated, because texts may contain commas.

    `{}` in the text stands for the example.
    """
    return Option(
        flag=flag,
        help=f"{text.replace('{}', example)} May be repeated; in the environment one a line.",
        example=example,
        metavar="NAME",
        repeated=True,
    )


def read_window(text: str) -> dict[str, str]:
    """Return the window that `START/END` or `START/` means, as a request has it.

    Without an end, there is no `endAt`. Raises `ValueError`.
    """
    period = Period.of(text)
    window = {"startAt": render_instant(period.start)}
    return window if period.end is None else {**window, "endAt": render_instant(period.end)}


def read_names(text: str) -> list[str]:
    """Return names that are separated by commas. Raises `ValueError`."""
    names = [name.strip() for name in text.split(",")]
    if "" in names:
        raise ValueError(f"a name is empty in {text!r}")
    return names


def read_integers(text: str) -> list[int]:
    """Return integers that are separated by commas. Raises `ValueError`."""
    names = read_names(text)
    try:
        return [int(name) for name in names]
    except ValueError:
        raise ValueError(f"{text!r} is not a list of ids, such as 1,12,13") from None
