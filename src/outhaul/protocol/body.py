"""Reading the JSON of a request. A wrong value raises an error that names its parameter.

The functions take a value and the path of its parameter (`filter.createdAt.startAt`), and return
the value with its type checked. They raise `ApiError`: 609 for text that is not JSON, 1001 for a
wrong type, 1002 for a missing value, 1003 for a value that is not allowed.
"""

import json
from collections.abc import Container, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import msgspec

from outhaul.errors import ApiError, Error
from outhaul.protocol.instants import EXPECTED, parse_instant, render_instant
from outhaul.protocol.scalars import parse_boolean, parse_integer, to_integer
from outhaul.protocol.texts import shortened


class Window(NamedTuple):
    """A window of time. It includes both ends, at the precision of a second."""

    start: datetime
    end: datetime


def parse_object(body: bytes) -> Mapping[str, Any]:
    """Return the JSON object in the body of a request."""
    try:
        value = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise Error.JSON_INVALID(problem=str(error)) from error
    if not isinstance(value, dict):
        raise Error.JSON_INVALID(problem="the body must be a JSON object")
    return value


def wrong_type(value: object, parameter: str, expected: str) -> ApiError:
    """Return the error for a value that is not of the `expected` type."""
    try:
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    except RecursionError:  # so deeply nested that it could be read, but not written
        text = "…"
    return Error.WRONG_TYPE(value=shortened(text), parameter=parameter, expected=expected)


def read_object(value: object, parameter: str) -> Mapping[str, Any]:
    """Return a value that must be an object."""
    if value is None:
        raise Error.PARAMETER_MISSING(parameter=parameter)
    if not isinstance(value, dict):
        raise wrong_type(value, parameter, "object")
    return value


def read_text(value: object, parameter: str) -> str:
    """Return a value that must be a string that is not empty."""
    if value is None or value == "":
        raise Error.PARAMETER_MISSING(parameter=parameter)
    if not isinstance(value, str):
        raise wrong_type(value, parameter, "string")
    return value


def spelled(text: str, known: Container[str]) -> str:
    """Return a name as it is spelled in `known`: some clients put blanks around names.

    A name that is not known is returned as it is.
    """
    stripped = text.strip()
    return stripped if text not in known and stripped in known else text


def read_integer(value: object, parameter: str) -> int:
    """Return a value that must be an integer of 64 bits, or a text or a float of one."""
    if value is None or value == "":
        raise Error.PARAMETER_MISSING(parameter=parameter)
    try:
        return to_integer(value)
    except ValueError:
        raise wrong_type(value, parameter, "integer") from None


def parsed_integer(text: str, parameter: str, *, at_least: int | None = None) -> int:
    """Return the integer of 64 bits in a parameter of a query or a path."""
    expected = "integer" if at_least is None else f"integer, {at_least} or more"
    try:
        number = parse_integer(text)
    except ValueError:
        raise wrong_type(text, parameter, expected) from None
    if at_least is not None and number < at_least:
        raise wrong_type(text, parameter, expected)
    return number


def read_boolean(value: object, parameter: str) -> bool:
    """Return a value that must be true or false, or a text of one."""
    if value is None or value == "":
        raise Error.PARAMETER_MISSING(parameter=parameter)
    if isinstance(value, bool):
        return value
    try:
        return parse_boolean(value if isinstance(value, str) else "")
    except ValueError:
        raise wrong_type(value, parameter, "boolean") from None


def read_texts(value: object, parameter: str) -> list[str]:
    """Return a value that must be an array of strings, at least one."""
    return [read_text(entry, f"{parameter}[{n}]") for n, entry in _entries(value, parameter)]


def read_integers(value: object, parameter: str) -> list[int]:
    """Return a value that must be an array of integers, at least one."""
    return [read_integer(entry, f"{parameter}[{n}]") for n, entry in _entries(value, parameter)]


def read_window(value: object, parameter: str, longest_days: int) -> Window:
    """Return a value that must be an object of `startAt` and `endAt`, `longest_days` apart at most.

    The limit comes from the page "Bulk Lead Extract", table of filters.
    """
    window = read_object(value, parameter)
    start = _read_instant(window.get("startAt"), f"{parameter}.startAt")
    end = _read_instant(window.get("endAt"), f"{parameter}.endAt")
    shown = f"{render_instant(start)} to {render_instant(end)}"
    if end < start:
        raise Error.INVALID(parameter=parameter, problem=f"endAt is before startAt ({shown})")
    if end - start > timedelta(days=longest_days):
        raise Error.INVALID(
            parameter=parameter,
            problem=f"the range {shown} is longer than {longest_days} days",
        )
    return Window(start, end)


def read_headers(value: object, fields: Sequence[str]) -> list[str]:
    """Return the column header of each of `fields`. The default is the name of the field.

    `value` is the `columnHeaderNames` of a request. Clients send null for no header, and some
    languages write an empty object as an empty array.
    """
    if value is None or value == []:
        return [*fields]
    headers = {
        spelled(field, fields): header
        for field, header in read_object(value, "columnHeaderNames").items()
        if header is not None
    }
    for field, header in headers.items():
        if field not in fields:
            raise Error.INVALID(
                parameter=f"columnHeaderNames.{field}",
                problem=f"field '{field}' is not among the fields that are exported",
            )
        read_text(header, f"columnHeaderNames.{field}")
    return [headers.get(field, field) for field in fields]


def _read_instant(value: object, parameter: str) -> datetime:
    text = read_text(value, parameter)
    try:
        return parse_instant(text)
    except ValueError:
        raise wrong_type(text, parameter, EXPECTED) from None


def _entries(value: object, parameter: str) -> list[tuple[int, object]]:
    if value is None or value == []:
        raise Error.PARAMETER_MISSING(parameter=parameter)
    if not isinstance(value, list):
        raise wrong_type(value, parameter, "array")
    return list(enumerate(value))
