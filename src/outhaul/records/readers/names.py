"""The names of columns that a file may have."""

from collections.abc import Sequence

from outhaul.records.readers.reader import UNDECODED


def problem_of_names(names: Sequence[str]) -> str | None:
    """Return the problem with the names of the columns of a file, or `None`."""
    for n, name in enumerate(names):
        if not name.strip():
            return f"column {n + 1} has no name"
        if is_undecoded(name):
            return UNDECODED
        if "\0" in name:
            return f"column {name!r}: a name cannot hold NUL; is it a binary file, or in UTF-16?"
        if name != name.strip():
            return f"column {n + 1}: {name!r} begins or ends with a blank"
        if name in names[:n]:
            return f"column {name!r} is there twice"
    return None


def is_undecoded(text: str) -> bool:
    """Return whether a text, decoded with `surrogateescape`, has bytes that are not UTF-8."""
    return any("\udc80" <= mark <= "\udcff" for mark in text)
