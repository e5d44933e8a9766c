"""The manifest of a finished export file."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Part:
    """A rendered part of an export file."""

    number: int
    """The position of the part in the file, from 0 on."""
    key: str
    """The key of the part in the store."""
    size: int
    """Bytes of the part."""
    records: int
    """Records in the part."""


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """A finished file: its parts in order, and the SHA-256 of the whole file."""

    parts: Sequence[Part]
    checksum: str

    @property
    def size(self) -> int:
        """Bytes of the file."""
        return sum(part.size for part in self.parts)

    @property
    def records(self) -> int:
        """Records in the file. The header line is not counted."""
        return sum(part.records for part in self.parts)
