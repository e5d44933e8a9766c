"""The export jobs of the endpoint, and how they move on."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

RUNNING = ("Created", "Queued", "Processing")
QUEUED = ("Queued", "Processing")


class _Gone:
    def __repr__(self) -> str:
        return "GONE"


GONE: Final = _Gone()
"""In place of the value of a member or of a header: it is left out."""


def lines(count: int) -> bytes:
    """Return a file with a header and so many records."""
    return b"id,email\n" + b"".join(b"%d,person%d@example.com\n" % (n, n) for n in range(count))


def sha256(file: bytes) -> str:
    """Return the checksum of a file as jobs announce it."""
    return f"sha256:{hashlib.sha256(file).hexdigest()}"


FILE = lines(1000)
"""The export file, unless a test says otherwise."""


@dataclass(frozen=True, kw_only=True)
class Script:
    """What becomes of a job after it was enqueued."""

    course: tuple[str, ...] = ("Processing", "Completed")
    """The states that looks at the job find, in turn. The last one stays; without any, the job
    stays Queued until a test moves it."""
    file: bytes = FILE
    announced: Mapping[str, Any] = field(default_factory=dict)
    """Members of a Completed job that differ from what its file has; `GONE` leaves one out."""
    error: str | None = None
    """`errorMsg` of a Failed job."""


@dataclass(kw_only=True)
class ExportJob:
    """An export job at the endpoint. A test may look at all of it, and change all of it."""

    id: str
    kind: str
    script: Script
    created_at: datetime
    request: Any = None
    state: str = "Created"
    looks: int = 0
    """How many status calls have looked at the job since it was enqueued."""
    file: bytes = b""

    def __post_init__(self) -> None:
        self.file = self.file or self.script.file

    def look(self) -> None:
        """Move on by one state of the script, if the job is in the queue."""
        if self.state in QUEUED and self.looks < len(self.script.course):
            self.state = self.script.course[self.looks]
            self.looks += 1

    def to_answer(self) -> dict[str, Any]:
        """Return the job as answers describe it. All its moments are that of its creation."""
        moment = f"{self.created_at:%Y-%m-%dT%H:%M:%SZ}"
        entry: dict[str, Any] = {
            "exportId": self.id,
            "format": (self.request or {}).get("format", "CSV"),
            "status": self.state,
            "createdAt": moment,
        }
        if self.state not in ("Created", "Cancelled"):
            entry["queuedAt"] = moment
        if self.state in ("Processing", "Completed", "Failed"):
            entry["startedAt"] = moment
        if self.state in ("Completed", "Failed", "Cancelled"):
            entry["finishedAt"] = moment
        if self.state == "Completed":
            entry["numberOfRecords"] = self.file.count(b"\n") - 1
            entry["fileSize"] = len(self.file)
            entry["fileChecksum"] = sha256(self.file)
            entry |= self.script.announced
        if self.state == "Failed" and self.script.error is not None:
            entry["errorMsg"] = self.script.error
        return {name: value for name, value in entry.items() if value is not GONE}
