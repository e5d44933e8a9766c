"""What a run of the mirror tells while it goes on. By default it tells nothing."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from outhaul.client import Job, Watch
from outhaul.mirror.work import Counts, Work


@dataclass
class Summary:
    """What a run has done."""

    outcome: str = "complete"
    """`complete`, `quota` if the day's quota ended it, `errors`, or `stopped`."""
    loads: dict[str, Counts] = field(default_factory=dict)
    """By stream."""
    jobs: int = 0
    errors: list[str] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    """What was left at the endpoint, in words."""
    until: str | None = None
    """When the day's quota is full again, in UTC."""
    all_there: str | None = None
    """When everything will be there, as far as can be foreseen, in UTC."""

    def add(self, work: Work, counts: Counts) -> None:
        """Count a load."""
        stream = ",".join(work.streams)
        self.loads[stream] = self.loads.get(stream, Counts()).plus(counts)

    def to_json(self) -> dict[str, Any]:
        """Return the summary as JSON."""
        return {
            "outcome": self.outcome,
            "jobs": self.jobs,
            "streams": {stream: _counted(counts) for stream, counts in self.loads.items()},
            "errors": self.errors,
            "notices": self.notices,
            "left": self.left,
            "quotaFullAgainAt": self.until,
            "allThereAt": self.all_there,
        }


def _counted(counts: Counts) -> Mapping[str, int | None]:
    return {
        "records": counts.records,
        "bytes": counts.bytes,
        "added": counts.added,
        "changed": counts.changed,
        "unchanged": counts.unchanged,
        "deleted": counts.deleted,
        "removed": counts.removed,
    }


class MirrorWatch(Watch):
    """Is told what happens. Subclasses show it."""

    def phase(self, text: str) -> None:
        """Something begins that takes a while, such as reading the catalog."""

    def arriving(self, work: Work, job: Job, received: int) -> None:
        """Bytes of a file have arrived."""

    def loading(self, work: Work, share: float) -> None:
        """Is told how much of a file is loaded, from 0 to 1."""

    def loaded(self, work: Work, counts: Counts) -> None:
        """Is told that a file was loaded."""

    def notice(self, line: str) -> None:
        """Something that people should know, but that ends nothing."""
