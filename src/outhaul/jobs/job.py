"""An export job, and the transitions between its states."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from outhaul.export.request import ExportRequest
from outhaul.protocol.answers.exports import ExportJob
from outhaul.protocol.states import State

TRANSITIONS: Mapping[State, frozenset[State]] = {
    State.CREATED: frozenset({State.QUEUED, State.CANCELLED}),
    State.QUEUED: frozenset({State.PROCESSING, State.CANCELLED}),
    State.PROCESSING: frozenset({State.COMPLETED, State.FAILED, State.CANCELLED}),
    State.CANCELLED: frozenset(),
    State.COMPLETED: frozenset(),
    State.FAILED: frozenset(),
}
"""The states that may follow each state. `docs/jobs.md` has a diagram of them."""


def sources(target: State) -> list[State]:
    """Return the states that may come before `target`."""
    return [state for state, targets in TRANSITIONS.items() if target in targets]


@dataclass(frozen=True, kw_only=True)
class Job:
    """An export job as it was at one moment. Times are in UTC."""

    id: str
    """The `exportId`, a UUID."""
    subscription: str
    user: int
    """The id of the API user that owns the job."""
    kind: str
    """The name of the kind, such as `leads`."""
    state: State
    request: ExportRequest
    created_at: datetime
    queued_at: datetime | None = None
    started_at: datetime | None = None
    """When the first attempt began."""
    finished_at: datetime | None = None
    """When the job was Completed, Failed or Cancelled."""
    records: int | None = None
    """The number of records in the file of a Completed job."""
    file_size: int | None = None
    """The size of the file of a Completed job, in bytes."""
    checksum: str | None = None
    """The SHA-256 of the file of a Completed job, in hexadecimal digits."""
    error_message: str | None = None
    """The reason why the job is Failed."""
    attempts: int = 0
    """Attempts that count. Those that a stopping worker released, or that published a part, do not.
    """

    def to_answer(self) -> ExportJob:
        """Return the job as in answers. Times and sizes that the job does not have are left out."""
        reached = {
            "queued_at": self.queued_at,
            "started_at": self.started_at,
            "finished_at": self.finished_at,
        }
        further: dict[str, Any] = {name: when for name, when in reached.items() if when}
        if self.state is State.COMPLETED:
            further |= {
                "number_of_records": self.records,
                "file_size": self.file_size,
                "file_checksum": f"sha256:{self.checksum}",
            }
        if self.state is State.FAILED:
            further["error_msg"] = self.error_message
        return ExportJob(
            export_id=self.id,
            format=self.request.format.name,
            status=self.state,
            created_at=self.created_at,
            **further,
        )
