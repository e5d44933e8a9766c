"""What an extract has brought, and what it tells while it runs."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from outhaul.client.arrived import Checked
from outhaul.client.errors import ClientError
from outhaul.client.jobs import Job
from outhaul.client.tasks import Task
from outhaul.client.watch import Watch
from outhaul.protocol.windows import Window


@dataclass(frozen=True, kw_only=True)
class ExtractedFile:
    """The file of a window."""

    window: Window | None
    """`None` for an extract without a period."""
    job: Job
    path: Path
    checked: Checked
    is_new: bool = True
    """Whether this run has brought it; an earlier one otherwise."""


@dataclass(frozen=True, kw_only=True)
class Extracted:
    """The files of all windows, joined."""

    files: Sequence[ExtractedFile]
    """Those of the windows, from the oldest on. They are removed."""
    size: int
    sha256: str
    records: int | None
    """`None` if the endpoint does not say how many records a file has."""
    repeated: int
    """Records that a later window had too, and that are there only once."""


class ExtractWatch(Watch):
    """What an extract tells, besides what its flight does. Override what you need."""

    def begun(self, windows: Sequence[Window | None], files: Sequence[ExtractedFile]) -> None:
        """Note all windows, and the files that earlier runs have brought."""

    def fetching(self, task: Task, job: Job, received: int) -> None:
        """Note how many bytes of a file have arrived."""

    def arrived(self, file: ExtractedFile) -> None:
        """Note a file that is there, checked."""

    def failed(self, task: Task, error: ClientError) -> None:
        """Note a window whose file is not there. The others go on."""

    def joining(self) -> None:
        """Note that all files are there, and are joined now."""
