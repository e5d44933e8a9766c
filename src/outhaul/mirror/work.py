"""What one export job of a mirror is for."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from outhaul.protocol.windows import Window


@dataclass(frozen=True, kw_only=True)
class Work:
    """A window of some streams of one kind, or the members of lists or programs."""

    kind_path: str
    streams: tuple[str, ...]
    window: Window | None = None
    ids: tuple[int, ...] = ()
    """The static lists or programs whose members are read."""

    @property
    def name(self) -> str:
        """What people read."""
        of = ", ".join(self.streams)
        if self.window is not None:
            return f"{of} {self.window}"
        return f"{of} {', '.join(map(str, self.ids))}" if self.ids else of

    def to_json(self) -> dict[str, Any]:
        """Return the work as JSON."""
        window = self.window
        return {
            "kindPath": self.kind_path,
            "streams": [*self.streams],
            "window": window and [window.start.isoformat(), window.end.isoformat()],
            "ids": [*self.ids],
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        """Return the work that `to_json` has written."""
        window = content["window"]
        return cls(
            kind_path=content["kindPath"],
            streams=tuple(content["streams"]),
            window=window and Window(*map(datetime.fromisoformat, window)),
            ids=tuple(content["ids"]),
        )


@dataclass(frozen=True, kw_only=True)
class Counts:
    """What a load has brought, in records."""

    announced: int | None = None
    """The number that the endpoint gave."""
    bytes: int | None = None
    added: int = 0
    changed: int = 0
    unchanged: int = 0
    deleted: int = 0
    """Records that were left out, because they depend on a deleted lead."""
    removed: int = 0
    """Members that a list or program does not have any more."""

    @property
    def records(self) -> int:
        """All records that were read."""
        return self.added + self.changed + self.unchanged + self.deleted

    def plus(self, other: "Counts") -> "Counts":
        """Return the sum."""
        return Counts(
            announced=(self.announced or 0) + (other.announced or 0),
            bytes=(self.bytes or 0) + (other.bytes or 0),
            added=self.added + other.added,
            changed=self.changed + other.changed,
            unchanged=self.unchanged + other.unchanged,
            deleted=self.deleted + other.deleted,
            removed=self.removed + other.removed,
        )
