"""Numbers and booleans as clients write them in JSON and in queries.

Clients write an integer as a text (`"1001"`), or as a float that is whole (`1001.0`, from libraries
that know no integers). These are taken, because no other value can be meant.
"""

import re
from collections.abc import Mapping

INTEGER_RANGE = range(-(2**63), 2**63)

_INTEGER = re.compile(r"([+-]?[0-9]{1,40})(?:\.0+)?", re.ASCII)
_BLANKS = " \t\r\n"

# Larger floats are not exact: several integers have the same one.
_EXACT = 2**53

_TRUTHS: Mapping[str, bool] = {"true": True, "1": True, "false": False, "0": False}


def parse_integer(text: str) -> int:
    """Return the integer of 64 bits that a text names. Blanks around it are ignored.

    Raises `ValueError` for any other text.
    """
    match = _INTEGER.fullmatch(text.strip(_BLANKS))
    if match is None or (number := int(match[1])) not in INTEGER_RANGE:
        raise ValueError(f"{text!r} is not an integer of 64 bits")
    return number


def to_integer(value: object) -> int:
    """Return the integer of 64 bits that a value of JSON means.

    Raises `ValueError` for a value that is no integer, no such text and no whole float.
    """
    if isinstance(value, str):
        return parse_integer(value)
    if isinstance(value, float) and value.is_integer() and abs(value) <= _EXACT:
        return int(value)
    if isinstance(value, bool) or not isinstance(value, int) or value not in INTEGER_RANGE:
        raise ValueError("not an integer of 64 bits")
    return value


def parse_boolean(text: str) -> bool:
    """Return the boolean that a text names: `true`, `false`, `1` or `0`, in any case.

    Raises `ValueError` for any other text.
    """
    truth = _TRUTHS.get(text.strip(_BLANKS).lower())
    if truth is None:
        raise ValueError(f"{text!r} is not a boolean")
    return truth
