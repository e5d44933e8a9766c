"""Descriptions of the files of a lake."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple

Bounds = Mapping[str, tuple[Any, Any]]
"""The least and the greatest value in a file, by column. Unknown bounds are `None`."""


class TableFile(NamedTuple):
    """A file of the lake: the name of its table, and its path under the table's folder."""

    table: str
    path: str


@dataclass(frozen=True, kw_only=True)
class LakeFile:
    """One file of a table, with its statistics."""

    path: str
    """The path under the folder of the table."""
    size: int
    """Bytes of the file."""
    records: int
    """Records in the file."""
    partition: Any
    """The value of the partition column, which all its records share."""
    bounds: Bounds
    written_at: datetime = datetime(1970, 1, 1, tzinfo=UTC)
    """When the file was written, in UTC."""


def by_partition(files: Iterable[LakeFile]) -> dict[Any, list[LakeFile]]:
    """Return files by partition. Partitions and files are in the given order."""
    found: dict[Any, list[LakeFile]] = {}
    for file in files:
        found.setdefault(file.partition, []).append(file)
    return found
