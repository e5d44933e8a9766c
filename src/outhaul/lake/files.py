"""The files of a lake: which there are, and what they hold."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

Bounds = Mapping[str, tuple[Any, Any]]
"""The least and the greatest value of a file's columns, where they are known."""


class TableFile(NamedTuple):
    """A file of the lake: the name of its table, and its path under the table's folder."""

    table: str
    path: str


@dataclass(frozen=True, kw_only=True)
class LakeFile:
    """One file of a table: where it is (under the table's folder) and what it holds."""

    path: str
    size: int
    records: int
    partition: Any
    bounds: Bounds


def by_partition(files: Iterable[LakeFile]) -> dict[Any, list[LakeFile]]:
    """Return files by their partition, both in the order in which they come."""
    found: dict[Any, list[LakeFile]] = {}
    for file in files:
        found.setdefault(file.partition, []).append(file)
    return found
