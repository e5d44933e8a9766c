"""Failures of reading and writing tables, as one exception with a message of one line."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from deltalake.exceptions import DeltaError
from obstore.exceptions import BaseError
from polars.exceptions import PolarsError

from outhaul.protocol.texts import shortened
from outhaul.storage.services import answered, without_queries

_LONGEST = 300
_COLOURS = re.compile(r"\x1b\[[0-9;]*m|↳")
_TRIES = re.compile(r" in [\d.]+\S*s, after \d+ retries, .*?retry_timeout:? \d+s")
_OBJECT = re.compile(r" performing [A-Z]+ ([^\s?]+)")

FAILURES = (OSError, DeltaError, PolarsError, BaseError)
"""Exceptions of the libraries for files that are unreachable, missing or damaged."""


class LakeError(Exception):
    """Records cannot be read or written: files are unreachable, missing or damaged."""


@contextmanager
def named_failures() -> Iterator[None]:
    """Raise `LakeError` for the exceptions in `FAILURES`, with a message of one line."""
    try:
        yield
    except FAILURES as error:
        raise LakeError(in_a_line(error)) from error


def in_a_line(error: BaseException) -> str:
    """Return the message of an error without colours, stacks, line ends, retries and signatures.

    If a storage service answered, the message is the requested object and that answer.
    """
    text = without_queries(_COLOURS.sub("", str(error)).partition("\n\nDebug source")[0])
    line = " ".join(text.split()).partition(" 0: <unknown>")[0]
    if (answer := answered(text)) is not None:
        requested = _OBJECT.search(line)
        return f"{requested[1]}: {answer}" if requested else answer
    return shortened(_TRIES.sub("", line), _LONGEST)
