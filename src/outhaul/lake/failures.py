"""What reading and writing tables fails with: one error, in one line."""

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
"""What the libraries raise where files of a table cannot be reached, are gone or are damaged."""


class LakeError(Exception):
    """Records cannot be read or written: files cannot be reached, are gone or are damaged."""


@contextmanager
def named_failures() -> Iterator[None]:
    """Raise `LakeError`, in a line, for what the libraries raise that read and write tables."""
    try:
        yield
    except FAILURES as error:
        raise LakeError(in_a_line(error)) from error


def in_a_line(error: BaseException) -> str:
    """Return what an error says without colours, stacks, line ends, retries and signatures.

    If a storage service answered, that is its answer, and the object that was asked for.
    """
    text = without_queries(_COLOURS.sub("", str(error)).partition("\n\nDebug source")[0])
    said = " ".join(text.split()).partition(" 0: <unknown>")[0]
    if (answer := answered(text)) is not None:
        asked = _OBJECT.search(said)
        return f"{asked[1]}: {answer}" if asked else answer
    said = _TRIES.sub("", said)
    return shortened(said, _LONGEST)
