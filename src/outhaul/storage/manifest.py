"""The manifest of a finished file."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Part:
    """A rendered piece of a file: where it is kept, its bytes and its records."""

    number: int
    key: str
    size: int
    records: int


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """A whole file: its parts in order, and the SHA-256 over all of them."""

    parts: Sequence[Part]
    checksum: str

    @property
    def size(self) -> int:
        """Bytes of the file."""
        return sum(part.size for part in self.parts)

    @property
    def records(self) -> int:
        """Records in the file; the header line is none."""
        return sum(part.records for part in self.parts)
